"""The supervised membership inference attack of paper B."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import optax
from jax import lax

from jaxprivacy import errors, types
from jaxprivacy.attacks import features as features_lib, threshold
from jaxprivacy.models import attack_networks, attack_presets

SCORED_AT_ONCE = 256  # records; bounds the memory that scoring takes

# (features or their source, indices (B,)) -> features of these records
Take = Callable[[Any, jax.Array], features_lib.Features]
# Kept for all records, or computed for those that are taken.
Inputs = features_lib.Features | features_lib.Source


class Examples(NamedTuple):
    """Records whose membership the attacker knows."""

    members: jax.Array  # (M,) indices into the features
    non_members: jax.Array  # (M,)


class State(NamedTuple):
    """An attack in training."""

    params: types.Params
    opt_state: optax.OptState
    # Of the largest AUC on the selection records: of an epoch, or of the start.
    best_params: types.Params
    best_auc: jax.Array  # ()


class Attack(NamedTuple):
    """A supervised attack as pure functions; `epochs` may be called in chunks."""

    # (key, features, examples, selection) -> (state, training loss at the start)
    init: Callable[..., tuple[State, jax.Array]]
    # (key, state, features, examples, selection, epoch numbers (E,)) -> (state, info)
    epochs: Callable[..., tuple[State, dict]]
    # (params, features, indices (B,)) -> (B,) logits of membership
    score: Callable[[types.Params, Inputs, jax.Array], jax.Array]


def squared_error(logits: jax.Array, is_member: jax.Array) -> jax.Array:
    """Mean squared error of the membership probability (PAPERS row B11)."""
    return jnp.mean((jax.nn.sigmoid(logits) - is_member) ** 2)


def count(features: Inputs) -> int:
    """How many records the features are of: N."""
    computed = isinstance(features, features_lib.Source)
    return len(features.y if computed else features.label)


def in_chunks(
    function: Callable[[jax.Array], jax.Array], indices: jax.Array, size: int
) -> jax.Array:
    """Applies a function of indices to so many at a time: (N,) -> (N, ...).

    Args:
      function: (B,) -> (B, ...), each element by its own index alone.
      indices: (N,).
      size: B; the last chunk is filled up with the last index.
    """
    number = len(indices)
    size = min(size, number)
    filled = jnp.pad(indices, (0, -number % size), mode="edge")
    out = lax.map(function, filled.reshape(-1, size))
    return out.reshape(-1, *out.shape[2:])[:number]


def network(
    layers: tuple[types.Layer, ...],
    preset: attack_presets.Preset,
    use_output: bool = True,
    use_loss: bool = True,
    use_label: bool = True,
    hidden: tuple[str, ...] | None = None,
    channels: Mapping[str, int] | None = None,
    norms: tuple[str, ...] | None = None,
) -> attack_networks.AttackNetwork:
    """Builds the network of an attack on some of the features.

    Args:
      layers: those whose gradients are taken.
      preset: sizes and training.
      use_output: whether the output is taken.
      use_loss: whether the loss is.
      use_label: whether the label is, if the preset encodes it.
      hidden: paths of the hidden outputs that are taken; None: all among the features.
      channels: path -> C of the hidden outputs that are images (H, W, C), which the
        features hold flattened. A preset with `image_widths` has components of their
        own for them: kernels over the whole image, for which C is all there is to know.
      norms: names of the gradients whose norms are taken, where there are statistics;
        None: those of `layers`.

    Raises:
      InputError: none of the features is taken.
    """
    label = use_label and preset.encodes_label
    if not (layers or use_output or use_loss or label or hidden or hidden is None):
        raise errors.InputError(
            ("layers", "hidden"),
            ("()", "()"),
            found="nothing is taken",
            accepted=(
                "is at least one of a gradient, a hidden output, the output, the "
                "loss and the label"
            ),
        )
    return attack_networks.AttackNetwork(
        preset,
        tuple(layers),
        use_output,
        use_loss,
        use_label,
        None if hidden is None else tuple(hidden),
        tuple(sorted((channels or {}).items())),
        norms,
    )


def _order(key, indices, length):
    """Shuffles indices, repeated evenly where there are fewer than `length`."""
    repeats = -(-length // len(indices))
    return jax.random.permutation(key, jnp.tile(indices, repeats))[:length]


def supervised(
    layers: tuple[types.Layer, ...],
    preset: attack_presets.Preset = attack_presets.TABLE_XIV,
    *,
    take: Take = features_lib.take,
    at_once: int = SCORED_AT_ONCE,
    **chosen: Any,
) -> Attack:
    """Builds the attack network's training and scoring.

    What the attacker sees: the features (see `features.extract`) of all records, and of
    some records whether they are members. Each batch holds as many members as
    non-members, and an epoch passes over the kind of which there are more, the others
    being repeated (the authors' script stops at the fewer). The epoch, of which the
    untrained start is one, is chosen by the AUC on the selection records, since the
    loss rises with a confidence that does the order no harm (paper B reports the best
    epoch on the evaluation records: not copied).

    Scores are logits: the membership probability, which the paper scores by, ties in
    float32 where the logits do not, near 0.5 as near 1.

    Args:
      layers: those whose gradients are among the features; () is the black-box attack.
      preset: sizes and training.
      take: gathers records of what the attack's functions are given as features:
        `features.take`, or `features.computing_take(...)` of a `Source`.
      at_once: records that are scored together; bounds the memory.
      **chosen: which features are taken, as in `network`: `use_output`, `use_loss`,
        `use_label`, `hidden`, `channels`, `norms`.

    Raises:
      InputError: none of the features is taken.
    """
    made = _Made(
        network(layers, preset, **chosen),
        optax.adam(preset.learning_rate),
        take,
        at_once,
    )

    def init(key, features, examples, selection):
        return _init(made, key, features, examples, selection)

    def epochs(key, state, features, examples, selection, numbers):
        return _epochs(made, key, state, features, examples, selection, numbers)

    def score(params, features, indices):
        return _logits_at(made, params, features, indices)

    return Attack(init, epochs, score)


class _Made(NamedTuple):
    """What all functions of an attack share."""

    module: attack_networks.AttackNetwork
    optimizer: optax.GradientTransformation
    take: Take
    at_once: int


def _logits(made, params, features, key=None):
    """Logits of membership, (B,); with a key, under dropout."""
    return made.module.apply(
        {"params": params},
        features,
        training=key is not None,
        rngs=None if key is None else {"dropout": key},
    )


def _logits_at(made, params, features, indices):
    return in_chunks(
        lambda chunk: _logits(made, params, made.take(features, chunk)),
        indices,
        made.at_once,
    )


def _evaluate(made, params, features, examples):
    """Loss and AUC on records of known membership."""
    values = _logits_at(made, params, features, jnp.concatenate(examples))
    members, others = jnp.split(values, [len(examples.members)])
    # The two kinds weigh the same, however many there are of either.
    loss = (squared_error(members, 1.0) + squared_error(others, 0.0)) / 2
    # A training that diverged is no epoch to choose.
    finite = jnp.isfinite(values).all()
    return loss, jnp.where(finite, threshold.auc(members, others), -1.0)


def _init(made, key, features, examples, selection):
    two = made.take(features, jnp.arange(2))
    params = made.module.init(key, two, training=False)["params"]
    if made.module.preset.anchored:
        params = params | _anchored(made, features, examples)
    _, auc = _evaluate(made, params, features, selection)
    loss, _ = _evaluate(made, params, features, examples)
    return State(params, made.optimizer.init(params), params, auc), loss


def _anchored(made, features, examples):
    """The network's first guess: the simplest rule, fitted to the known records."""

    def rules(indices):
        return made.module.rules(made.take(features, indices))

    values = (in_chunks(rules, indices, made.at_once) for indices in examples)
    return threshold.anchor(*values)._asdict()


def _step(made, features, carry, inputs):
    """One step of Adam on as many members as non-members."""
    params, opt_state = carry
    key, members, non_members = inputs
    batch = made.take(features, jnp.concatenate([members, non_members]))
    is_member = (jnp.arange(2 * len(members)) < len(members)).astype(jnp.float32)
    loss, grads = jax.value_and_grad(
        lambda p: squared_error(_logits(made, p, batch, key), is_member)
    )(params)
    updates, opt_state = made.optimizer.update(grads, opt_state)
    return (optax.apply_updates(params, updates), opt_state), loss


def _batches(key, examples, batch_size):
    """An epoch's keys of dropout (M,), members and non-members (M, B / 2)."""
    key_members, key_others, key_dropout = jax.random.split(key, 3)
    longest = max(map(len, examples))
    half = min(batch_size // 2, longest)
    steps = longest // half
    orders = [
        _order(k, e, steps * half).reshape(steps, half)
        for k, e in zip((key_members, key_others), examples, strict=True)
    ]
    return jax.random.split(key_dropout, steps), *orders


def _epoch(made, key, state, features, examples, selection):
    """Trains for an epoch; keeps its parameters if they order the selection best."""
    (params, opt_state), losses = lax.scan(
        lambda carry, inputs: _step(made, features, carry, inputs),
        (state.params, state.opt_state),
        _batches(key, examples, made.module.preset.batch_size),
    )
    loss, auc = _evaluate(made, params, features, selection)
    best = jax.tree.map(
        lambda new, old: jnp.where(auc > state.best_auc, new, old),
        params,
        state.best_params,
    )
    info = {
        "train_loss": losses.mean(),
        "selection_loss": loss,
        "selection_auc": auc,
    }
    best_auc = jnp.maximum(auc, state.best_auc)
    return State(params, opt_state, best, best_auc), info


def _epochs(made, key, state, features, examples, selection, numbers):
    def one(state, number):
        key_epoch = jax.random.fold_in(key, number)
        return _epoch(made, key_epoch, state, features, examples, selection)

    return lax.scan(one, state, numbers)
