"""Reconstruction by a dishonest participant (paper A), judged and shown."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax

from jaxprivacy import checks, types
from jaxprivacy.attacks import gan, inversion
from jaxprivacy.data import Dataset, Split, partition
from jaxprivacy.evaluation import reconstruction
from jaxprivacy.experiments import training
from jaxprivacy.experiments.settings import Settings
from jaxprivacy.federated import roles, simulate
from jaxprivacy.models import generators, interception, targets
from jaxprivacy.training import gradients, local, losses

Advance = Callable[[float], None]

SAMPLES = 200  # of each attack, judged
SHOWN = 10  # of each attack, in the pictures
SHOWN_ROUNDS = 8
JUDGE_STEPS, JUDGE_BATCH = 1500, 64


class Seats(NamedTuple):
    """Who holds which records, by class; the adversary is the last participant."""

    honest: tuple[np.ndarray, ...]
    adversary: np.ndarray
    private: np.ndarray  # the honest participants' records of the target class
    real: np.ndarray  # of the class, held by nobody: the row `real`
    public: np.ndarray  # of the class, held by nobody: the nearest public images
    judge: np.ndarray  # held by nobody, without `real`: the judge learns from them


def seats(settings: Settings, dataset: Dataset, split: Split) -> Seats:
    """Deals the participants' records by class, as in paper A's scenarios (row A19).

    Raises:
      InputError: the target class has too few records, or the adversary holds some.
    """
    target = settings.target_class
    if target >= dataset.num_classes:
        raise checks.InputError(
            f"--target_class={target}: accepted are 0 to {dataset.num_classes - 1}"
        )
    held = np.concatenate(split.participants)
    shares = partition(
        dataset.y,
        held,
        settings.participants,
        "by_class",
        alpha=settings.dirichlet_alpha,
        rng=np.random.default_rng(settings.seed),
    )
    *honest, adversary = shares
    if target in dataset.y[adversary]:
        accepted = sorted(set(range(dataset.num_classes)) - set(dataset.y[adversary]))
        raise checks.InputError(
            f"--target_class={target}: the adversary, the last participant, holds it "
            f"itself; accepted are {', '.join(map(str, accepted))}"
        )
    unheld = np.setdiff1d(np.arange(len(dataset.y)), held)
    of_class = unheld[dataset.y[unheld] == target]
    real, public = of_class[::2], of_class[1::2]
    private = held[dataset.y[held] == target]
    if not len(private) or not len(public):
        raise checks.InputError(
            f"--target_class={target}: participants hold {len(private)} of its records "
            f"and {len(of_class)} are left; accepted are classes with at least 1 and 2"
        )
    return Seats(
        honest=tuple(honest),
        adversary=adversary,
        private=private,
        real=real,
        public=public,
        judge=np.setdiff1d(unheld, real),
    )


def linen_generator(image_shape: tuple[int, ...]) -> gan.Generator:
    """Paper A's generator for the image size, as pure functions."""
    module = generators.generator(image_shape)

    def init(key):
        return module.init(key, jnp.zeros((2, generators.NOISE_SIZE)))["params"]

    return gan.Generator(init, lambda params, z: module.apply({"params": params}, z))


class Attacked(NamedTuple):
    """What the collaborative run under attack left behind."""

    params: types.Params  # the shared model at the end
    generator_params: types.Params
    samples: np.ndarray  # (R, 64, H, W, C) of each round
    accuracy: np.ndarray  # (R,) test accuracy of the shared model


def collaborative_run(
    settings: Settings, dataset: Dataset, who: Seats
) -> Callable[[float, jax.Array, Advance], Attacked]:
    """Builds round-robin training with one GAN attacker (paper A, Algorithm 1).

    Returns:
      (influence, key, advance) -> what the run left behind; compiled once.
    """
    classes = dataset.num_classes
    model = training.target_model(settings, dataset, classes + 1)
    honest = training.participant(settings, model)
    honest_data = training.stack(dataset, who.honest)
    adversary_data = training.stack(dataset, [who.adversary])
    held = np.concatenate([*who.honest, who.adversary])
    test = training.batch(dataset, np.setdiff1d(np.arange(len(dataset.y)), held))

    def make(influence):
        adversary = gan.gan(
            honest,
            model,
            linen_generator(dataset.x.shape[1:]),
            optax.sgd(settings.generator_learning_rate),
            target_class=settings.target_class,
            fake_class=classes,
            generator_steps=settings.generator_steps,
            generator_batch=settings.generator_batch,
            injected=settings.injected,
            influence=influence,
        )
        return simulate.simulate(
            roles.averaging_server(),
            [
                simulate.Group(honest, honest_data),
                simulate.Group(adversary, adversary_data),
            ],
            order="round_robin",
            measure=lambda params: {
                "test_accuracy": losses.accuracy(model, params, test)
            },
        )

    compiled = training.runner(make)

    def run(influence, key, advance):
        key_params, key_run = jax.random.split(key)
        params = jax.jit(model.init)(key_params)
        state, info = training.run(
            compiled, influence, key_run, params, settings.gan_rounds, advance
        )
        generator_params = jax.tree.map(lambda a: a[0], state.participants[1].params)
        samples, accuracy = info["samples"][:, 0], info["test_accuracy"]
        if not np.isfinite(samples).all() or not np.isfinite(info["loss"]).all():
            raise checks.InputError(
                f"--learning_rate={settings.learning_rate}, --generator_learning_rate="
                f"{settings.generator_learning_rate}: collaborative training diverges; "
                "accepted are rates at which it does not"
            )
        return Attacked(state.server, generator_params, samples, accuracy)

    return run


class Judge(NamedTuple):
    """An independent classifier and its feature space."""

    look: Callable[
        [np.ndarray], tuple[np.ndarray, np.ndarray]
    ]  # images -> (p, features)
    accuracy: float  # on records that it has not seen


def train_judge(dataset: Dataset, who: Seats, key: jax.Array) -> Judge:
    """Trains the judge on records that no participant holds, with noise and shifts.

    Texture that fools the attacked model must not fool the judge, so it sees every
    image shifted by up to a sixteenth of its size, under Gaussian noise of standard
    deviation up to 0.3.
    """
    shape = dataset.x.shape[1:]
    module = targets.classifier(shape, dataset.num_classes).clone(hidden=64)
    model = targets.as_model(module, shape)
    gradient = gradients.plain(model)
    most = max(1, max(shape[:2]) // 16)

    def augmented(key, params, batch):
        key_shift, key_level, key_noise = jax.random.split(key, 3)
        shifts = jax.random.randint(key_shift, (len(batch.y), 2), -most, most + 1)
        x = jax.vmap(lambda a, s: jnp.roll(a, s, axis=(0, 1)))(batch.x, shifts)
        level = jax.random.uniform(key_level, (len(batch.y), 1, 1, 1), maxval=0.3)
        x = x + level * jax.random.normal(key_noise, x.shape)
        return gradient(key, params, batch._replace(x=x))

    optimizer = optax.adam(1e-3)
    epochs = max(1, JUDGE_STEPS * JUDGE_BATCH // len(who.judge))
    train = local.sgd(augmented, optimizer, epochs=epochs, batch_size=JUDGE_BATCH)

    @jax.jit
    def fit(key, data):
        key_params, key_train = jax.random.split(key)
        params = model.init(key_params)
        return train(key_train, params, optimizer.init(params), data)[0]

    params = fit(key, training.batch(dataset, who.judge))

    @jax.jit
    def look(x):
        seen = {}

        def record(path, h, out):
            seen[path] = h
            return out

        logits = interception.call(model.apply, params, x, record)
        return jax.nn.softmax(logits), list(seen.values())[-1]

    def in_batches(images):
        size = 256
        parts = []
        for start in range(0, len(images), size):
            part = images[start : start + size]
            # Padded to one size, so that it is compiled once.
            padded = np.pad(part, ((0, size - len(part)), (0, 0), (0, 0), (0, 0)))
            parts.append([np.asarray(a)[: len(part)] for a in look(padded)])
        return tuple(map(np.concatenate, zip(*parts, strict=True)))

    unseen = np.concatenate([*who.honest, who.adversary])
    predicted = in_batches(dataset.x[unseen])[0].argmax(axis=1)
    return Judge(in_batches, float(np.mean(predicted == dataset.y[unseen])))


class Images(NamedTuple):
    """The images that are judged, by the names of the report's rows."""

    attacks: dict[str, np.ndarray]  # (N, H, W, C) in [-1, 1]
    private: np.ndarray  # the victim's images of the target class
    public: np.ndarray  # images of the class that nobody holds


def reconstruct(
    settings: Settings,
    dataset: Dataset,
    who: Seats,
    attacked: dict[str, Attacked],
    key: jax.Array,
) -> Images:
    """Draws each attack's images from what its run left behind.

    Args:
      settings: the settings.
      dataset: the data.
      who: the seats.
      attacked: the runs of `gan` and of `gan_no_influence`; model inversion gets the
        second's model, whose training nobody disturbed.
      key: random key.
    """
    key_noise, key_init, key_invert = jax.random.split(key, 3)
    shape = dataset.x.shape[1:]
    generator = linen_generator(shape)
    sample = jax.jit(generator.sample)
    noise = generators.sample_noise(key_noise, SAMPLES)
    model = training.target_model(settings, dataset, dataset.num_classes + 1)
    inverted = jax.jit(
        lambda key, params: inversion.invert(
            key, model, params, settings.target_class, shape=shape, count=SAMPLES
        )
    )(key_invert, attacked["gan_no_influence"].params)
    attacks = {
        "real": dataset.x[who.real[:SAMPLES]],
        "untrained": sample(jax.jit(generator.init)(key_init), noise),
        "model_inversion": inverted,
    }
    attacks |= {
        name: sample(run.generator_params, noise) for name, run in attacked.items()
    }
    return Images(
        {name: np.asarray(images) for name, images in attacks.items()},
        dataset.x[who.private],
        dataset.x[who.public],
    )


def rows(settings: Settings, images: Images, judge: Judge) -> list[dict]:
    """The rows of `reconstruction` in result.json."""
    private_features = judge.look(images.private)[1]
    # The Frechet distance depends on the number of samples: the same for every row.
    alike = min(map(len, images.attacks.values()))
    found = []
    for attack, attacked in images.attacks.items():
        probabilities, features = judge.look(attacked)
        found.append(
            reconstruction.reconstruction_row(
                attack=attack,
                target_class=settings.target_class,
                probabilities=probabilities,
                features=features[:alike],
                images=attacked,
                private_images=images.private,
                public_images=images.public,
                private_features=private_features,
            )
        )
    return found
