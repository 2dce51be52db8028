"""What a trade-off's rows measure a leak by, for each kind of attack."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from jaxprivacy.report import text, verdict_inversion, verdict_rows

FPR, SMALL = 0.01, 0.001


class Measure(NamedTuple):
    """By what the leak of an attack is told, and shown over the accuracy."""

    part: str  # of a verdict's `parts`
    against: str  # what is attacked by, for readers
    title: str  # in a sentence, e.g. "an AUC"
    axis: str  # of a figure
    take: Callable[[dict], dict]  # row -> interval over seeds
    accuracy: str  # of the model, name of a row's entry
    guessing: Callable[[list[dict]], float]  # what is reached without the model
    show: Callable[[dict], str]  # of an interval, in a sentence
    scale: float  # of the figure's axis, to the interval's numbers
    columns: Callable[[list[dict]], list[dict[str, str]]]  # of each row, title -> cell
    told: str  # below a table


def rate(row: dict, fpr: float = FPR) -> dict:
    """The true positive rate of a row at a false positive rate."""
    return verdict_rows.rate_at(row, fpr)


def _of_members(rows):
    small = any(rate(row, SMALL)["value"] is not None for row in rows)
    return [
        {
            "TPR % at 1 %": stacked(rate(row)),
            **({"at 0.1 %": stacked(rate(row, SMALL))} if small else {}),
            "AUC %": stacked(row["auc"]),
        }
        for row in rows
    ]


def _of_images(rows):
    return [
        {
            "works in": f"{row['works']} of {row['hit_rate']['rows']}",
            "hit rate %": stacked(row["hit_rate"]),
            "Frechet distance": _stacked(row["frechet"], text.significant),
        }
        for row in rows
    ]


def _of_updates(rows):
    similar = any(row["ssim"] is not None for row in rows)
    return [
        {
            "records": str(row["update_records"]),
            "PSNR, dB": _stacked(row["psnr"], _one_digit),
            "guessed": _stacked(row["guessed_psnr"], _one_digit),
            **({"SSIM": _stacked(row["ssim"], text.number)} if similar else {}),
        }
        for row in rows
    ]


def _one_digit(value):
    return text.number(value, 1)


def percent(interval: dict) -> str:
    """Returns a rate with its interval, where it has one, for a sentence."""
    if interval["low"] is None:
        return f"{text.percent(interval['value'])} %"
    return text.percent_interval(interval)


TPR = Measure(
    "membership",
    "membership inference",
    "a true positive rate at 1 % false positives",
    "true positive rate at 1 % false positives, %",
    rate,
    "test_accuracy",
    lambda rows: FPR,
    percent,
    100.0,
    _of_members,
    "TPR: true positive rate at a false positive rate of 1 or 0.1 %.",
)
# Of few records.
AUC = TPR._replace(
    title="an AUC",
    axis="AUC, %",
    take=lambda row: row["auc"],
    guessing=lambda rows: 0.5,
)
HIT_RATE = Measure(
    "reconstruction",
    "the GAN attack",
    "a hit rate",
    "hit rate of the samples, %",
    lambda row: row["hit_rate"],
    "class_accuracy",
    lambda rows: 0.0,
    percent,
    100.0,
    _of_images,
    "Accuracy is among the real classes. Hits are samples that an independent judge "
    "takes for the class; the attack works where hit rate and Frechet distance both "
    "tell it from an untrained generator and from another class. All participants "
    "train at once and the server takes the mean.",
)
PSNR = Measure(
    "gradient_inversion",
    "gradient inversion",
    "a PSNR",
    "PSNR of what is found, dB",
    lambda row: row["psnr"],
    "test_accuracy",
    lambda rows: max(row["guessed_psnr"]["value"] for row in rows),
    verdict_inversion.decibels,
    1.0,
    _of_updates,
    "PSNR: of a record and what was found of it, in decibels; 20 is an error of a "
    "tenth of the span of values. Guessed: what the best of as many public records, or "
    "their mean, reaches without the update. Under secure aggregation the update is of "
    "all participants' records. Accuracy: of federated training under the defense.",
)


def measure(rows: list[dict]) -> Measure:
    """What rows of one kind of attack are all told by.

    Args:
      rows: of `tradeoff` of result.json, of the strongest attacks.
    """
    if all("psnr" in row for row in rows):
        return PSNR
    if all("hit_rate" in row for row in rows):
        return HIT_RATE
    told = all(rate(row)["value"] is not None for row in rows)
    return TPR if told else AUC


def stacked(interval: dict) -> str:
    """Returns a rate in percent, and below it its interval, where it has one."""
    return _stacked(interval, text.percent)


def _stacked(interval, show):
    if interval["low"] is None:
        return show(interval["value"])
    return (
        f"{show(interval['value'])}\n{show(interval['low'])}-{show(interval['high'])}"
    )
