"""The terms of the field in plain words, for readers who meet them first here."""

from __future__ import annotations

AUC = (
    "AUC",
    "the probability that an attack gives a member, that is, a record on which the "
    "model was trained, a higher score than a non-member: 0.5 is chance, 1 certainty",
)
INTERVAL = (
    "[a, b]",
    "an interval that covers the true value with 95 % confidence, as far as it depends "
    "on which records were drawn, or over several seeds on the seed",
)
MEMBERSHIP = (
    (
        "false positive rate (FPR)",
        "share of the non-members that are wrongly taken for members",
    ),
    ("true positive rate (TPR)", "share of the members that are found"),
)
NULL_CHECK = (
    "null check",
    "an attack where there is nothing to find, for instance on records none of which "
    "was trained on; its AUC should be 0.5",
)
FINDS = (
    "finds from AUC",
    "the smallest true AUC that a check of this size finds with a probability of 0.8",
)
PLANTED = ("planted leak", "a leak of known size, which is to be found")
RECONSTRUCTION = (
    (
        "hit rate",
        "share of the samples that the judge, a classifier of another architecture "
        "than the attacked model, trained on records of its own, takes for the class "
        "and finds as near to real images of it as nearly all real ones are",
    ),
    (
        "Frechet distance",
        "how far two sets of images lie apart in what the judge computes of them: 0 "
        "for equal sets, smaller is nearer",
    ),
    (
        "nearest private, nearest public",
        "mean Euclidean distance from a sample to the nearest of the victim's images, "
        "and of as many images of the class that nobody holds",
    ),
    ("diversity", "mean distance between samples, near 0 when all are alike"),
)
INVERSION = (
    ("found", "share of the records with a PSNR of 20 dB or more"),
    (
        "PSNR",
        "peak signal-to-noise ratio of a reconstruction against its record: 20 dB is "
        "an error of a tenth of the span of values, 40 dB of a hundredth; more than 60 "
        "dB count as 60",
    ),
    ("SSIM", "structural similarity of two images, 1 for the same one"),
    (
        "gain",
        "by how much the PSNR is above that of the better of two guesses that know no "
        "update",
    ),
)
PRIVACY = (
    "epsilon",
    "the measure of differential privacy: one participant's records change the "
    "probability of any upload by at most a factor of e to the power of epsilon",
)
NOISE = (
    "epsilon",
    "here only what the noise is scaled by, the smaller the more noise; it bounds "
    "nothing",
)


def of_tables(result: dict) -> list[tuple[str, str]]:
    """Returns the terms of a result's tables beside AUC, with their meanings."""
    terms = list(MEMBERSHIP) if result["membership"] else []
    terms += [NULL_CHECK, FINDS] if result.get("null_checks") else []
    terms += [PLANTED] if result.get("positive_controls") else []
    terms += list(INVERSION if result.get("gradient_inversion") else ())
    return terms + list(RECONSTRUCTION if result["reconstruction"] else ())
