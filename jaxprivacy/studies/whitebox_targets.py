"""Training what the white-box study attacks, and keeping what its attacker saw."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax

from jaxprivacy import errors, types
from jaxprivacy.attacks import active
from jaxprivacy.data import Dataset
from jaxprivacy.federated import roles, simulate
from jaxprivacy.models import targets, torch_weights
from jaxprivacy.programs import checkpoint as checkpoint_lib, chunks, compilation
from jaxprivacy.studies import attack_training, training, whitebox_settings
from jaxprivacy.training import gradients, local, losses

MEASURED = 5000  # records at most, for the accuracies of every round
DROP = 0.1  # of the learning rate
MOST_STEPS = 2**31 - 1  # Optax counts them in 32 bits.


class Seen(NamedTuple):
    """What an attacker kept of a training run."""

    snapshots: types.Params  # (T, ...)
    rounds: list[int]  # the T rounds, counted from 1; 0 is before the training
    # Per round (R,): train_accuracy, test_accuracy, and loss, the participants' mean.
    info: dict[str, np.ndarray]


class Attacker(NamedTuple):
    """Who attacks a federated run, and how."""

    place: str = "global"
    mode: str = "passive"
    rate: float = 0.0  # gamma of gradient ascent


def model(
    settings: whitebox_settings.WhiteboxSettings, dataset: Dataset
) -> types.Model:
    """The classifier that is trained and attacked."""
    return targets.build(
        training.model_name(settings, dataset),
        dataset.x.shape[1:],
        dataset.num_classes,
        widths=settings.mlp_widths,
        depth=settings.depth,
        growth_rate=settings.growth_rate,
        normalisation=settings.normalisation,
        block=settings.block,
        preprocess=torch_weights.standardise if settings.imports_torch() else None,
    )


# What a trained target depends on, beside its data and its attacker.
TRAINED_WITH = (
    "model",
    "mlp_widths",
    "depth",
    "growth_rate",
    "block",
    "normalisation",
    "local_epochs",
    "optimizer",
    "batch_size",
    "learning_rate",
    "learning_rate_drops",
    "momentum",
    "weight_decay",
)


def optimizer(
    settings: whitebox_settings.WhiteboxSettings, steps_per_round: int
) -> optax.GradientTransformation:
    """SGD with momentum or Adam, the rate divided by ten after the given rounds.

    Weight decay is L2 regularisation, added to the gradient (PAPERS rows B3 to B5).
    """
    rate = settings.learning_rate
    if settings.learning_rate_drops:
        steps = [n * steps_per_round for n in settings.learning_rate_drops]
        drops = {step: DROP for step in steps if step <= MOST_STEPS}
        rate = optax.piecewise_constant_schedule(rate, drops)
    descent = (
        optax.adam(rate)
        if settings.optimizer == "adam"
        else optax.sgd(rate, settings.momentum or None)
    )
    if not settings.weight_decay:
        return descent
    decay = optax.add_decayed_weights(settings.weight_decay, mask=targets.trained)
    return optax.chain(decay, descent)


def participant(
    settings: whitebox_settings.WhiteboxSettings, network: types.Model, records: int
) -> roles.Participant:
    """The honest role of a seat with so many records."""
    steps = -(-records // min(settings.batch_size, records)) * settings.local_epochs
    descent = optimizer(settings, steps)
    train = local.sgd(
        gradients.plain(network),
        descent,
        epochs=settings.local_epochs,
        batch_size=settings.batch_size,
    )
    return roles.honest_participant(train, descent)


class Trainer(NamedTuple):
    """A compiled training run for one attacker; data and rate are arguments."""

    runner: chunks.Runner
    init: types.Model
    rounds: list[int]  # that are kept, counted from 0
    total: int
    learning_rate: float  # for errors
    accuracy: Callable[[types.Params, types.Batch], jax.Array]  # () of one model


class Given(NamedTuple):
    """What a run is given beside its keys: one compilation serves all seeds."""

    data: types.Batch  # (P, N, ...) of all seats
    train: types.Batch  # records whose accuracy is logged
    test: types.Batch
    targets: types.Batch  # records whose loss an active attacker raises
    rate: jax.Array  # ()
    victim: jax.Array  # () the participant whom a global attacker observes


def trainer(
    settings: whitebox_settings.WhiteboxSettings,
    dataset: Dataset,
    attacker: Attacker,
    rounds: Sequence[int],
    *,
    total: int,
    records: int,
) -> Trainer:
    """Builds the training of all seats, as this attacker sees and disturbs it.

    A global attacker is the server and keeps the local model of the victim; a local
    one is the last participant and keeps what the server sends it, which is what all
    made of the round before (PAPERS rows B18, B19).

    Args:
      settings: checked settings.
      dataset: for the shapes.
      attacker: its rate says no more than whether there is ascent.
      rounds: the T rounds that are kept, counted from 0.
      total: how many rounds.
      records: of each seat.
    """
    network = model(settings, dataset)
    honest = participant(settings, network, records)

    def make(given):
        role = honest
        if attacker.place == "local" and attacker.mode == "gradient_ascent":
            role = active.gradient_ascent_participant(
                honest, network, given.targets, given.rate
            )
        last = given.data.y.shape[0] - 1
        groups = [simulate.Group(honest, given.data)]
        if attacker.place == "local":  # Its seat's keys are its own, active or not.
            groups = [
                simulate.Group(honest, jax.tree.map(lambda a: a[:last], given.data)),
                simulate.Group(role, jax.tree.map(lambda a: a[last:], given.data)),
            ]
        is_local = attacker.place == "local"
        return simulate.simulate(
            _server(attacker, network, given),
            groups,
            observed_participant=last if is_local else given.victim,
            observed_rounds=rounds,
            observe=(lambda sent, update: sent) if is_local else roles.add,
            measure=lambda params: {
                "train_accuracy": losses.accuracy(network, params, given.train),
                "test_accuracy": losses.accuracy(network, params, given.test),
            },
        )

    return Trainer(
        chunks.runner(make),
        network,
        list(rounds),
        total,
        settings.learning_rate,
        compilation.compiled(functools.partial(losses.accuracy, network)),
    )


def victim_accuracies(trained: Trainer, given: Given, seen: Seen) -> dict[str, float]:
    """What the victim's own model reaches, as a global attacker saw it last.

    An isolated victim's differs from the shared model, whose accuracies are logged.
    """
    last = jax.tree.map(lambda a: a[-1], seen.snapshots)
    own = jax.tree.map(lambda a: a[given.victim, :MEASURED], given.data)
    return {
        "victim_train_accuracy": float(trained.accuracy(last, own)),
        "victim_test_accuracy": float(trained.accuracy(last, given.test)),
    }


def _server(attacker, network, given):
    """The server's role: honest unless the attacker is the server and active."""

    def ascending():
        return active.gradient_ascent(
            roles.averaging_server(), network, given.targets, given.rate
        )

    server = roles.averaging_server()
    if attacker.place == "local":
        return server
    return {
        "passive": lambda: server,
        "gradient_ascent": ascending,
        "isolating": lambda: active.isolate(
            server, given.victim, roles.averaging_server()
        ),
        "isolating_gradient_ascent": lambda: active.isolate(
            server, given.victim, ascending()
        ),
    }[attacker.mode]()


def give(
    dataset: Dataset,
    shares: Sequence[np.ndarray],
    unheld: np.ndarray,
    targets: np.ndarray,
    rate: float,
    victim: int = 0,
) -> Given:
    """Gathers what a run is given."""
    held = np.concatenate(shares)
    return Given(
        training.stack(dataset, shares),
        training.batch(dataset, held[:: -(-len(held) // MEASURED)]),
        training.batch(dataset, unheld[:: -(-len(unheld) // MEASURED)]),
        training.batch(dataset, targets),
        jnp.float32(rate),
        jnp.int32(victim),
    )


def train(
    trained: Trainer,
    given: Given,
    key: jax.Array,
    advance: attack_training.Advance,
    *,
    params: types.Params | None = None,
    checkpoint: checkpoint_lib.Checkpoint | None = None,
) -> tuple[Seen, types.Params]:
    """Trains and returns what was kept, and the final shared model.

    Args:
      trained: of `trainer`.
      given: of `give`.
      key: of the initial model and of the order of records, the same for every
        attacker: runs differ by what the attacker does.
      advance: told the share done.
      params: the initial model; None: a random one.
      checkpoint: where the run is kept; a complete one is not trained again.

    Raises:
      training.Diverged: the training diverges.
    """
    key_params, key_run = jax.random.split(key)
    if params is None:
        params = compilation.initial(trained.init.init, key_params)
    state, info = chunks.run_rounds(
        trained.runner,
        given,
        tuple(jax.random.split(key_run)),
        params,
        trained.total,
        advance,
        checkpoint,
    )
    training.check_finite(
        state.snapshots, **_at_fault(trained.learning_rate, float(given.rate))
    )
    info = {**info, "loss": info["loss"].mean(axis=1)}
    shared = jax.tree.map(lambda a: a[-1], state.snapshots)
    return Seen(state.snapshots, [r + 1 for r in trained.rounds], info), shared


def check_observed(
    settings: whitebox_settings.WhiteboxSettings, seen: Any, ascent_rate: float = 0.0
) -> None:
    """Checks what a target shows of the attacked records: finite weights can overflow.

    Args:
      settings: how it was trained, or where it comes from.
      seen: features of the records, whose outputs, losses and gradient norms are
        looked at.
      ascent_rate: of an active attacker; 0 where there is none.

    Raises:
      InputError: something is no number; `training.Diverged` of a target trained here.
    """
    shown = seen.loss, seen.output, seen.norm
    if settings.import_target and not training.is_finite(shown):
        raise errors.InputError(
            "import_target",
            settings.import_target,
            found=(
                "its outputs or gradients on the attacked records are no finite numbers"
            ),
            accepted="are weights with which they are",
        )
    training.check_finite(shown, **_at_fault(settings.learning_rate, ascent_rate))


def _at_fault(learning_rate, ascent_rate):
    """Which rate a divergence is put down to."""
    if ascent_rate:
        return {"ascent_rate": ascent_rate}
    return {"learning_rate": learning_rate}
