"""The independent judge of reconstructed images."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax

from jaxprivacy import types
from jaxprivacy.data import Dataset
from jaxprivacy.evaluation import neighbours, regions
from jaxprivacy.models import judges, targets
from jaxprivacy.programs import chunks, compilation
from jaxprivacy.report import text
from jaxprivacy.studies import training
from jaxprivacy.targets import layer_capture
from jaxprivacy.training import gradients, local

STEPS, BATCH, CHUNKS = 1500, 64, 10
MOST_EPOCHS = 150  # a few hundred faces are learned long before 1,500 steps
RATE, FEATURES = 1e-3, 64
AT_ONCE = 256  # images judged together
REACH = 0.97  # share of a class's images that are plausible

Advance = Callable[[float], None]


class Seen(NamedTuple):
    """What the judge sees in N images."""

    probabilities: np.ndarray  # (N, K + 1), the last of noise
    features: np.ndarray  # (N, 64) inputs of the last layer
    images: np.ndarray  # (N, H, W, C) themselves


class Judge(NamedTuple):
    """An independent classifier, and where real images of the classes lie.

    In the classifier's feature space, and pixel by pixel.
    """

    look: Callable[[np.ndarray], Seen]  # images (N, H, W, C) ->
    accuracy: float  # on records that it has not learned from
    plausible: np.ndarray  # (K,) probabilities of a class that its images mostly reach
    regions: regions.Regions  # of these records, in its features
    neighbours: neighbours.Neighbours  # of the same, in pixels


def hits(judge: Judge, seen: Seen, target_class: int) -> np.ndarray:
    """Which images are of a class: (N,) bool.

    The judge gives them to the class, or finds it as plausible as of most real images
    of it and takes them for no noise; and they lie within its real images, in the
    judge's features and in pixels: a class has to be named for noise too, and a pattern
    that was found with one network may lie there in the features of another. Each
    condition is one that a known share of real images meets, none of which the judge
    learned from, so that about 92 % of them or more are hits, however hard the classes
    are to tell apart.
    """
    of_class, given = seen.probabilities[:, target_class], seen.probabilities.argmax(1)
    noise = seen.probabilities.shape[1] - 1
    plausible = of_class >= judge.plausible[target_class]
    named = (given == target_class) | (plausible & (given != noise))
    finite = np.isfinite(of_class)
    within = regions.within(judge.regions, seen.features, target_class)
    return (
        named
        & finite
        & within
        & neighbours.near(judge.neighbours, seen.images, target_class)
    )


def told(judges: Sequence[Judge], learned: int) -> str:
    """What a report says of its judges, one a seed.

    Args:
      judges: the judges.
      learned: how many records each was trained on.
    """
    rates = text.span([j.accuracy for j in judges], text.percent)
    who = "judge is" if len(judges) == 1 else "judges, one a seed, are"
    it = "it was" if len(judges) == 1 else "they were"
    return (
        f"The independent {who} right on {rates} % of the participants' records, none "
        f"of which {it} trained on ({learned:,} records were)."
    )


def augment(key: jax.Array, x: jax.Array) -> jax.Array:
    """Shifts images (B, H, W, C) by up to a sixteenth of their size and adds noise.

    Gaussian, of a standard deviation up to 0.3, drawn for each image: texture that
    fools the attacked model must not fool the judge.
    """
    key_shift, key_level, key_noise = jax.random.split(key, 3)
    most = max(1, max(x.shape[1:3]) // 16)
    shifts = jax.random.randint(key_shift, (len(x), 2), -most, most + 1)
    x = jax.vmap(lambda a, s: jnp.roll(a, s, axis=(0, 1)))(x, shifts)
    level = jax.random.uniform(key_level, (len(x), 1, 1, 1), maxval=0.3)
    return x + level * jax.random.normal(key_noise, x.shape)


def noise(key: jax.Array, shape: tuple[int, ...]) -> jax.Array:
    """Draws images (B, H, W, C) of no class: noise about a grey level of each image."""
    key_level, key_spread, key_noise = jax.random.split(key, 3)
    each = (shape[0], 1, 1, 1)
    level = jax.random.uniform(key_level, each, minval=-1.0)
    spread = jax.random.uniform(key_spread, each)
    return jnp.tanh(level + spread * jax.random.normal(key_noise, shape))


def with_noise(key: jax.Array, batch: types.Batch, label: int) -> types.Batch:
    """Adds an eighth as many images of noise to a batch, of a class of their own."""
    count = max(1, len(batch.y) // 8)
    some = jnp.any(batch.mask > 0).astype(batch.mask.dtype)  # none to padding alone
    noisy = types.Batch(
        noise(key, (count, *batch.x.shape[1:])),
        jnp.full(count, label, batch.y.dtype),
        jnp.full(count, some),
    )
    return jax.tree.map(lambda a, b: jnp.concatenate([a, b]), batch, noisy)


def train_judge(
    dataset: Dataset,
    learns: np.ndarray,
    unseen: np.ndarray,
    key: jax.Array,
    advance: Advance,
) -> Judge:
    """Trains a classifier of its own kind on records that no participant holds.

    Noise is one more class, or some class would have to be named for it.

    Args:
      dataset: the data.
      learns: the records it learns from.
      unseen: the participants' records, on which its accuracy is measured and the
        regions of the classes are fitted.
      key: random key.
      advance: told the share done.
    """
    shape = dataset.x.shape[1:]
    module = judges.judge_network(shape, dataset.num_classes + 1, FEATURES)
    model = targets.as_model(module, shape)
    gradient, optimizer = gradients.plain(model), optax.adam(RATE)

    def augmented(key, params, batch):
        key_augment, key_noise = jax.random.split(key)
        batch = batch._replace(x=augment(key_augment, batch.x))
        batch = with_noise(key_noise, batch, dataset.num_classes)
        return gradient(key, params, batch)

    epochs = min(MOST_EPOCHS, STEPS * BATCH // len(learns))
    epochs = max(1, epochs // CHUNKS)
    train = local.sgd(augmented, optimizer, epochs=epochs, batch_size=BATCH)
    key_params, key_train = jax.random.split(key)
    params = compilation.initial(model.init, key_params)
    data = training.batch(dataset, learns)

    @compilation.compiled
    def step(learned, data, chunk):
        key = jax.random.fold_in(key_train, chunk[0])
        *learned, loss = train(key, *learned, data)
        return tuple(learned), loss[None]

    (params, _), _ = chunks.run(
        lambda learned, chunk: step(learned, data, chunk),
        (params, optimizer.init(params)),
        CHUNKS,
        length=1,
        advance=advance,
    )
    look = _looking(model, params)
    return _measured(look, dataset, unseen)


def _measured(look: Callable, dataset: Dataset, unseen: np.ndarray) -> Judge:
    """The judge, with what records that it has not learned from say of it."""
    seen, labels = look(dataset.x[unseen]), dataset.y[unseen]
    right = seen.probabilities.argmax(axis=1) == labels
    of_class = seen.probabilities[np.arange(len(labels)), labels]
    counts = np.bincount(labels, minlength=dataset.num_classes)
    return Judge(
        look,
        float(right.mean()),
        regions.quantiles(of_class, labels, counts, 1 - REACH),
        regions.fit(seen.features, labels, dataset.num_classes),
        neighbours.fit(seen.images, labels, dataset.num_classes),
    )


def _looking(model: types.Model, params: types.Params):
    """Returns images -> (probabilities, inputs of the last layer), in batches."""

    @compilation.compiled
    def look(params, x):
        logits, hidden = layer_capture.inputs(model.apply, params, x)
        return jax.nn.softmax(logits), list(hidden.values())[-1]

    def in_batches(images):
        look_at = functools.partial(look, params)
        seen = compilation.in_batches(look_at, images, AT_ONCE, filled=True)
        return Seen(*seen, images)

    return in_batches
