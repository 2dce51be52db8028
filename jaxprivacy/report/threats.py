"""Who the attackers are, what they see and what they do, in two sentences each."""

from __future__ import annotations

from typing import NamedTuple


class Threat(NamedTuple):
    """An attack's name for readers and its threat model."""

    title: str
    model: str


THREATS = {
    "loss_threshold": Threat(
        "Loss threshold",
        "The attacker sees the loss of a record under the victim's model, as uploaded "
        "last, and nothing else of the model. It takes a "
        "record with a low loss for a member; nothing is learned but one threshold.",
    ),
    "black_box": Threat(
        "Black-box",
        "The attacker sees what the victim's model, as uploaded at the observed "
        "rounds, puts out for a record, and knows the record's label. "
        "It has some records known to be members or not, and trains an attack network "
        "on them to tell the two apart.",
    ),
    "white_box": Threat(
        "White-box",
        "The attacker holds the model's parameters, once or at several rounds, and so "
        "sees the outputs, the loss and the gradient of the loss for a record. It has "
        "some records known to be members or not, and trains an attack network on all "
        "of these to tell the two apart.",
    ),
    "real": Threat(
        "Real images",
        "No attack: images of the class that no participant holds, judged as the "
        "samples are. They show what a perfect reconstruction would reach.",
    ),
    "untrained": Threat(
        "Untrained generator",
        "No attack: samples of the generator before any training. They show what is "
        "reached without any information from the victim.",
    ),
    "model_inversion": Threat(
        "Model inversion",
        "The attacker holds the final shared model, trained without influence, and "
        "takes no part in the training. "
        "It climbs the target class's probability by gradient ascent on the input.",
    ),
    "gan": Threat(
        "GAN",
        "The attacker is a participant without images of the victim's class and sees "
        "the shared model at each round. It trains a generator against that model and "
        "adds its samples to its own data under a wrong label, which makes the victim "
        "show more of the class.",
    ),
    "gan_no_influence": Threat(
        "GAN without influence",
        "The attacker is a participant without images of the victim's class and sees "
        "the shared model at each round. It trains a generator against that model, but "
        "uploads only what an honest participant would.",
    ),
    "gan_improved": Threat(
        "GAN with additions",
        "The attacker is the participant of the GAN attack and sees what that one "
        "sees. It adds to the paper's attack what this project tried beyond it.",
    ),
    "model_inversion_mlp": Threat(
        "Model inversion of an MLP",
        "The attacker holds a multi-layer perceptron that was trained in the same way "
        "in the place of the shared model, and takes no part in the training. "
        "It climbs the target class's probability by gradient ascent on the input, "
        "which is known to work on such a network.",
    ),
    "dcgan": Threat(
        "DCGAN on the victim's data",
        "No attack: a generator and a discriminator trained on the victim's own images "
        "of the class. They show what a GAN could reach with the data at hand, an "
        "upper bound for the attacks.",
    ),
}

MODES = {
    "passive": "only observes",
    "gradient_ascent": "raises the loss of the target records by gradient ascent at "
    "each round and observes who lowers it again",
    "isolating": "keeps the other participants' updates from the victim, which then "
    "trains alone",
    "isolating_gradient_ascent": "keeps the other participants' updates from the "
    "victim and raises the loss of the target records at each round",
}

ATTACKERS = {
    "global": "the parameter server, which sees each participant's update",
    "local": "a participant, which sees only the aggregated parameters",
}


def threat(attack: str) -> Threat:
    """Returns the threat model of `attack`; of an unknown one, its name alone."""
    return THREATS.get(attack, Threat(attack.replace("_", " "), ""))


def variant(row: dict) -> str:
    """Returns a membership row's attacker and mode for readers, e.g. 'global, passive'.

    A setting without a choice of attacker or mode leaves them empty.
    """
    parts = (row.get("attacker"), row.get("mode"))
    return ", ".join(part.replace("_", " ") for part in parts if part)


def label(row: dict) -> str:
    """Returns a row's name for readers, e.g. 'White-box (global, passive)'."""
    extra = variant(row) if "mode" in row else ""
    return threat(row["attack"]).title + (f" ({extra})" if extra else "")
