"""The audit: how much of its data a federated training run gives away."""

from __future__ import annotations

from typing import NamedTuple

import jax
import numpy as np

from jaxprivacy import data as data_lib
from jaxprivacy.data import copies
from jaxprivacy.evaluation import membership_rows
from jaxprivacy.models import targets
from jaxprivacy.report import contents, progress, text, verdict
from jaxprivacy.studies import (
    audit_data,
    audit_membership,
    collaboration,
    evidence,
    federated_run,
    judge,
    reconstruction,
    results,
    seats,
    settings as settings_lib,
)

# Weights of the stages on the progress bar: their seconds on two cores, roughly.
IMAGE_STAGES = {
    "collaborative training with a GAN attacker": 25.0,
    "the same without influence": 15.0,
    "judging the reconstructions": 10.0,
}
STAGES = audit_membership.STAGES | IMAGE_STAGES


class Prepared(NamedTuple):
    """What is settled before anything is trained."""

    dataset: data_lib.Dataset
    split: data_lib.Split
    seats: seats.Seats | None  # None: the GAN attack cannot be played
    notes: tuple[str, ...]
    names: tuple[str, ...]  # the attacks on membership


def prepare(settings: settings_lib.Settings) -> Prepared:
    """Checks the settings, loads the data and decides who holds what.

    Raises:
      InputError: what the settings ask for cannot be had.
    """
    settings_lib.check(settings)
    names = audit_membership.chosen(settings)
    dataset = audit_data.load(settings)
    split = data_lib.split(
        dataset,
        participants=settings.participants,
        members_per_participant=settings.members_per_participant,
        how=settings.partition,
        alpha=settings.dirichlet_alpha,
        victim=settings.victim,
        attack_train_fraction=settings.attack_train_fraction,
        selection_fraction=settings.selection_fraction,
        seed=settings.seed,
    )
    obstacle = _obstacle(settings, dataset)
    if obstacle is not None:
        return Prepared(dataset, split, None, (obstacle,), names)
    who = seats.seats(
        dataset,
        np.concatenate(split.participants),
        participants=settings.participants,
        target_class=settings.target_class,
        seed=settings.seed,
    )
    return Prepared(dataset, split, who, (), names)


def _obstacle(settings: settings_lib.Settings, dataset: data_lib.Dataset) -> str | None:
    """Why the GAN attack cannot be played, if it cannot."""
    if settings.attacks not in ((), ("all",)):
        return "Reconstruction was not run: attacks on membership were asked for."
    if not dataset.is_image:
        return "Reconstruction was not run: it is an attack on images."
    if min(dataset.x.shape[1:3]) < targets.SMALLEST:
        return "Reconstruction was not run: the images are smaller than 4 x 4."
    if settings.participants < 2:
        return "Reconstruction was not run: it needs two participants."
    return None


def weight(prepared: Prepared) -> float:
    """The sum of the weights of the stages that will be run."""
    run = audit_membership.stages(prepared.names)
    run += tuple(IMAGE_STAGES) if prepared.seats is not None else ()
    return sum(STAGES[stage] for stage in run)


def run(
    settings: settings_lib.Settings,
    prepared: Prepared,
    stages: progress.Stages,
    command: str,
) -> contents.Report:
    """Runs all attacks and gathers what they found.

    Args:
      settings: checked settings.
      prepared: what `prepare` made of them.
      stages: where progress is shown.
      command: how the run was started, for the report.
    """
    begun = results.begin()
    dataset, split, who, notes, names = prepared
    key_members, key_images = jax.random.split(jax.random.key(settings.seed))
    found = audit_membership.attack(
        settings, dataset, split, names, key_members, stages
    )
    told = split.copies_left_out, split.copies_kept
    notes = [*notes, *_cost_of_ascent(found), *copies.notes(*told)]
    rows, null_rows = membership_rows.rows(found.scored, "federated", found.stand_ins)
    images, pictures = {"reconstruction": []}, None
    if who is not None:
        images, pictures = _reconstruction(
            settings, dataset, who, key_images, stages, notes
        )
    held = len(split.participants[0])
    head = results.head(command, settings, dataset, begun, members_per_participant=held)
    result = {
        **head,
        "target": results.accuracies(found.passive.info),
        "evidence": [_evidence(dataset, split, found)],
        "membership": rows,
        "null_checks": null_rows,
        "positive_controls": membership_rows.control_rows(found.controls, "federated"),
        **images,
        # Beside what it says else of the data.
        "data": {**head["data"], **copies.told(*told)},
    }
    result["verdict"] = verdict.verdict(result)
    return _report(settings, prepared, found, pictures, notes, result)


def _report(settings, prepared, found, pictures, notes, result):
    """What the page shows beside the result."""
    dataset, split, *_ = prepared
    return contents.Report(
        result=result,
        settings=results.used_settings(settings, dataset),
        split_counts=[tuple(row) for row in data_lib.counts(split, dataset.y)],
        roc_curves=[
            results.roc_curve(*s.scores[2:], row)
            for s, row in zip(found.scored, result["membership"], strict=True)
            if s.trained is not False
        ],
        gradient_norms=_gradient_norms(settings, found),
        training=results.course(found.passive.info),
        reconstructions=pictures,
        notes=notes,
    )


def _stage(stages, name):
    stages.stage(name, STAGES[name])


def _cost_of_ascent(found):
    """What the active attack does to the model, which its victims could notice."""
    if found.raised is None:
        return []
    runs = found.passive, found.raised
    before, after = (run.info["test_accuracy"][-1] for run in runs)
    return [
        "Under gradient ascent the shared model ends at a test accuracy of "
        f"{text.percent(after)} %, without at {text.percent(before)} %."
    ]


def _evidence(dataset, split, found):
    """What the passive run's records and outputs let any attack see."""
    held = np.concatenate(split.participants)
    where = found.records
    evaluated = [kind.evaluation for kind in (where.members, where.non_members)]
    outputs = np.asarray(found.passive.features.output[-1])[np.concatenate(evaluated)]
    told = evidence.of_target(dataset, held, *split.evaluation[:2], outputs)
    return results.accuracies(found.passive.info) | told


def _gradient_norms(settings, found):
    """What the evaluation records' gradients show at the observed rounds."""
    norm = np.asarray(found.passive.features.norm)
    return contents.GradientNorms(
        np.array(federated_run.observed_rounds(settings)) + 1,
        norm[:, found.records.members.evaluation],
        norm[:, found.records.non_members.evaluation],
        "all layers",
    )


def _reconstruction(settings, dataset, who, key, stages, notes):
    """The GAN attack with and without influence, and what it is compared with.

    Returns what result.json has of it, and what the report shows.
    """
    key_run, key_draw, key_judge = jax.random.split(key, 3)
    gan_settings = settings.collaboration()
    run_once = collaboration.collaborative_run(gan_settings, dataset)
    attacked = {}
    for attack, name, influence in (
        ("gan", "collaborative training with a GAN attacker", 1.0),
        ("gan_no_influence", "the same without influence", 0.0),
    ):
        _stage(stages, name)
        swept = {"influence": influence, "mode_seeking": 0.0}
        attacked[attack] = run_once(who, swept, key_run, stages.advance)
    _stage(stages, "judging the reconstructions")
    held = seats.held(who)
    judged_by = judge.train_judge(dataset, who.judge, held, key_judge, stages.advance)
    notes.append(judge.told([judged_by], len(who.judge)))
    images = reconstruction.reconstruct(
        dataset,
        who,
        {
            "model_inversion": (
                collaboration.model(gan_settings, dataset),
                attacked["gan_no_influence"].params,
            )
        },
        {name: run.generator_params for name, run in attacked.items()},
        key_draw,
    )
    found = {
        "reconstruction": reconstruction.rows(who.target_class, images, judged_by),
        "judge_accuracy": judged_by.accuracy,
        "runs": results.runs(attacked, who.target_class),
    }
    gan = attacked["gan"]
    return found, reconstruction.pictures(
        who.target_class, images, "gan", gan.samples, gan.info["test_accuracy"]
    )
