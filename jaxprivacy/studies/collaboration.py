"""Collaborative training under the GAN attack (paper A) as one compiled program.

`program` builds it from the settings that are static; what may differ between the runs
of a sweep is an argument: who holds which records, the target class, and every number
of `SWEPT`. Records are an argument too, so nothing is compiled anew for another seed.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax

from jaxprivacy import types
from jaxprivacy.attacks import gan
from jaxprivacy.data import Dataset
from jaxprivacy.federated import dssgd, roles, simulate
from jaxprivacy.models import generators
from jaxprivacy.programs import chunks, compilation
from jaxprivacy.studies import (
    defended_federation,
    seats as seats_lib,
    settings as settings_lib,
    training,
)
from jaxprivacy.training import gradients, local, losses

SWEPT = (
    "learning_rate",
    "upload_fraction",
    "download_fraction",
    "epsilon_per_parameter",
    "gradient_bound",
    "target_class",
    "influence",
    "generator_learning_rate",
    "mode_seeking",
)
Advance = Callable[[float], None]

# The code that a run's numbers depend on, of one run as of a sweep: what is kept of a
# run is used again where only what judges it has changed.
TRAINED_BY = (
    "errors.py",
    "types.py",
    "attacks/gan.py",
    "data/partitions.py",
    "data/stratify.py",
    "defenses",
    "studies/collaboration.py",
    "studies/defended_federation.py",
    "studies/defended_training.py",
    "studies/seats.py",
    "studies/sweep.py",
    "studies/training.py",
    "federated",
    "models/convolution.py",
    "models/generators.py",
    "models/targets.py",
    "programs/chunks.py",
    "programs/compilation.py",
    "programs/placement.py",
    "training",
)

RUNS = ("gan", "gan_no_influence", "gan_improved")  # rows, each a run
BOUND = 1e-3  # gamma under privacy, unless it is set (PAPERS row A6)


def swept(settings: settings_lib.GanSettings, row: str) -> dict[str, float]:
    """What the runs of collaborative training differ in."""
    return {
        "influence": float(row != "gan_no_influence"),
        "mode_seeking": settings.mode_seeking if row == "gan_improved" else 0.0,
    }


def keys(seed: int | jax.Array) -> jax.Array:
    """The keys of the runs, the judge, the DCGAN and the samples, (4,)."""
    return jax.random.split(jax.random.key(seed), 4)


class Table(NamedTuple):
    """All records, which the runs of a sweep share."""

    x: jax.Array  # (N, *D) float32
    y: jax.Array  # (N,) int32


class Holdings(NamedTuple):
    """Who holds which records, as indices into the table; -1 stands for none."""

    honest: np.ndarray  # (P - 1, H) int32
    adversary: np.ndarray  # (1, A) int32
    train: np.ndarray  # (M,) int32, some of those, and
    test: np.ndarray  # (M',) int32, some of nobody's: measured on after each round


class Arguments(NamedTuple):
    """What differs between the runs of a sweep; stacked over them there."""

    holdings: Holdings
    swept: dict[str, jax.Array]  # some of `SWEPT`, each ()
    seed: jax.Array | int = 0  # of what a defense draws, () uint32


def padded(shares: Sequence[np.ndarray], length: int | None = None) -> np.ndarray:
    """Stacks index arrays (P, N), filled up with -1; each has at least one place."""
    length = length or max(1, *(len(share) for share in shares))
    return np.stack(
        [
            np.pad(share, (0, length - len(share)), constant_values=-1)
            for share in shares
        ]
    ).astype(np.int32)


def gather(table: Table, indices: jax.Array) -> types.Batch:
    """Gathers records (*I, *D); an index of -1 gives padding."""
    x, y = (jnp.take(a, jnp.maximum(indices, 0), axis=0) for a in table)
    return types.Batch(x, y, (indices >= 0).astype(jnp.float32))


@functools.cache  # So that what is jitted with it is compiled once.
def linen_generator(image_shape: tuple[int, ...]) -> gan.Generator:
    """Paper A's generator for the image size, as pure functions."""
    module = generators.generator(image_shape)

    def init(key):
        return module.init(key, jnp.zeros((2, generators.NOISE_SIZE)))["params"]

    return gan.Generator(init, lambda params, z: module.apply({"params": params}, z))


def model(settings: settings_lib.GanSettings, dataset: Dataset) -> types.Model:
    """The shared model, with an output for the artificial class."""
    return training.target_model(settings, dataset, dataset.num_classes + 1)


def honest(
    settings: settings_lib.GanSettings, model: types.Model, rate
) -> roles.Participant:
    """The role that trains as agreed: local epochs of SGD with a decaying rate.

    The rate of step t is rate / (1 + decay t), as in Torch's optim.sgd (row A12).
    """
    decay = settings.learning_rate_decay
    schedule = (lambda t: rate / (1 + decay * t)) if decay else rate
    optimizer = optax.sgd(schedule, settings.momentum or None)
    train = local.sgd(
        gradients.plain(model),
        optimizer,
        epochs=settings.local_epochs,
        batch_size=settings.batch_size,
    )
    return roles.honest_participant(train, optimizer)


def upload(settings: settings_lib.GanSettings, value) -> dssgd.Upload:
    """What leaves a participant: the largest, a random set, or the private release."""
    fraction, gamma = value("upload_fraction"), value("gradient_bound")
    epsilon = value("epsilon_per_parameter")
    if epsilon is not None:
        gamma = BOUND if gamma is None else gamma
        return dssgd.upload_sparse_vector(
            fraction, settings.threshold, gamma, epsilon, settings.clip_first
        )
    if settings.upload_rule == "random":
        return dssgd.upload_random(fraction, settings.threshold, gamma)
    return dssgd.upload_largest(fraction, gamma)


def generator_optimizer(
    settings: settings_lib.GanSettings, rate
) -> optax.GradientTransformation:
    """The generator's: SGD as in paper A, or DCGAN's Adam (row A14)."""
    if settings.generator_optimizer == "adam":
        return optax.adam(rate, b1=0.5)
    return optax.sgd(rate)


def simulation(
    settings: settings_lib.GanSettings,
    dataset: Dataset,
    table: Table,
    arguments: Arguments,
    logged_samples: int,
    defended: defended_federation.Defended | None = None,
) -> simulate.Simulation:
    """The rounds of one run; in round-robin order the adversary is last.

    A `defended` federation takes the place of paper A's parameter server: all train at
    once, and the server takes the mean.
    """

    def value(name):
        return arguments.swept.get(name, getattr(settings, name))

    shared = model(settings, dataset)
    trainer = honest(settings, shared, value("learning_rate"))
    adversary = gan.gan(
        trainer,
        shared,
        linen_generator(dataset.x.shape[1:]),
        generator_optimizer(settings, value("generator_learning_rate")),
        target_class=value("target_class"),
        fake_class=dataset.num_classes,
        generator_steps=settings.generator_steps,
        generator_batch=settings.generator_batch,
        injected=settings.injected,
        influence=jnp.asarray(value("influence"), jnp.float32),
        start_round=settings.start_round,
        start_accuracy=settings.start_accuracy,
        loss=gan.objective(value("mode_seeking")),
        logged_samples=logged_samples,
    )
    who = arguments.holdings
    if defended is None:
        leaves = upload(settings, value)
        seats = defended_federation.Seats(
            dssgd.parameter_server(value("download_fraction")),
            dssgd.participant(trainer, leaves),
            dssgd.participant(adversary, leaves),
        )
    else:
        seats = defended.defend(jax.random.key(arguments.seed), trainer, adversary)
    return simulate.simulate(
        seats.server,
        [
            simulate.Group(seats.honest, gather(table, who.honest)),
            simulate.Group(seats.adversary, gather(table, who.adversary)),
        ],
        order=settings.order if defended is None else "parallel",
        measure=_measure(shared, dataset.num_classes, table, who),
    )


def _measure(shared, count, table, who):
    """What is logged of the shared model after each round."""
    # Without the artificial class, which the adversary teaches everyone.
    classes = types.Model(shared.init, lambda w, x: shared.apply(w, x)[:, :count])
    train, test = gather(table, who.train), gather(table, who.test)

    def measure(params):
        found = losses.accuracies([shared, classes], params, test)
        return {
            "train_accuracy": losses.accuracy(shared, params, train),
            "test_accuracy": found[0],
            "class_accuracy": found[1],
        }

    return measure


def left(
    state: simulate.State, defended: defended_federation.Defended | None = None
) -> tuple[types.Params, gan.State]:
    """The shared model and the adversaries (1, ...) at the end of a run.

    Args:
      state: of `simulation`.
      defended: what that was given.
    """
    _, adversary = state.participants
    if defended is None:
        return state.server.params, adversary.inner
    return defended.shared(state.server), adversary


class Attacked(NamedTuple):
    """What a collaborative run under attack left behind."""

    params: types.Params  # the shared model at the end
    generator_params: types.Params
    samples: np.ndarray  # (R, S, *D) of each round
    info: dict[str, np.ndarray]  # what else was logged of each round


# (seats, swept settings, key, advance, checkpoint=None) -> what the run left behind
Run = Callable[..., Attacked]


def holdings(who: seats_lib.Seats, seed: int) -> Holdings:
    """The seats as index arrays."""
    train, test = seats_lib.measured(who, seed)
    return Holdings(
        padded(who.honest),
        padded([who.adversary]),
        train.astype(np.int32),
        test.astype(np.int32),
    )


def collaborative_run(
    settings: settings_lib.GanSettings, dataset: Dataset, logged_samples: int = 64
) -> Run:
    """Builds collaborative training with one GAN attacker (paper A, Algorithm 1).

    Returns:
      (seats, swept settings, key, advance, checkpoint=None) -> what the run left
      behind; compiled once for seats of the same sizes.
    """
    table = Table(jnp.asarray(dataset.x), jnp.asarray(dataset.y))
    compiled = chunks.runner(
        lambda swept: simulation(settings, dataset, *swept, logged_samples)
    )
    shared = model(settings, dataset)

    def run(who, swept, key, advance, checkpoint=None):
        # An argument too, so that another class compiles nothing.
        numbers = {"target_class": np.int32(who.target_class), **swept}
        key_params, key_run = jax.random.split(key)
        state, info = chunks.run_rounds(
            compiled,
            (table, Arguments(holdings(who, settings.seed), numbers)),
            tuple(jax.random.split(key_run)),
            compilation.initial(shared.init, key_params),
            settings.rounds,
            advance,
            checkpoint,
        )
        params, adversary = left(state)
        check_finite(settings, (info, params, adversary.params), swept)
        samples = info.pop("samples")[:, 0]
        first = jax.tree.map(lambda a: a[0], adversary.params)
        return Attacked(params, first, samples, info)

    return run


def check_finite(settings: settings_lib.GanSettings, left: Any, swept: dict) -> None:
    """Checks what a collaborative run left behind.

    Args:
      settings: of the run.
      left: a tree of arrays.
      swept: what the run has in the place of the settings.

    Raises:
      training.Diverged: naming the rates of the run.
    """
    names = ("learning_rate", "generator_learning_rate")
    rates = {name: float(swept.get(name, getattr(settings, name))) for name in names}
    training.check_finite(left, **rates)
