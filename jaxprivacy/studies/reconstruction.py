"""Reconstructions of one class, gathered from the runs, judged and shown."""

from __future__ import annotations

import functools
from typing import NamedTuple

import jax
import numpy as np

from jaxprivacy import types
from jaxprivacy.attacks import inversion
from jaxprivacy.data import Dataset
from jaxprivacy.evaluation import reconstruction
from jaxprivacy.models import generators
from jaxprivacy.programs import compilation
from jaxprivacy.report import contents
from jaxprivacy.studies import collaboration, judge as judges, seats

SAMPLES = 200  # of each attack, judged
LEAST_ALIKE = 5  # images that have a Frechet distance
STEPS = inversion.STEPS  # of model inversion
SHOWN = 10  # of each attack, in the pictures
SHOWN_ROUNDS = 8


class Images(NamedTuple):
    """The images that are judged, by the names of the report's rows."""

    attacks: dict[str, np.ndarray]  # (N, H, W, C) in [-1, 1]
    private: np.ndarray  # the victim's images of the target class
    public: np.ndarray  # images of the class that nobody holds
    others: dict[int, np.ndarray]  # of every other class, held by participants


def reconstruct(
    dataset: Dataset,
    who: seats.Seats,
    inverted: dict[str, tuple[types.Model, types.Params]],
    trained: dict[str, types.Params],
    key: jax.Array,
) -> Images:
    """Draws each attack's images from what its run left behind.

    Args:
      dataset: the data.
      who: the seats.
      inverted: the models that model inversion gets, by row; their training should be
        one that nobody disturbed.
      trained: the generators' parameters, by row.
      key: random key.
    """
    key_noise, key_init, key_invert = jax.random.split(key, 3)
    shape = dataset.x.shape[1:]
    generator = collaboration.linen_generator(shape)
    sample = functools.partial(_sample, generator=generator)
    noise = generators.sample_noise(key_noise, SAMPLES)
    attacks = {
        "real": dataset.x[who.real[:SAMPLES]],
        "untrained": sample(compilation.initial(generator.init, key_init), noise),
    }
    for name, (model, params) in inverted.items():
        attacks[name] = _invert(
            key_invert, params, who.target_class, model=model, shape=shape
        )
    attacks |= {name: sample(params, noise) for name, params in trained.items()}
    return Images(
        {name: np.asarray(images) for name, images in attacks.items()},
        dataset.x[who.private],
        dataset.x[who.public],
        _others(dataset, who),
    )


def _others(dataset: Dataset, who: seats.Seats) -> dict[int, np.ndarray]:
    """Images of the other classes that the judge has not learned from, by class."""
    held = seats.held(who)
    labels = dataset.y[held]
    return {
        int(label): dataset.x[held[labels == label][:SAMPLES]]
        for label in np.unique(labels)
        if label != who.target_class
    }


# One program for all classes and seeds.
@functools.partial(compilation.compiled, static=["model", "shape"])
def _invert(key, params, target_class, *, model, shape):
    key_choose, key_invert = jax.random.split(key)
    args, common = (model, params, target_class), {"shape": shape, "steps": STEPS}
    setting = inversion.best_setting(key_choose, *args, **common)
    return inversion.invert(
        key_invert, *args, count=SAMPLES, setting=setting, **common
    )[0]


@functools.partial(compilation.compiled, static=["generator"])
def _sample(params, noise, *, generator):
    return generator.sample(params, noise)


def rows(target_class: int, images: Images, judge: judges.Judge) -> list[dict]:
    """The rows of `reconstruction` in result.json.

    Beside the attacks stands `other_class`: real images of the class that looks most
    like the target's, as near as one comes without showing the target.
    """
    private_features = judge.look(images.private).features
    judged = dict(images.attacks)
    other = _most_alike(images.others, private_features, judge)
    if other is not None:
        judged["other_class"] = images.others[other]
    # The Frechet distance depends on the number of samples: the same for every row, but
    # for those with too few, which have none.
    counts = map(len, judged.values())
    alike = min((count for count in counts if count >= LEAST_ALIKE), default=1)
    found = []
    for attack, attacked in judged.items():
        seen = judge.look(attacked)
        found.append(
            reconstruction.reconstruction_row(
                attack=attack,
                target_class=target_class,
                hits=judges.hits(judge, seen, target_class),
                confidence=seen.probabilities[:, target_class],
                features=seen.features,
                alike=alike,
                images=attacked,
                private_images=images.private,
                public_images=images.public,
                private_features=private_features,
            )
        )
    return found


def _most_alike(
    others: dict[int, np.ndarray], private_features: np.ndarray, judge: judges.Judge
) -> int | None:
    """The class nearest to the victim's images by the Frechet distance, if any has."""
    if len(private_features) < 2:
        return None
    several = {k: images for k, images in others.items() if len(images) >= LEAST_ALIKE}
    count = min(map(len, several.values()), default=0)
    distances = {
        label: reconstruction.frechet_of_few(
            judge.look(images).features, private_features, count
        )
        for label, images in several.items()
    }
    return min(distances, key=distances.get, default=None)


def pictures(
    target_class: int,
    images: Images,
    attack: str,
    samples: np.ndarray,
    accuracy: np.ndarray,
) -> contents.Reconstructions:
    """What the report shows of one run.

    Args:
      target_class: the class.
      images: those that were judged.
      attack: whose samples are shown over the rounds.
      samples: (R, S, H, W, C) of that attack, of each round.
      accuracy: (R,) of the shared model.
    """
    final = {k: v[:SHOWN] for k, v in images.attacks.items() if k != "real"}
    missing = SHOWN - len(images.private)
    if missing > 0:  # A person has ten images, of which the victim holds a few.
        others = np.concatenate([images.attacks["real"], images.public])
        final["real"] = others[:missing]
    closest = reconstruction.closest_l1(final[attack], images.private)
    count, total = min(SHOWN_ROUNDS, len(samples)), len(samples)
    rounds = np.unique(np.geomspace(1, total, count).round().astype(int))
    return contents.Reconstructions(
        target_class=target_class,
        real=images.private[:SHOWN],
        closest=images.private[closest],
        final=final,
        rounds=rounds,
        over_rounds=samples[rounds - 1, :SHOWN],
        accuracy=accuracy[rounds - 1],
        attack=attack,
    )
