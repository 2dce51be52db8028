"""The attacks: one card each, of which all that is said of an attack is made.

Rows of result.json, threat models in the report, the choices of `attacks=` and the
tests over all attacks take their names from here, and no second list is kept.
"""

from __future__ import annotations

from typing import NamedTuple

# What of a target an attack looks at.
SIGNALS = ("loss", "outputs", "hidden", "gradients")
# What else it must have.
NEEDS = (
    "known",  # records of which it knows whether they are members
    "records",  # of the same distribution, to train models of its own on
    "population",  # records of the same distribution on which nobody trained
    "references_with",  # models trained like the target, some with a record
    "references_without",  # and some without it
)


class Card(NamedTuple):
    """What an attack is called, sees and needs, and where it comes from."""

    name: str
    title: str  # for readers
    threat: str  # its threat model in two sentences or three
    sees: tuple[str, ...] = ()  # of SIGNALS
    needs: tuple[str, ...] = ()  # of NEEDS
    learns: bool = False  # False: a rule, of which at most a threshold is learned
    source: str = ""


MEMBERSHIP = (
    Card(
        "loss_threshold",
        "Loss threshold",
        "The attacker sees the loss of a record under the model as it was when last "
        "observed, and nothing else of the model. It takes a record with a low loss "
        "for a member; only one threshold is learned.",
        sees=("loss",),
        source="Yeom et al., CSF 2018, section 3",
    ),
    Card(
        "confidence",
        "Confidence",
        "The attacker sees how sure the model, as it was when last observed, is of a "
        "record's own class, as log-odds, and nothing else of the model. It takes a "
        "record of which the model is sure for a member; nothing is learned but one "
        "threshold.",
        sees=("outputs",),
        source="Yeom et al., CSF 2018, section 3, on the log-odds",
    ),
    Card(
        "entropy",
        "Entropy",
        "The attacker sees the class probabilities that the model, as it was when last"
        " observed, gives a record. It takes a record for which they are concentrated "
        "on one class, right or wrong, for a member; nothing is learned but one "
        "threshold.",
        sees=("outputs",),
        source="Salem et al., NDSS 2019, section V",
    ),
    Card(
        "modified_entropy",
        "Modified entropy",
        "The attacker sees the class probabilities that the model, as it was when last"
        " observed, gives a record, and knows the record's label. It takes a record of"
        " whose own class the model is sure, and of no other, for a member; nothing is"
        " learned but one threshold.",
        sees=("outputs",),
        source="Song and Mittal, USENIX Security 2021, section 3.2.2",
    ),
    Card(
        "gradient_norm",
        "Gradient norm",
        "The attacker holds the model's parameters and looks at no more than the norm "
        "of the gradient of the loss for a record, of all layers or of those named. It"
        " takes a record with a small norm for a member; only one threshold is "
        "learned.",
        sees=("gradients",),
        source="Nasr et al., S&P 2019, section IV",
    ),
    Card(
        "population",
        "Population",
        "The attacker sees the outputs of the model and has records of the same "
        "distribution on which nobody trained. It takes a record of which the model is"
        " surer than of most of those of its class for a member; no model is trained.",
        sees=("outputs",),
        needs=("population",),
        source="Ye et al., CCS 2022, attack P",
    ),
    Card(
        "quantile",
        "Quantile regression",
        "The attacker sees the outputs of the model and has records of the same "
        "distribution on which nobody trained. From these it learns by regression what"
        " the model would say of a record that it was not trained on, and takes a "
        "record of which the model is surer than that for a member; no model like the "
        "target is trained.",
        sees=("outputs",),
        needs=("population",),
        learns=True,
        source="Bertran et al., NeurIPS 2023",
    ),
    Card(
        "black_box",
        "Black-box",
        "The attacker sees the output of the model for a record, as it was each time "
        "that it was observed, and knows the record's label. It knows of some records "
        "whether they are members, and trains an attack network on them to tell the "
        "two apart.",
        sees=("outputs", "loss"),
        needs=("known",),
        learns=True,
        source="Nasr et al., S&P 2019, section III-A",
    ),
    Card(
        "white_box",
        "White-box",
        "The attacker holds the model's parameters, as they were once or several "
        "times, and so sees the outputs of every layer, the loss and the gradient of "
        "the loss for a record, or those of them that a row or a note names. It knows "
        "of some records whether they are members, and trains an attack network on "
        "them to tell the two apart.",
        sees=("outputs", "loss", "hidden", "gradients"),
        needs=("known",),
        learns=True,
        source="Nasr et al., S&P 2019, section III-A",
    ),
    Card(
        "unsupervised",
        "Unsupervised",
        "The attacker sees what the white-box attack sees of the records in question, "
        "but knows of none whether it is a member. It trains an autoencoder that turns"
        " each record into one number, divides these numbers into two clusters, and "
        "takes the cluster with the smaller mean gradient norm for the members.",
        sees=("outputs", "loss", "hidden", "gradients"),
        learns=True,
        source="Nasr et al., S&P 2019, section III-C",
    ),
    Card(
        "shadow",
        "Shadow models",
        "The attacker sees what the white-box attack sees, but knows of no record "
        "whether it is a member; it has records of the same distribution, some of the "
        "target's own among them where there are few. It trains models of its own on "
        "some of these, trains an attack network to tell those models' members from "
        "non-members, and applies it to the target.",
        sees=("outputs", "loss", "hidden", "gradients"),
        needs=("records",),
        learns=True,
        source="Shokri et al., S&P 2017, section V",
    ),
    Card(
        "lira_online",
        "LiRA, online",
        "The attacker sees the outputs of the model and trains reference models in the"
        " same way, half of which hold each record in question. It compares how likely"
        " the model's log-odds of a record are among those that hold it and among "
        "those that do not.",
        sees=("outputs",),
        needs=("references_with", "references_without"),
        source="Carlini et al., S&P 2022, Algorithm 1",
    ),
    Card(
        "lira_offline",
        "LiRA, offline",
        "The attacker sees the outputs of the model and trains reference models in the"
        " same way, none of which needs to hold a record in question. It takes a "
        "record of which the model is surer than models without it for a member.",
        sees=("outputs",),
        needs=("references_without",),
        source="Carlini et al., S&P 2022, section IV-E",
    ),
    Card(
        "rmia_online",
        "RMIA, online",
        "The attacker sees the outputs of the model and trains reference models in the"
        " same way, half of which hold each record in question. It compares the "
        "probability of a record under the model with its mean over all of these.",
        sees=("outputs",),
        needs=("references_with", "references_without"),
        source="Zarifzadeh et al., ICML 2024, section 3",
    ),
    Card(
        "rmia_offline",
        "RMIA, offline",
        "The attacker sees the outputs of the model and trains reference models in the"
        " same way, none of which needs to hold a record in question. It compares the "
        "probability of a record under the model with its mean over these, corrected "
        "for their never having held it.",
        sees=("outputs",),
        needs=("references_without",),
        source="Zarifzadeh et al., ICML 2024, section 3",
    ),
    Card(
        "bavaria",
        "LiRA with a shrunk variance",
        "The attacker does what LiRA does online. Where few reference models tell how "
        "far the log-odds of a record vary, those of all records help, by a prior that"
        " is fitted on them.",
        sees=("outputs",),
        needs=("references_with", "references_without"),
        source="after BaVarIA, arXiv 2603.11799",
    ),
    Card(
        "combined",
        "Combination",
        "The attacker runs several attacks and knows of some records whether they are "
        "members. From these it learns how much weight each attack's score deserves, "
        "and adds them up.",
        sees=("outputs",),
        needs=("known",),
        learns=True,
        source="logistic regression on the scores",
    ),
)

# Readers see rows of reconstructions in this order.
RECONSTRUCTION = (
    Card(
        "real",
        "Real images",
        "No attack: images of the class that no participant holds, judged as the "
        "samples are. They show what a perfect reconstruction would reach.",
    ),
    Card(
        "other_class",
        "Images of another class",
        "No attack: real images of the other class that looks most like the victim's, "
        "by the Frechet distance. They are right in all but the class; an attack that "
        "does no better has not shown what the class looks like.",
    ),
    Card(
        "untrained",
        "Untrained generator",
        "No attack: samples of the generator before any training. They show what is "
        "reached without anything learned from the victim.",
    ),
    Card(
        "model_inversion",
        "Model inversion",
        "The attacker holds the final shared model, of the run without influence where"
        " there is one, and takes no part in the training. It raises the probability "
        "of the target class by gradient ascent on the input.",
        source="Fredrikson et al., CCS 2015",
    ),
    Card(
        "model_inversion_mlp",
        "Model inversion of an MLP",
        "The attacker holds a multi-layer perceptron that was trained in the same way "
        "in the place of the shared model, and takes no part in the training. It "
        "raises the probability of the target class by gradient ascent on the input, "
        "for which such a network is an easier target.",
        source="Fredrikson et al., CCS 2015",
    ),
    Card(
        "gan_no_influence",
        "GAN without influence",
        "The attacker is a participant without images of the victim's class and sees "
        "the shared model at each round. It trains a generator against that model, but"
        " uploads only what an honest participant would.",
        source="Hitaj et al., CCS 2017, section 5",
    ),
    Card(
        "gan",
        "GAN",
        "The attacker is a participant without images of the victim's class and sees "
        "the shared model at each round. It trains a generator against that model and "
        "adds its samples to its own data under a wrong label, which is meant to make "
        "the victim show more of the class.",
        source="Hitaj et al., CCS 2017, section 5",
    ),
    Card(
        "gan_improved",
        "GAN with additions",
        "The attacker is the participant of the GAN attack and sees what that one "
        "sees. It adds to the paper's attack what this project tried beyond it.",
        source="Mao et al., CVPR 2019, for the mode-seeking term",
    ),
    Card(
        "dcgan",
        "DCGAN on the victim's data",
        "No attack: a generator and a discriminator trained on the victim's own images"
        " of the class, until the samples come no nearer to these by the judge's "
        "Frechet distance; what was nearest is shown. They show what a GAN that is "
        "given the data itself reaches, and are meant as an upper bound for the "
        "attacks.",
        source="Radford et al., ICLR 2016",
    ),
)

INVERSION = (
    Card(
        "dlg",
        "Deep leakage from gradients",
        "The attacker is the server, and honest but curious: it knows the model, the "
        "parameters it sent out, the rate, and how many records and local steps an "
        "update is of. It searches records and labels whose update lies nearest to the "
        "participant's, by L-BFGS.",
        source="Zhu et al., NeurIPS 2019, Algorithm 1",
    ),
    Card(
        "invert_gradients",
        "Inverting gradients",
        "The attacker is the server, and honest but curious: it knows the model, the "
        "parameters it sent out, the rate, and how many records and local steps an "
        "update is of. It reads the labels off the last bias and searches smooth "
        "images whose update points where the participant's does.",
        source="Geiping et al., NeurIPS 2020, equation 4",
    ),
    Card(
        "dense",
        "Dense layer read off",
        "The attacker is the server, and honest but curious: it needs the gradients of "
        "the first layer alone, and that this is a dense one. A neuron that one record "
        "alone activates gives it away; no search is made.",
        source="Phong et al., IEEE TIFS 2018, section III",
    ),
    Card(
        "trap",
        "Trap layer",
        "The attacker is a malicious server: it puts a layer of its own before the "
        "model, whose neurons sort records into bins by a quantile that it knows from "
        "public records. A record that has a bin to itself is read off the gradients.",
        source="Fowl et al., ICLR 2022, section 3",
    ),
    Card(
        "public_image",
        "Best public record",
        "No attack: of as many public records, or sets of them, as a search has "
        "starts, those nearest to the participant's. They show what guessing reaches "
        "without any update, told afterwards which guess was best.",
    ),
    Card(
        "mean_image",
        "Mean public record",
        "No attack: the average of the public records. It has a higher PSNR than most "
        "single ones, and shows nothing of any record.",
    ),
)

CARDS = {card.name: card for card in (*MEMBERSHIP, *RECONSTRUCTION, *INVERSION)}
