"""White-box membership inference: paper B's study, whole."""

from __future__ import annotations

import jax

from jaxprivacy import data as data_lib, errors
from jaxprivacy.data import copies
from jaxprivacy.evaluation import membership_rows, seeds
from jaxprivacy.report import contents, progress, verdict
from jaxprivacy.studies import (
    provenance,
    results,
    target_files,
    whitebox_accepted,
    whitebox_attacks,
    whitebox_cases,
    whitebox_checks,
    whitebox_finetuning,
    whitebox_imports,
    whitebox_kept,
    whitebox_report,
    whitebox_settings,
    whitebox_shadows,
    whitebox_splits as splits,
    whitebox_study as shared,
    whitebox_targets,
    whitebox_views as views_lib,
)
from jaxprivacy.targets import layers as layers_lib


def prepare(settings: whitebox_settings.WhiteboxSettings) -> shared.Prepared:
    """Checks the settings, loads the data and decides who holds what.

    Raises:
      InputError: what the settings ask for cannot be had.
    """
    whitebox_accepted.check(settings)
    if settings.export_target:
        target_files.check_free(settings.export_target)
    dataset = data_lib.load(settings.data, records=settings.records, seed=settings.seed)
    if settings.model not in (None, "mlp") and not dataset.is_image:
        raise errors.InputError(
            "model", settings.model, found="the data is a table", accepted="is mlp"
        )
    if settings.imports_torch():
        whitebox_imports.check_images(settings, dataset)
    network = whitebox_targets.model(settings, dataset)
    params = jax.eval_shape(network.init, jax.random.key(0))
    layers, views = seen_by_attacks(settings, network.apply, params, dataset.x)
    dealt = {
        (count, seed): splits.split(settings, dataset, count, seed)
        for count in _participants(settings)
        for seed in _seeds(settings)
    }
    if settings.import_target:  # Now, not behind the null check.
        shares = dealt[1, settings.seed].shares
        whitebox_imports.load(settings, dataset, shares, network)
    if "shadow" in settings.supervision:
        seen = [view for _, view in views]
        each = views_lib.record_bytes(network, seen, params, dataset.x)
        whitebox_shadows.check_memory(settings, dealt[1, settings.seed], each)
    channels = views_lib.image_channels(network, params, dataset.x)
    return shared.Prepared(dataset, dealt, layers, views, channels)


def seen_by_attacks(settings, apply, params, x):
    """The target's layers, and what each attack sees of them.

    Args:
      settings: which layers are meant.
      apply: the target.
      params: its parameters, or their shapes.
      x: records, of which the form counts.

    Raises:
      InputError: a layer that is not there; two attacks that see the same.
    """
    layers = layers_lib.layers(apply, params, x[:1])
    receivers = layers_lib.receivers(apply, params, x[:1])
    views = [
        (
            variant,
            views_lib.view(variant, layers, receivers, loss=settings.loss_and_label),
        )
        for variant in settings.variants()
    ]
    if len({view for _, view in views}) < len(views):
        raise errors.InputError(
            ("layers", "gradients"),
            (" ".join(settings.layers), " ".join(settings.gradients)),
            found="two attacks see the same",
            accepted="are different ones",
        )
    return layers, views


def _participants(settings):
    return settings.participants if settings.setting == "federated" else (1,)


def _seeds(settings):
    return range(settings.seed, settings.seed + settings.seeds)


def _cases(settings):
    """The targets to train: seed, participants, attacker, mode and victim."""
    return [
        (seed, count, place, mode, victim)
        for seed in _seeds(settings)
        for count in _participants(settings)
        for place, mode in settings.attackers()
        for victim in settings.victims_of(place, count)
    ]


def _three_way(findings):
    rows = [row for finding in findings for row in finding.three_way]
    return {"three_way": rows} if rows else {}


def _over_victims(rows):
    averaged = seeds.over_victims(rows)
    return {"over_victims": averaged} if averaged else {}


def weight(settings: whitebox_settings.WhiteboxSettings) -> float:
    """The sum of the weights of the stages that will be run."""
    total = shared.ATTACKING / 2 * settings.null_checks  # of the positive control
    if settings.null_checks:
        pairs = 3 if settings.setting == "finetune" else 1
        cases = whitebox_checks.untrained_cases(_cases(settings))
        total += shared.ATTACKING * pairs * len(cases)
    for *_, mode, _ in _cases(settings):
        total += len(settings.rates(mode)) * (shared.TRAINING + shared.ATTACKING)
        total += shared.SHADOWS * ("shadow" in settings.supervision)
    return total


def run(
    settings: whitebox_settings.WhiteboxSettings,
    prepared: shared.Prepared,
    stages: progress.Stages,
    command: str,
    targets: str = "",
) -> contents.Report:
    """Trains every target, attacks it and gathers what was found.

    Args:
      settings: checked settings.
      prepared: what `prepare` made of them.
      stages: where progress is shown.
      command: how the run was started, for the report.
      targets: folder in which trained targets are kept; empty: nowhere.
    """
    begun = results.begin()
    network = whitebox_targets.model(settings, prepared.dataset)
    study = study_of(settings, prepared, network, stages, targets)
    untrained = []
    if settings.null_checks:  # First, since it can fail.
        cases = whitebox_checks.untrained_cases(_cases(settings))
        untrained = [
            s for case in cases for s in whitebox_cases.on_untrained(study, *case)
        ]
    one = (
        whitebox_finetuning.fine_tuned
        if settings.setting == "finetune"
        else whitebox_cases.attacked
    )
    findings = [
        one(study, *case, control=settings.null_checks and not number)
        for number, case in enumerate(_cases(settings))
    ]
    found = {
        "target_layers": tuple(layer.path for layer in prepared.layers),
        "gradient_kernels": settings.attack_preset().gradient_kernels,
    }
    told = tell(settings, findings, untrained)
    head = results.head(command, settings, prepared.dataset, begun, **found)
    used = results.used_settings(settings, prepared.dataset, **found)
    return report(prepared, findings, {**head, **told}, used)


def study_of(settings, prepared, network, stages, targets=""):
    """What all targets share, and what was kept of them before."""
    dataset = prepared.dataset
    observer = views_lib.observer(
        network,
        [view for _, view in prepared.views],
        settings.attack_preset(),
        channels=prepared.channels,
        feature_batch=settings.feature_batch,
        memory=settings.feature_memory * 2**30,
    )
    attacks = whitebox_attacks.Attacks(
        settings, observer, prepared.views, prepared.layers
    )
    data, kept = "", {}
    if targets:
        whitebox_kept.usable(targets)
        data, kept = provenance.fingerprint(dataset), whitebox_kept.identities(targets)
    return shared.Study(settings, prepared, attacks, stages, targets, data, kept, {})


def tell(settings, findings, untrained):
    """What result.json tells of the findings."""
    scored = [s for finding in findings for s in finding.scored]
    rows, null_rows = membership_rows.rows(scored, settings.setting, untrained)
    first = findings[0]
    return {
        "target": results.accuracies(first.seen.info),
        "targets": [f.row | results.accuracies(f.seen.info) for f in findings],
        "evidence": [results.accuracies(f.seen.info) | f.evidence for f in findings],
        "membership": rows,
        "null_checks": null_rows,
        "positive_controls": membership_rows.control_rows(
            first.controls, settings.setting
        ),
        **_three_way(findings),
        **_over_victims(rows),
        "reconstruction": [],
    }


def report(prepared, findings, result, used):
    """The report, with the verdict on what was found."""
    every = list(prepared.splits.values())
    told = max(s.copies_left_out for s in every), any(s.copies_kept for s in every)
    # Beside what it says else of the data.
    result["data"] = {**result.get("data", {}), **copies.told(*told)}
    result["verdict"] = verdict.verdict(result)
    first = findings[0]
    rows = result["membership"][: len(first.scored)]
    return contents.Report(
        result=result,
        settings=used,
        split_counts=splits.counts(every[0]),
        roc_curves=whitebox_report.curves(first.scored, rows),
        training=results.course(first.seen.info),
        notes=copies.notes(*told) + [note for f in findings for note in f.notes],
        diagnostics=first.diagnostics,
    )
