"""Paper B's stand-alone attacks on a model of the user's own, trained elsewhere.

The attacks, their views of layers and gradients, and the checks are those of the study;
of the model nothing is known but what it computes, and its layers are found there.
"""

from __future__ import annotations

import dataclasses
from typing import NamedTuple

import jax
import numpy as np

from jaxprivacy import errors, types
from jaxprivacy.data import Dataset, sources
from jaxprivacy.report import contents, progress
from jaxprivacy.studies import (
    door,
    results,
    target_given,
    training,
    whitebox,
    whitebox_accepted,
    whitebox_attacks,
    whitebox_cases,
    whitebox_imports,
    whitebox_settings,
    whitebox_splits as splits,
    whitebox_study as shared,
    whitebox_targets,
    whitebox_views as views_lib,
)
from jaxprivacy.targets import inputs

# The settings that count; the others are of a training that does not take place.
SETTINGS = (
    "data setting supervision layers gradients loss_and_label black_box "
    "attack_members attack_non_members evaluation_records preset gradient_kernels "
    "attack_learning_rate attack_epochs null_checks feature_batch feature_memory seed"
).split()


class Own(NamedTuple):
    """A user's model and its records, checked."""

    name: str
    network: types.Model  # its `init` draws a model that knows nothing
    params: types.Params
    prepared: shared.Prepared
    named: dict[str, str | None]  # what the command line names: target, params


def prepare(
    settings: whitebox_settings.WhiteboxSettings, target: str, params: str | None
) -> Own:
    """Checks the settings, imports the target and reads its records.

    Args:
      settings: those of `SETTINGS` count.
      target: `FILE.py:NAME` or `package.module:NAME`.
      params: the path of its parameters; None: the target's own.

    Raises:
      InputError: naming the flag.
    """
    whitebox_accepted.check(settings)
    _check(settings)
    found, read = door.named(target, params)
    kinds = sources.members_and_non_members(settings.data)
    given = target_given.given(found, read, *kinds, None)
    if not given.task.classifies or given.task.loss is not inputs.cross_entropy:
        raise errors.InputError(
            "target",
            target,
            found=f"its answers are taken for {given.task.kind}, its loss is "
            f"{given.task.loss_name}",
            accepted="are logits of classes, or one logit, and the cross-entropy",
        )
    ours, others = given.members.first, given.non_members.first
    apply, own = given.target.apply, given.target.params
    inputs.check_model(apply, own, ours.x, ours.y, given.task.loss, "target")
    dataset = Dataset(
        settings.data,
        np.concatenate([ours.x, others.x]),
        np.concatenate([ours.y, others.y]),
        max(2, int(np.prod(given.task.form))),
    )
    own = jax.tree.map(jax.numpy.asarray, own)
    layers, views = whitebox.seen_by_attacks(settings, apply, own, dataset.x)
    network = types.Model(lambda key: shuffled(key, own), apply)
    dealt = splits.of_given(settings, dataset, len(ours.y), settings.seed)
    channels = views_lib.image_channels(network, own, dataset.x)
    prepared = shared.Prepared(
        dataset, {(1, settings.seed): dealt}, layers, views, channels
    )
    named = {"target": target, "params": params}
    return Own(given.target.name, network, own, prepared, named)


def _check(settings):
    """Refuses what only a model that is trained here can be attacked by."""
    if settings.setting != "standalone":
        raise errors.InputError(
            "setting",
            settings.setting,
            found="the model of `target` is not trained here",
            accepted="beside it is standalone",
        )
    if "shadow" in settings.supervision:
        raise errors.InputError(
            "supervision",
            ",".join(settings.supervision),
            found="shadow models like the one of `target` are not trained here",
            accepted="beside it are supervised and unsupervised",
        )


def shuffled(key: jax.Array, params: types.Params) -> types.Params:
    """The same parameters with the numbers of each array in random order.

    A model of the right scale that knows nothing of any record.

    Args:
      key: randomness of the orders.
      params: a tree of arrays.
    """
    leaves, tree = jax.tree.flatten(params)
    keys = jax.random.split(key, len(leaves))
    mixed = [
        jax.random.permutation(k, a.ravel()).reshape(a.shape)
        for k, a in zip(keys, leaves, strict=True)
    ]
    return jax.tree.unflatten(tree, mixed)


def weight(settings: whitebox_settings.WhiteboxSettings) -> float:
    """The sum of the weights of the stages."""
    return shared.ATTACKING * (1 + 1.5 * settings.null_checks)


def run(
    settings: whitebox_settings.WhiteboxSettings,
    own: Own,
    stages: progress.Stages,
    command: str,
) -> contents.Report:
    """Attacks the target and gathers what was found.

    Args:
      settings: checked settings.
      own: of `prepare`.
      stages: where progress is shown.
      command: how the run was started, for the report.

    Raises:
      InputError: what the target shows of the attacked records is no number.
    """
    begun = results.begin()
    try:
        finding, untrained = _attacked(settings, own, stages)
    except training.Diverged as error:
        raise errors.InputError(
            "target",
            own.named["target"],
            found="its outputs or gradients on the attacked records are no finite "
            "numbers",
            accepted="are parameters with which they are",
        ) from error
    dataset, preset = own.prepared.dataset, settings.attack_preset()
    in_effect = {
        "model": own.name,
        "target_layers": tuple(layer.path for layer in own.prepared.layers),
        "gradient_kernels": preset.gradient_kernels,
    }
    used = own.named | {
        name: value
        for name, value in dataclasses.asdict(settings).items()
        if name in SETTINGS
    }
    head = results.origin(command, used, in_effect, dataset, begun)
    told = whitebox.tell(settings, [finding], untrained)
    shown = (used | in_effect | {"records": len(dataset.y)}).items()
    report = whitebox.report(
        own.prepared,
        [finding],
        {**head, **told},
        [(name, _word(value)) for name, value in shown if value not in (None, ())],
    )
    note = (
        "The untrained model of the null check has the target's own parameters, the "
        "numbers of each array in random order."
    )
    notes = [*report.notes, *[note] * settings.null_checks]
    return report._replace(training=None, notes=notes, simulated=False)


def _word(value):
    return ", ".join(map(str, value)) if isinstance(value, tuple) else value


def _attacked(settings, own, stages):
    """The attacks, with a positive control, and those on a model that knows nothing."""
    dataset, seed = own.prepared.dataset, settings.seed
    study = whitebox.study_of(settings, own.prepared, own.network, stages)
    split = own.prepared.splits[1, seed]
    kinds = split.members["global"], split.non_members["global"]
    records = whitebox_attacks.gather(dataset, *kinds)
    row = shared.row_of(settings, seed, 1, "global", "passive")
    given = whitebox_targets.give(
        dataset, split.shares, split.unheld, np.concatenate([*kinds[0], *kinds[1]]), 0.0
    )
    seen = whitebox_imports.seen(own.network, own.params, given, settings.rounds)
    basic = study.attacks.observer.observe_basic(seen.snapshots, *records.batch[:2])
    whitebox_targets.check_observed(settings, basic)  # Now, not behind the null check.
    untrained = []
    if settings.null_checks:
        stages.stage("null check on a model that knows nothing", shared.ATTACKING)
        untrained = whitebox_attacks.on_untrained(
            study.attacks,
            own.network,
            records,
            shared.key(settings, seed, "untrained"),
            row,
            stages.advance,
        )
    stages.stage("attacks", shared.ATTACKING)
    found = whitebox_cases.attack_one(study, seen, records, row, seed)
    found = shared.with_evidence(found, dataset, split.shares[0], kinds)
    if settings.null_checks:
        observed = whitebox_cases.observation(study, seen, records, seen.rounds, 0.0)
        controls = shared.control(study, observed, records, row, seed)
        found = found._replace(controls=controls)
    return shared.light(found), untrained
