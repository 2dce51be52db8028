"""The defenses: what each protects and what not, and how its strength is written."""

from __future__ import annotations

import math
from typing import NamedTuple

from jaxprivacy import checks, errors


class Defense(NamedTuple):
    """What a defense is called and does, and where it comes from."""

    name: str
    title: str  # for readers
    protects: str  # in a sentence
    not_protected: str  # likewise
    strength: str = ""  # what the number after the colon is; "": it takes none
    check: checks.Check | None = None  # of that number
    usual: float | None = None  # where none is given
    idle: float | None = None  # at which nothing is changed; None: there is no such
    source: str = ""


_EPSILON = (
    "the epsilon that is guaranteed, above 0; inf: clipping, without noise",
    checks.that(lambda value: value > 0, "are numbers above 0"),
    8.0,
    None,
)
_SHARE = checks.that(lambda value: 0 <= value < 1, "are 0 to below 1")

DEFENSES = (
    Defense(
        "none",
        "No defense",
        "Nothing: the plain training, beside which the others stand.",
        "Everything that the plain training gives away.",
    ),
    Defense(
        "dp_sgd",
        "DP-SGD",
        "Each single record, from whoever sees all models of the training: no attack "
        "tells better whether it was a member than epsilon and delta allow.",
        "What many records have in common, such as what a class looks like; logs.",
        *_EPSILON,
        source="Abadi et al., CCS 2016, Algorithm 1",
    ),
    Defense(
        "participant_dp",
        "Participant-level differential privacy",
        "Each participant with all its records, from whoever sees all shared models.",
        "What many participants have in common; single uploads, from the server that "
        "adds the noise.",
        *_EPSILON,
        source="McMahan et al., ICLR 2018, Algorithm 1",
    ),
    Defense(
        "secure_aggregation",
        "Secure aggregation",
        "Each upload, from a server that follows the protocol: it learns the sum of a "
        "round.",
        "What the sum and the shared models tell, so nothing from participants; "
        "anything from a server that sends different models.",
        source="Bonawitz et al., CCS 2017, section 4",
    ),
    Defense(
        "top_k",
        "Top-k with error feedback",
        "Nothing for certain: of each upload only the largest numbers are seen.",
        "What these numbers tell, and what was held back, which is sent later.",
        "the fraction of the numbers that is sent, in (0, 1]",
        checks.fraction,
        0.1,
        1.0,
        "Stich et al., NeurIPS 2018",
    ),
    Defense(
        "sign",
        "Signs with one scale",
        "Nothing for certain: of each number of an upload only the sign is seen.",
        "What the signs tell, and what was held back, which is sent later.",
        source="Karimireddy et al., ICML 2019",
    ),
    Defense(
        "quantised",
        "Random quantisation",
        "Nothing for certain: each number of an upload is rounded at random to a few "
        "levels.",
        "What the mean over many rounds tells, as rounding leaves it unchanged.",
        "the number of levels up to the norm of an upload, an integer of at least 1",
        checks.integers(1),
        4.0,
        source="Alistarh et al., NeurIPS 2017, section 3.1",
    ),
    Defense(
        "early_stopping",
        "Early stopping",
        "Nothing for certain: training ends before it fits single records closely.",
        "Records that are learned early, such as rare ones.",
        "rounds without a lower validation loss until it stops, an integer of at least "
        "1; inf: never",
        checks.that(
            lambda value: value >= 1 and (math.isinf(value) or value == int(value)),
            "are integers of at least 1, and inf",
        ),
        3.0,
        math.inf,
        "Prechelt, 1998",
    ),
    Defense(
        "weight_decay",
        "Weight decay",
        "Nothing for certain: large weights, by which single records are fitted, are "
        "drawn to 0.",
        "Records that the model fits nevertheless.",
        "the factor of the squared weights' half in the loss, at least 0",
        checks.at_least_zero,
        5e-4,
        0.0,
        "Krogh and Hertz, NIPS 1991",
    ),
    Defense(
        "dropout",
        "Dropout",
        "Nothing for certain: no unit can rely on others to fit a single record.",
        "Records that the model fits nevertheless.",
        "the probability that an input of a dense layer is dropped, 0 to below 1",
        _SHARE,
        0.5,
        0.0,
        "Srivastava et al., JMLR 2014",
    ),
    Defense(
        "label_smoothing",
        "Label smoothing",
        "Nothing for certain: the model is kept from being sure of the records that it "
        "was trained on.",
        "Records whose outputs lie so near the smoothed labels that this tells them.",
        "the share of a label that is spread over all classes, 0 to below 1",
        _SHARE,
        0.1,
        0.0,
        "Szegedy et al., CVPR 2016, section 7",
    ),
    Defense(
        "mixup",
        "Mixup",
        "Nothing for certain: the model is trained on averages of records, hardly ever "
        "on one alone.",
        "Records that the model fits nevertheless.",
        "alpha of the Beta distribution of the weights, at least 0",
        checks.at_least_zero,
        1.0,
        0.0,
        "Zhang et al., ICLR 2018",
    ),
    Defense(
        "temperature",
        "Temperature on released outputs",
        "Nothing for certain: the probabilities that are released are flatter.",
        "Anything from whoever knows the temperature or holds the parameters, or from "
        "attacks that look at the order of outputs.",
        "what released logits are divided by, above 0",
        checks.positive,
        4.0,
        1.0,
        "Shokri et al., S&P 2017, section VIII",
    ),
)


class Chosen(NamedTuple):
    """A defense at a strength."""

    card: Defense
    strength: float | None  # None: it takes none

    def key(self) -> str:
        """What is kept of a training under it is named, e.g. dp_sgd_8."""
        strength = "" if self.strength is None else f"_{self.strength:g}"
        return self.card.name + strength

    def number(self) -> float | str | None:
        """The strength as JSON can hold it: infinity by its name."""
        infinite = self.strength is not None and math.isinf(self.strength)
        return "inf" if infinite else self.strength


def read(text: str) -> Chosen:
    """Reads a defense and its strength, "dp_sgd:8" or "sign".

    Args:
      text: a name of `DEFENSES`, and after a colon the strength, where it takes one.

    Returns:
      The defense, at its usual strength where none is given.

    Raises:
      InputError: there is no such defense, or it has no such strength.
    """
    name, colon, number = text.partition(":")
    cards = {card.name: card for card in DEFENSES}
    card = cards[checks.one_of("defenses", name, tuple(cards))]
    if not colon:
        return Chosen(card, card.usual)
    if not card.strength:
        raise errors.InputError(
            "defenses", text, f"is {name} alone, which takes no strength"
        )
    try:
        strength = float(number)
    except ValueError:
        strength = math.nan
    if math.isnan(strength):
        raise errors.InputError("defenses", text, f"after the colon is {card.strength}")
    _check(card, strength, text)
    return Chosen(card, strength)


def _check(card, strength, text):
    try:
        card.check(card.name, strength)
    except (errors.InputError, OverflowError) as error:  # Of an infinite integer.
        told = f"after the colon is {card.strength}"
        raise errors.InputError("defenses", text, told) from error
