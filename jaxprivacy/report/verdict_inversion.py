"""What reconstructions from updates allow to be said."""

from __future__ import annotations

from jaxprivacy.report import text, threats

# The level by the lower end of the PSNR's interval, in decibels, where the gain over
# guessing is above 0: 20 is an error of a tenth of the span of values.
LEVELS = ((20.0, "severe"), (15.0, "clear"), (-float("inf"), "slight"))


def inversion(result: dict) -> tuple[str | None, list[str]]:
    """Returns a level, None where nothing was attacked, and sentences.

    Args:
      result: the content of result.json.
    """
    rows = [row for row in result.get("gradient_inversion", []) if row["gain"]]
    if not rows:
        return None, []
    sure = [row for row in rows if row["gain"]["low"] is not None]
    if not sure:
        return "cannot_tell", [
            "Whether records can be reconstructed from an update cannot be determined: "
            "of one record there is no interval.",
            *map(_sentence, rows),
        ]
    found = [row for row in sure if row["gain"]["low"] > 0]
    told = [_sentence(row) for row in _best_first(rows)]
    if not found:
        return "none_found", [
            "No attack reconstructs records from an update better than guessing does.",
            *told,
        ]
    best = _best_first(found)[0]
    level = next(word for least, word in LEVELS if best["psnr"]["low"] > least)
    close = {"severe": "closely", "clear": "recognisably", "slight": "roughly"}[level]
    return level, [
        f"Records can be reconstructed {close} from one update: "
        f"{_named(best)} reaches a PSNR of {decibels(best['psnr'])}.",
        *told,
    ]


def decibels(interval: dict) -> str:
    """Returns e.g. '23.4 dB [21.0, 25.8]'."""
    value = f"{text.number(interval['value'], 1)} dB"
    if interval["low"] is None:
        return value
    low, high = (text.number(interval[end], 1) for end in ("low", "high"))
    return f"{value} [{low}, {high}]"


def case(row: dict) -> str:
    """Returns how many records and local steps a row has, for readers."""
    size, steps = row["batch_size"], row["local_steps"]
    said = f"{size} record{'s' * (size > 1)}"
    return said if steps is None else f"{said}, {steps} local step{'s' * (steps > 1)}"


def _named(row: dict) -> str:
    return f"{threats.card(row['attack']).title} ({case(row)})"


def _sentence(row: dict) -> str:
    """Says how one row compares with guessing."""
    gain = row["gain"]
    over = threats.card(gain["over"]).title.lower()
    if gain["low"] is None or gain["low"] <= 0 <= gain["high"]:
        how = "is not shown to differ from"
    else:
        how = (
            "is nearer to the records than"
            if gain["low"] > 0
            else "is farther off than"
        )
    return (
        f"{_named(row)} {how} the {over}: PSNR {decibels(row['psnr'])}, "
        f"a gain of {decibels(gain)}."
    )


def _best_first(rows: list[dict]) -> list[dict]:
    return sorted(rows, key=lambda row: -row["psnr"]["value"])
