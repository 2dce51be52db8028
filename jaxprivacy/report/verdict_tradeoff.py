"""What a trade-off of defenses allows to be said."""

from __future__ import annotations

from jaxprivacy.report import text, threats, verdict_membership, verdict_rows

FPR, SMALL = 0.01, 0.001


def verdict(rows: list[dict]) -> dict:
    """Returns the level of the undefended training, and a sentence for each defense.

    Args:
      rows: `tradeoff` of result.json.

    Returns:
      See `verdict.verdict`.
    """
    shown = strongest(rows)
    plain = next((row for row in shown if row["defense"] == "none"), None)
    said = [_sentence(row, plain) for row in shown if row is not plain]
    if plain is None:
        said.append(
            "Without `none` among the defenses nothing tells what they cost or prevent."
        )
        return _verdict("cannot_tell", said)
    level = _level(plain)
    said.insert(0, f"Without a defense, {_found(plain)}.")
    if any(row["epsilon"] is not None for row in shown):
        said.append(
            "An epsilon is guaranteed of the training by Poisson batches and noise at "
            "the rate and clipping norm given; how these were chosen is not in it."
        )
    return _verdict(level, said)


def _verdict(level, said):
    parts = {"membership": level, "reconstruction": None}
    return {"level": level, "sentences": said, "parts": parts}


def strongest(rows: list[dict]) -> list[dict]:
    """The row of the strongest attack on each defense, in the order they were run."""
    return [row for row in rows if row["strongest"]]


def table(rows: list[dict]) -> list[dict[str, str]]:
    """Returns the strongest attack on each defense, title -> cell of each row."""
    small = any(verdict_rows.rate_at(row, SMALL)["value"] is not None for row in rows)
    return [
        {
            "defense, strongest attack": f"{label(row)}\n"
            + threats.card(row["attack"]).title,
            "accuracy %": _stacked(row["test_accuracy"]),
            "TPR % at 1 %": _stacked(verdict_rows.rate_at(row, FPR)),
            **(
                {"at 0.1 %": _stacked(verdict_rows.rate_at(row, SMALL))}
                if small
                else {}
            ),
            "AUC %": _stacked(row["auc"]),
            "epsilon": _epsilon(row),
        }
        for row in strongest(rows)
    ]


def _epsilon(row):
    return text.MISSING if row["epsilon"] is None else f"{row['epsilon']:.3g}"


def told(rows: list[dict]) -> str:
    """Returns what stands below the table."""
    seeds, names = rows[0]["auc"]["rows"], dict.fromkeys(row["attack"] for row in rows)
    over = (
        f"means over {seeds} seeds with Student's t interval"
        if seeds > 1
        else ("one seed, without intervals")
    )
    of = ", ".join(threats.card(name).title for name in names)
    return (
        f"On new records and of the strongest of {of} by its mean, for which no "
        f"interval is widened: {over}. TPR: true positive rate at a false positive "
        "rate of 1 or 0.1 %. The attacker knows the defense: its reference models are "
        "trained under it. Epsilon: what is guaranteed of any attack, where something "
        "is."
    )


def _stacked(interval):
    value = text.percent(interval["value"])
    if interval["low"] is None:
        return value
    return f"{value}\n{text.percent(interval['low'])}-{text.percent(interval['high'])}"


def label(row: dict) -> str:
    """Returns e.g. 'DP-SGD, 8', a defense and its strength."""
    name = threats.defense(row["defense"]).title
    return name if row["strength"] is None else f"{name}, {row['strength']:g}"


def measure(row: dict) -> tuple[str, dict]:
    """What a row is judged by: the TPR at 1 % FPR, of few records the AUC."""
    rate = verdict_rows.rate_at(row, FPR)
    if rate["value"] is None:
        return "an AUC", row["auc"]
    return "a true positive rate at 1 % false positives", rate


def _level(row):
    """By the lower end of the interval over seeds, where there is one."""
    low, value = row["auc"]["low"], row["auc"]["value"]
    least = value if low is None else low
    if least <= 0.5:
        return "cannot_tell" if low is None else "none_found"
    return next(word for above, word in verdict_membership.STRENGTHS if least > above)


def _found(row):
    name, rate = measure(row)
    return (
        f"the strongest attack ({threats.card(row['attack']).title}) reaches {name} of "
        f"{_percent(rate)}, and the model is right on "
        f"{_percent(row['test_accuracy'])} of new records"
    )


def _sentence(row, plain):
    claim = "" if row["epsilon"] is None else f", epsilon {row['epsilon']:.3g}"
    told = f"{label(row)}{claim}: {_found(row)}"
    if plain is None:
        return f"{told}."
    name, rate = measure(row)
    before = plain["auc"] if name == "an AUC" else measure(plain)[1]
    how = _compared(rate, before)
    cost = 100 * (plain["test_accuracy"]["value"] - row["test_accuracy"]["value"])
    paid = f"{abs(cost):.1f} points of accuracy {'lost' if cost > 0 else 'gained'}"
    return f"{told}; {how}, with {paid}."


def _compared(rate, before):
    """Whether the intervals of two rates lie apart."""
    if rate["low"] is None or before["low"] is None:
        return "one seed tells no difference"
    if rate["high"] < before["low"]:
        return "less than without a defense"
    if rate["low"] > before["high"]:
        return "more than without a defense"
    return "not shown to differ from none"


def _percent(interval):
    if interval["low"] is None:
        return f"{text.percent(interval['value'])} %"
    return text.percent_interval(interval)
