"""The cards of attacks that reconstruct: a class's images, and records of an update."""

from jaxprivacy.cards.card import Card

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
