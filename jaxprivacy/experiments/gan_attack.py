"""The study of paper A: one class reconstructed, beside all it is compared with."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from contextlib import AbstractContextManager
from typing import NamedTuple

import jax
import numpy as np

from jaxprivacy import checks
from jaxprivacy import data as data_lib
from jaxprivacy.attacks import dcgan
from jaxprivacy.data import stratify
from jaxprivacy.evaluation import reconstruction as evaluation
from jaxprivacy.evaluation.intervals import clopper_pearson
from jaxprivacy.experiments import (
    bounds,
    checkpoint,
    collaboration,
    evidence,
    judge,
    provenance,
    reconstruction,
    results,
    training,
)
from jaxprivacy.experiments import seats as seats_lib
from jaxprivacy.experiments.settings import GanSettings, check_gan
from jaxprivacy.federated import sparse_vector
from jaxprivacy.models import targets
from jaxprivacy.report import contents, text, verdict
from jaxprivacy.report.progress import Stages

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


def prepare(settings: GanSettings) -> Prepared:
    """Checks the settings, loads the data and deals the seats.

    Raises:
      InputError: what the settings ask for cannot be had.
    """
    check_gan(settings)
    dataset = data_lib.load(settings.data, records=settings.records, seed=settings.seed)
    return prepare_seats(settings, dataset)


def prepare_seats(settings: GanSettings, dataset: data_lib.Dataset) -> Prepared:
    """Draws what the participants hold together, and deals it."""
    if not dataset.is_image:
        raise checks.InputError(f"--data={settings.data}: accepted are images")
    if min(dataset.x.shape[1:3]) < targets.SMALLEST:
        raise checks.InputError(
            f"--data={settings.data}: the images are smaller than "
            f"{targets.SMALLEST} x {targets.SMALLEST}; accepted are larger ones"
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
        raise checks.InputError(
            f"--compare=dcgan: the victim holds {len(who.private)} image of class "
            f"{who.target_class}; accepted are 2 or more, or --compare without dcgan"
        )
    return Prepared(dataset, held, who)


def stages_of(settings: GanSettings) -> list[str]:
    """The stages that will be run."""
    first = "gan" if settings.influence else "gan_no_influence"
    # The DCGAN trains until the judge finds it no nearer.
    late = {"dcgan"} | (set() if settings.influence else {"gan_improved"})
    others = [name for name in settings.compare if name in NAMES and name not in late]
    dcgan = ["dcgan"] * ("dcgan" in settings.compare)
    return [*dict.fromkeys([first, *others]), "judge", *dcgan, "reconstruct"]


def weight(settings: GanSettings) -> float:
    """The sum of the weights of the stages that will be run."""
    return sum(WEIGHTS.get(name, 1.0) for name in stages_of(settings))


def checkpoints(
    settings: GanSettings, prepared: Prepared, folder: str
) -> AbstractContextManager[checkpoint.Checkpoints]:
    """Opens the folder that keeps the runs of this study; see `checkpoint.study`."""
    code = {"code": provenance.code(collaboration.TRAINED_BY)}
    data = {"content_of_data": checkpoint.fingerprint(prepared.dataset)}
    return checkpoint.study(folder, vars(settings) | data | training.versions() | code)


def run(
    settings: GanSettings,
    prepared: Prepared,
    stages: Stages,
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

    def stage(name):
        stages.stage(NAMES[name], WEIGHTS.get(name, 1.0))

    names = stages_of(settings)
    once = collaboration.collaborative_run(settings, dataset)
    attacked = {}
    for name in (name for name in names if name in collaboration.RUNS):
        stage(name)
        differs = collaboration.swept(settings, name)
        attacked[name] = once(who, differs, key_run, stages.advance, kept(name))
    undisturbed = attacked.get("gan_no_influence", next(iter(attacked.values())))
    inverted = {}
    if "model_inversion" in settings.compare:
        shared = collaboration.model(settings, dataset)
        inverted["model_inversion"] = shared, undisturbed.params
    if "model_inversion_mlp" in names:
        stage("model_inversion_mlp")
        trained = mlp_run(settings, dataset)
        inverted["model_inversion_mlp"] = trained(
            who, key_run, stages.advance, kept("model_inversion_mlp")
        )
    generators = {name: run.generator_params for name, run in attacked.items()}
    stage("judge")
    judged_by = judge.train_judge(dataset, who.judge, held, key_judge, stages.advance)
    bound = None
    if "dcgan" in names:
        stage("dcgan")
        private = dataset.x[who.private]
        [bound] = dcgans(settings, [private], [key_dcgan], [judged_by], stages.advance)
        generators["dcgan"] = bound.generator
    stage("reconstruct")
    images = reconstruction.reconstruct(dataset, who, inverted, generators, key_draw)
    rows = reconstruction.rows(who.target_class, images, judged_by)
    courses = [
        course(name, run, who.target_class, judged_by, images.private)
        for name, run in attacked.items()
    ]
    main = next(iter(attacked))
    privacy = account(settings, dataset)
    result = {
        **results.head(command, settings, dataset, begun),
        "target": results.accuracies(attacked[main].info),
        "evidence": [
            results.accuracies(attacked[main].info)
            | evidence.of_training(dataset.y[seats_lib.measured(who, settings.seed)[0]])
        ],
        "membership": [],
        "reconstruction": rows,
        "judge_accuracy": judged_by.accuracy,
        "runs": results.runs(attacked, who.target_class),
        "dcgan": [bound_row(bound)] if bound else [],
        "privacy": privacy and privacy._asdict(),
        "courses": [course_row(c) for c in courses],
    }
    result["verdict"] = verdict.verdict(result)
    return contents.Report(
        result=result,
        settings=results.used_settings(settings, dataset),
        split_counts=_counts(dataset, who),
        roc_curves=[],
        gradient_norms=None,
        training=results.course(attacked[main].info),
        reconstructions=reconstruction.pictures(
            who.target_class,
            images,
            main,
            attacked[main].samples,
            attacked[main].info["test_accuracy"],
        ),
        notes=_notes(settings, who, judged_by, attacked[main]),
        courses=courses,
    )


def account(
    settings: GanSettings, dataset: data_lib.Dataset, epsilon: float | None = None
) -> contents.Privacy | None:
    """What a participant's uploads spend over the run; None without privacy.

    Args:
      settings: the settings.
      dataset: the data.
      epsilon: per parameter; the settings' own if None.
    """
    epsilon = settings.epsilon_per_parameter if epsilon is None else epsilon
    if epsilon is None:
        return None
    shapes = jax.eval_shape(
        collaboration.model(settings, dataset).init, jax.random.key(0)
    )
    parameters = sum(leaf.size for leaf in jax.tree.leaves(shapes))
    spent = sparse_vector.account(
        epsilon,
        parameters,
        settings.upload_fraction,
        settings.rounds,
    )
    return contents.Privacy(**spent._asdict(), clip_first=settings.clip_first)


def mlp_settings(settings: GanSettings) -> GanSettings:
    """The settings of the run that trains an mlp, which nobody attacks."""
    return dataclasses.replace(
        settings, model="mlp", start_round=settings.rounds, start_accuracy=0.0
    )


def mlp_run(settings: GanSettings, dataset: data_lib.Dataset):
    """An mlp trained in the same way without attacker: where inversion works.

    Returns:
      (seats, key, advance, checkpoint=None) -> the model and its parameters.
    """
    settings = mlp_settings(settings)
    trained = collaboration.collaborative_run(settings, dataset, logged_samples=2)
    model = collaboration.model(settings, dataset)

    def run(who, key, advance=lambda share: None, checkpoint=None):
        differs = collaboration.swept(settings, "gan_no_influence")
        run = trained(who, differs, key, advance, checkpoint)
        return model, run.params

    return run


def plain_dcgan(settings: GanSettings, shape: tuple[int, ...]) -> dcgan.Dcgan:
    """The DCGAN for images of a shape, with the attack's networks and batches."""
    return dcgan.dcgan(
        collaboration.linen_generator(shape),
        targets.as_model(targets.classifier(shape, 1), shape),
        batch_size=settings.generator_batch,
    )


def dcgans(
    settings: GanSettings,
    images: Sequence[np.ndarray],
    keys: Sequence[jax.Array],
    judges: Sequence[judge.Judge],
    advance,
) -> list[bounds.Bound]:
    """DCGANs on the victims' images of some runs, each until it stops improving."""
    shape = images[0].shape[1:]
    of_images = [j.look(x).features for j, x in zip(judges, images, strict=True)]

    def distance(run, samples):
        features = judges[run].look(samples).features
        return evaluation.frechet_distance(features, of_images[run])

    return bounds.train(
        plain_dcgan(settings, shape),
        collaboration.linen_generator(shape),
        images,
        keys,
        distance,
        most=settings.dcgan_steps,
        advance=advance,
    )


def course(
    attack: str,
    run: collaboration.Attacked,
    target_class: int,
    judged_by: judge.Judge,
    private: np.ndarray,
) -> contents.Course:
    """Judges the samples of every round."""
    rounds, count = run.samples.shape[:2]
    seen = judged_by.look(run.samples.reshape(-1, *run.samples.shape[2:]))
    hits = judge.hits(judged_by, seen, target_class).reshape(rounds, count)
    features = seen.features.reshape(rounds, count, -1)
    of_private = judged_by.look(private).features
    begun = np.flatnonzero(run.info["started"])
    enough = min(count, len(private)) > 1
    return contents.Course(
        attack=attack,
        rounds=np.arange(rounds) + 1,
        accuracy=run.info["test_accuracy"],
        hit_rate=np.array([clopper_pearson(int(h), count) for h in hits.sum(axis=1)]),
        frechet=np.array(
            [
                evaluation.frechet_distance(of_round, of_private) if enough else np.nan
                for of_round in features
            ]
        ),
        start_round=int(begun[0]) + 1 if len(begun) else rounds,
        **uploads(run),
    )


def uploads(run: collaboration.Attacked) -> dict[str, np.ndarray | None]:
    """What was logged of uploads, (R,): the means over the participants, or None."""
    logged = {name: run.info.get(name) for name in ("clipped", "cosine")}
    return {n: None if v is None else v.mean(axis=1) for n, v in logged.items()}


def bound_row(bound: bounds.Bound) -> dict:
    """How a DCGAN came to its best, in result.json."""
    return {
        "steps": bound.steps,
        "stopped": bound.stopped,
        "frechets": bound.distances,
    }


def course_row(course: contents.Course) -> dict:
    """A course as result.json has it."""
    names = ("value", "low", "high")
    hit_rate = [dict(zip(names, row, strict=True)) for row in course.hit_rate]
    return course._asdict() | {"hit_rate": hit_rate}


def _counts(dataset, who):
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
            "The attack never began: of the rounds after --start_round="
            f"{settings.start_round}, none began with a shared model that is right on "
            f"--start_accuracy={settings.start_accuracy} of the adversary's records."
        )
    return notes
