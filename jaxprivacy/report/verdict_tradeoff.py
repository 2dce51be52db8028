"""What a trade-off of defenses allows to be said."""

from __future__ import annotations

from jaxprivacy.report import (
    leakage,
    text,
    threats,
    verdict_inversion,
    verdict_membership,
)


def verdict(rows: list[dict]) -> dict:
    """Returns the level of the undefended training, and a sentence for each defense.

    Args:
      rows: `tradeoff` of result.json.

    Returns:
      See `verdict.verdict`.
    """
    shown = strongest(rows)
    by = leakage.measure(shown)
    plain = next((row for row in shown if row["defense"] == "none"), None)
    said = [_sentence(row, plain, by) for row in shown if row is not plain]
    if plain is None:
        said.append(
            "Without `none` among the defenses nothing tells what they cost or prevent."
        )
        return _verdict("cannot_tell", said, by.part)
    level = _LEVELS[by.part](plain)
    said.insert(0, f"Without a defense, {_found(plain, by)}.")
    if any(row["epsilon"] is not None for row in shown):
        said.append(
            "An epsilon is guaranteed of the training by sampling, noise and clipping "
            "norm as they were given; how these were chosen is not in it."
        )
    audited = [row for row in shown if row.get("audit")]
    said += [_audited(row) for row in audited]
    refuted = any(row["audit"]["refuted"] for row in audited)
    return _verdict("severe" if refuted else level, said, by.part)


def _audited(row):
    """What canaries say of a promise that they share with a row's models."""
    audit, claim = row["audit"], f"{row['epsilon']:.3g}"
    sure = f"with {text.rate(audit['confidence'])} confidence"
    if audit["refuted"]:
        return (
            f"{label(row)}: the epsilon of {claim} is refuted, {sure}: what canaries "
            "show of a training with the same promise is more than it allows. Training "
            "or accountant do not do what they say."
        )
    return (
        f"{label(row)}: {audit['canaries']:,} canaries in a further training with the "
        f"same promise refute every epsilon below {audit['epsilon']:.2g}, {sure}, and "
        f"not the {claim}; at best they refute those below {audit['detectable']:.2g}."
    )


def _verdict(level, said, part):
    parts = {"membership": None, "reconstruction": None} | {part: level}
    return {"level": level, "sentences": said, "parts": parts}


def without_single_rows(result: dict) -> dict:
    """A result as readers see it: of defenses each has a line, which sums up its rows.

    A mean of a class's rows over all defenses would say nothing.
    """
    return result | {"reconstruction": []} if result.get("tradeoff") else result


def strongest(rows: list[dict]) -> list[dict]:
    """The row of the strongest attack on each defense, in the order they were run."""
    return [row for row in rows if row["strongest"]]


def table(rows: list[dict]) -> list[dict[str, str]]:
    """Returns the strongest attack on each defense, title -> cell of each row."""
    shown = strongest(rows)
    by = leakage.measure(shown)
    return [
        {
            "defense, strongest attack": f"{label(row)}\n"
            + threats.card(row["attack"]).title,
            "accuracy %": leakage.stacked(row[by.accuracy]),
            **cells,
            "epsilon": _epsilon(row),
        }
        for row, cells in zip(shown, by.columns(shown), strict=True)
    ]


def _epsilon(row):
    if row["epsilon"] is None:
        return text.MISSING
    claim, audit = f"{row['epsilon']:.3g}", row.get("audit")
    return f"{claim}\n> {audit['epsilon']:.2g}" if audit else claim


def told(rows: list[dict]) -> str:
    """Returns what stands below the table."""
    by = leakage.measure(strongest(rows))
    names = dict.fromkeys(row["attack"] for row in rows)
    seeds = rows[0][by.accuracy]["rows"]
    over = (
        f"means over {seeds} seeds with Student's t interval"
        if seeds > 1
        else ("one seed, without intervals")
    )
    of = ", ".join(threats.card(name).title for name in names)
    which = (
        f"On new records and of {of}: {over}"
        if len(names) == 1
        else f"On new records and of the strongest of {of} by its mean, for which no "
        f"interval is widened: {over}"
    )
    needs = {need for name in names for need in threats.card(name).needs}
    like = (
        " The attacker knows the defense: its reference models are trained under it."
        if "references_without" in needs
        else ""
    )
    audited = any(row.get("audit") for row in rows)
    below = "; behind >, what canaries refute all that is less of" if audited else ""
    return (
        f"{which}. {by.told}{like} Epsilon: what is guaranteed of any attack, where "
        f"something is{below}."
    )


def title(rows: list[dict]) -> str:
    """Returns what stands above the table."""
    return f"Defenses against {leakage.measure(strongest(rows)).against}"


def label(row: dict) -> str:
    """Returns e.g. 'DP-SGD, 8', a defense and its strength."""
    name = threats.defense(row["defense"]).title
    return name if row["strength"] is None else f"{name}, {strength(row):g}"


def strength(row: dict) -> float:
    """Returns the strength of a row's defense, which may be infinite; 0 without one."""
    return float(row["strength"] or 0)


def _level_of_members(row):
    """By the lower end of the interval over seeds, where there is one."""
    low, value = row["auc"]["low"], row["auc"]["value"]
    least = value if low is None else low
    if least <= 0.5:
        return "cannot_tell" if low is None else "none_found"
    return next(word for above, word in verdict_membership.STRENGTHS if least > above)


def _level_of_images(row):
    """By the share of the seeds in which the attack works."""
    seeds = row["hit_rate"]["rows"]
    if row["works"]:
        return "clear" if row["works"] > seeds / 2 else "slight"
    return "cannot_tell" if row["too_poor"] else "none_found"


def _level_of_updates(row):
    """By the least of the interval over seeds, where it is above what is guessed."""
    least = row["psnr"]["low"]
    if least is None:
        return "cannot_tell"
    if least <= row["guessed_psnr"]["high"]:
        return "none_found"
    return next(w for above, w in verdict_inversion.LEVELS if least > above)


_LEVELS = {
    leakage.TPR.part: _level_of_members,
    leakage.HIT_RATE.part: _level_of_images,
    leakage.PSNR.part: _level_of_updates,
}


def _found(row, by):
    attack = threats.card(row["attack"]).title
    reached = by.show(by.take(row))
    if "works" in row:
        seeds = row["hit_rate"]["rows"]
        leak = (
            f"the {attack} works in {row['works']} of {seeds}, with {by.title} of "
            f"{reached}"
        )
    else:
        leak = f"the strongest attack ({attack}) reaches {by.title} of {reached}"
    poor = row.get("too_poor", 0)
    learned = ", too little for the attack to be judged" if poor else ""
    return (
        f"{leak}, and the model is right on {leakage.percent(row[by.accuracy])} of new "
        f"records{learned}"
    )


def _sentence(row, plain, by):
    claim = "" if row["epsilon"] is None else f", epsilon {row['epsilon']:.3g}"
    told = f"{label(row)}{claim}: {_found(row, by)}"
    if plain is None:
        return f"{told}."
    how = _compared(by.take(row), by.take(plain))
    cost = 100 * (plain[by.accuracy]["value"] - row[by.accuracy]["value"])
    points = f"{abs(cost):.1f}"
    paid = f"{points} points of accuracy {'lost' if cost > 0 else 'gained'}"
    return f"{told}; {how}, with {'no accuracy lost' if points == '0.0' else paid}."


def _compared(leak, before):
    """Whether the intervals of two leaks lie apart."""
    if leak["low"] is None or before["low"] is None:
        return "one seed tells no difference"
    if leak["high"] < before["low"]:
        return "less than without a defense"
    if leak["low"] > before["high"]:
        return "more than without a defense"
    return "not shown to differ from none"
