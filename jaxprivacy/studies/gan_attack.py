"""The study of paper A: one class reconstructed, beside all it is compared with."""

from __future__ import annotations

from contextlib import AbstractContextManager
from typing import NamedTuple

import numpy as np

from jaxprivacy import data as data_lib, errors
from jaxprivacy.data import stratify
from jaxprivacy.models import targets
from jaxprivacy.programs import checkpoint
from jaxprivacy.report import contents, progress, text, verdict
from jaxprivacy.studies import (
    accounting,
    collaboration,
    courses,
    evidence,
    gan_baselines,
    judge,
    reconstruction,
    results,
    seats as seats_lib,
    settings as settings_lib,
)

NAMES = {
    "gan": "collaborative training with a GAN attacker",
    "gan_no_influence": "the same without influence",
    "gan_improved": "the same with an attacker that goes beyond the paper",
    "model_inversion_mlp": "the same with an mlp and without attacker",
    "judge": "training the judge",
    "dcgan": "a DCGAN on the victim's images",
    "reconstruct": "judging the reconstructions",
}
# Weights on the progress bar, relative to a collaborative run.
WEIGHTS = {"model_inversion_mlp": 0.3, "dcgan": 0.6, "judge": 0.3, "reconstruct": 0.2}


class Prepared(NamedTuple):
    """What is settled before anything is trained."""

    dataset: data_lib.Dataset
    held: np.ndarray
    seats: seats_lib.Seats


def prepare(settings: settings_lib.GanSettings) -> Prepared:
    """Checks the settings, loads the data and deals the seats.

    Raises:
      InputError: what the settings ask for cannot be had.
    """
    settings_lib.check_gan(settings)
    dataset = data_lib.load(settings.data, records=settings.records, seed=settings.seed)
    return prepare_seats(settings, dataset)


def prepare_seats(
    settings: settings_lib.GanSettings, dataset: data_lib.Dataset
) -> Prepared:
    """Draws what the participants hold together, and deals it."""
    if not dataset.is_image:
        raise errors.InputError("data", settings.data, "are images")
    if min(dataset.x.shape[1:3]) < targets.SMALLEST:
        raise errors.InputError(
            "data",
            settings.data,
            found=(
                f"the images are smaller than {targets.SMALLEST} x {targets.SMALLEST}"
            ),
            accepted="are larger ones",
        )
    rng = np.random.default_rng(settings.seed)
    count = round(settings.held_fraction * len(dataset.y))
    held = stratify.draw(dataset.y, count, rng)
    who = seats_lib.seats(
        dataset,
        held,
        participants=settings.participants,
        target_class=settings.target_class,
        adversary_data=settings.adversary_data,
        seed=settings.seed,
    )
    if "dcgan" in settings.compare and len(who.private) < 2:
        raise errors.InputError(
            "compare",
            "dcgan",
            found=(
                f"the victim holds {len(who.private)} image of class {who.target_class}"
            ),
            accepted="are 2 or more, or `compare` without dcgan",
        )
    return Prepared(dataset, held, who)


def stages_of(settings: settings_lib.GanSettings) -> list[str]:
    """The stages that will be run."""
    first = "gan" if settings.influence else "gan_no_influence"
    # The DCGAN trains until the judge finds it no nearer.
    late = {"dcgan"} | (set() if settings.influence else {"gan_improved"})
    others = [name for name in settings.compare if name in NAMES and name not in late]
    dcgan = ["dcgan"] * ("dcgan" in settings.compare)
    return [*dict.fromkeys([first, *others]), "judge", *dcgan, "reconstruct"]


def weight(settings: settings_lib.GanSettings) -> float:
    """The sum of the weights of the stages that will be run."""
    return sum(WEIGHTS.get(name, 1.0) for name in stages_of(settings))


def checkpoints(
    settings: settings_lib.GanSettings, prepared: Prepared, folder: str
) -> AbstractContextManager[checkpoint.Checkpoints]:
    """Opens the folder that keeps the runs of this study; see `checkpoint.study`."""
    modules = collaboration.TRAINED_BY
    identity = results.identity(vars(settings), prepared.dataset, modules)
    return checkpoint.study(folder, identity)


def run(
    settings: settings_lib.GanSettings,
    prepared: Prepared,
    stages: progress.Stages,
    command: str,
    kept: checkpoint.Checkpoints = checkpoint.nowhere,
) -> contents.Report:
    """Runs the attack and everything it is compared with.

    Args:
      settings: checked settings.
      prepared: what `prepare` made of them.
      stages: where progress is shown.
      command: how the run was started, for the report.
      kept: where the runs of collaborative training are kept; what is short is
        computed anew.
    """
    begun = results.begin()
    dataset, held, who = prepared
    key_run, key_judge, key_dcgan, key_draw = collaboration.keys(settings.seed)
    attacked = _attacked(settings, dataset, who, key_run, stages, kept)
    inverted = _inverted(settings, dataset, who, attacked, key_run, stages, kept)
    generators = {name: run.generator_params for name, run in attacked.items()}
    _stage(stages, "judge")
    judged_by = judge.train_judge(dataset, who.judge, held, key_judge, stages.advance)
    bound = None
    if "dcgan" in settings.compare:
        _stage(stages, "dcgan")
        private = dataset.x[who.private]
        [bound] = gan_baselines.dcgans(
            settings, [private], [key_dcgan], [judged_by], stages.advance
        )
        generators["dcgan"] = bound.generator
    _stage(stages, "reconstruct")
    images = reconstruction.reconstruct(dataset, who, inverted, generators, key_draw)
    told = _told(settings, prepared, attacked, judged_by, bound, images)
    result = {**results.head(command, settings, dataset, begun), **told}
    return _report(settings, prepared, attacked, judged_by, images, result)


def _stage(stages, name):
    stages.stage(NAMES[name], WEIGHTS.get(name, 1.0))


def _attacked(settings, dataset, who, key, stages, kept):
    """Collaborative training under each attack, by the names of their rows."""
    once = collaboration.collaborative_run(settings, dataset)
    attacked = {}
    for name in (n for n in stages_of(settings) if n in collaboration.RUNS):
        _stage(stages, name)
        differs = collaboration.swept(settings, name)
        attacked[name] = once(who, differs, key, stages.advance, kept(name))
    return attacked


def _inverted(settings, dataset, who, attacked, key, stages, kept):
    """The models that are inverted, with their parameters, by the rows' names."""
    inverted = {}
    if "model_inversion" in settings.compare:
        undisturbed = attacked.get("gan_no_influence", next(iter(attacked.values())))
        shared = collaboration.model(settings, dataset)
        inverted["model_inversion"] = shared, undisturbed.params
    name = "model_inversion_mlp"
    if name in settings.compare:
        _stage(stages, name)
        trained = gan_baselines.mlp_run(settings, dataset)
        inverted[name] = trained(who, key, stages.advance, kept(name))
    return inverted


def _told(settings, prepared, attacked, judged_by, bound, images):
    """What result.json tells of what was found."""
    dataset, _, who = prepared
    main = next(iter(attacked.values()))
    trained_on = dataset.y[seats_lib.measured(who, settings.seed)[0]]
    privacy = accounting.account(settings, dataset)
    return {
        "target": results.accuracies(main.info),
        "evidence": [results.accuracies(main.info) | evidence.of_training(trained_on)],
        "membership": [],
        "reconstruction": reconstruction.rows(who.target_class, images, judged_by),
        "judge_accuracy": judged_by.accuracy,
        "runs": results.runs(attacked, who.target_class),
        "dcgan": [gan_baselines.bound_row(bound)] if bound else [],
        "privacy": privacy and privacy._asdict(),
    }


def _report(settings, prepared, attacked, judged_by, images, result):
    """The report, with the verdict on what was found and the course of each run."""
    dataset, _, who = prepared
    of_runs = [
        courses.course(name, run, who.target_class, judged_by, images.private)
        for name, run in attacked.items()
    ]
    result["courses"] = [courses.course_row(course) for course in of_runs]
    result["verdict"] = verdict.verdict(result)
    main, run = next(iter(attacked.items()))
    accuracy = run.info["test_accuracy"]
    return contents.Report(
        result=result,
        settings=results.used_settings(settings, dataset),
        split_counts=counts(dataset, who),
        training=results.course(run.info),
        reconstructions=reconstruction.pictures(
            who.target_class, images, main, run.samples, accuracy
        ),
        notes=_notes(settings, who, judged_by, run),
        courses=of_runs,
    )


def counts(dataset: data_lib.Dataset, who: seats_lib.Seats) -> list[tuple]:
    """Who holds how many records, as `contents.Report` takes it."""
    classes = sorted({len(np.unique(dataset.y[share])) for share in who.honest})
    each = " or ".join(map(str, classes))
    sizes = sum(len(share) for share in who.honest)
    many = f"{len(who.honest)} participant{'s' * (len(who.honest) > 1)}"
    return [
        (
            "honest",
            sizes,
            f"held by {many}, {each} classes each",
        ),
        ("adversary", len(who.adversary), "held by the adversary"),
        ("private", len(who.private), f"of class {who.target_class}, the target"),
        ("judge", len(who.judge), "held by nobody; the judge is trained on them"),
        ("real", len(who.real), "of the target class, held by nobody: the row real"),
    ]


def _notes(settings, who, judged_by, run):
    notes = [judge.told([judged_by], len(who.judge))]
    ended, of_classes = (
        text.percent(run.info[name][-1]) for name in ("test_accuracy", "class_accuracy")
    )
    notes.append(
        f"The shared model ends at a test accuracy of {ended} %; what it takes for the "
        "artificial class counts as wrong. Among the real classes alone it is right on "
        f"{of_classes} %."
    )
    if not run.info["started"].any():
        notes.append(
            errors.called(
                "The attack never began: of the rounds after `start_round`="
                f"{settings.start_round}, none began with a shared model that is right "
                f"on `start_accuracy`={settings.start_accuracy} of the adversary's "
                "records."
            )
        )
    return notes
