"""Numbers as readers see them, in the page, the terminal and the verdict alike."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

from jaxprivacy.evaluation import seeds

MISSING = "-"


def number(value: float | None, digits: int = 3) -> str:
    """Returns a number with fixed decimals, or a dash."""
    return MISSING if value is None else f"{value:.{digits}f}"


def significant(value: float | None) -> str:
    """Returns a number with three significant digits, plain below a million."""
    if value is None:
        return MISSING
    return f"{value:.0f}" if 100 <= abs(value) < 1e6 else f"{value:#.3g}"


def epsilon(value: float | None) -> str:
    """Returns a privacy budget with three significant digits, short at any size.

    E.g. '0.01', '10', '1,060' and '1.06e6'; 'none' of infinity, which is no privacy and
    in JSON absent.
    """
    if value is None or math.isinf(value):
        return "none"
    if value and not 1e-4 <= abs(value) < 1e5:
        digits, exponent = f"{value:.2e}".split("e")
        return f"{float(digits):g}e{int(exponent)}"
    return f"{float(f'{value:.3g}'):,.10g}"


def percent(value: float | None, digits: int = 1) -> str:
    """Returns a rate in percent, 100 without decimals, or a dash."""
    if value is None:
        return MISSING
    return f"{100 * value:.{digits}f}".replace("100." + "0" * digits, "100")


def rate(value: float) -> str:
    """Returns a chosen rate in percent as it was chosen, e.g. '10 %' or '0.1 %'."""
    return f"{100 * value:.4g} %"


def number_interval(interval: dict) -> str:
    """Returns e.g. '0.712 [0.690, 0.733]'."""
    if interval["value"] is None:
        return MISSING
    low, high = number(interval["low"]), number(interval["high"])
    return f"{number(interval['value'])} [{low}, {high}]"


def percent_interval(interval: dict) -> str:
    """Returns e.g. '65.2 % [63.1, 67.2]'."""
    if interval["value"] is None:
        return MISSING
    low, high = percent(interval["low"]), percent(interval["high"])
    return f"{percent(interval['value'])} % [{low}, {high}]"


def points_interval(interval: dict) -> str:
    """Returns e.g. '2.5 percentage points [-1.0, 6.0]', of a difference of rates."""
    if interval["value"] is None:
        return MISSING
    low, high = percent(interval["low"]), percent(interval["high"])
    return f"{percent(interval['value'])} percentage points [{low}, {high}]"


def listed(words: Sequence[str], last: str = "and") -> str:
    """Returns e.g. 'a, b and c'."""
    *first, final = words
    return f"{', '.join(first)} {last} {final}" if first else final


def span(values: Sequence[float], show: Callable[[float], str]) -> str:
    """Returns the smallest and the largest value, e.g. '1.2 to 3.4', once if alike."""
    return " to ".join(dict.fromkeys(show(end) for end in (min(values), max(values))))


def is_long(rows: list[dict]) -> bool:
    """Returns whether rows are too many to be read one by one, so that means help."""
    return len(rows) > 12


def several_seeds(membership: list[dict]) -> bool:
    """Returns whether rows are of several seeds, so that their means are shown."""
    return len({row.get("seed") for row in membership} - {None}) > 1


def several_victims(membership: list[dict]) -> bool:
    """Returns whether several participants were attacked, one by one."""
    return len({row.get("victim") for row in membership} - {None}) > 1


def shown_rows(membership: list[dict]) -> list[dict]:
    """Returns the rows that readers see: means over victims, and then over seeds.

    A mean is of the seeds on which the attack trained, and `untrained_seeds` has how
    many others there are; where it trained on none, `trained` is False.
    """
    if several_victims(membership):
        others = [row for row in membership if row.get("victim") is None]
        membership = seeds.over_victims(membership) + others
    if not several_seeds(membership):
        return membership
    return [_mean_row(group) for group in seeds.seed_groups(membership)]


def _mean_row(group: list[dict]) -> dict:
    trained = [row for row in group if row.get("trained") is not False]
    (mean,) = seeds.summarise(trained or group)
    if not trained:
        return mean | {"trained": False}
    left_out = len(group) - len(trained)
    return mean | ({"untrained_seeds": left_out} if left_out else {})


def seeds_named(membership: list[dict]) -> str:
    """Returns e.g. 'Seeds: 0, 1, 2.', and whether some rows lack some of them."""
    groups = [{row.get("seed") for row in g} for g in seeds.seed_groups(membership)]
    every = sorted(set().union(*groups) - {None})
    said = f"Seeds: {', '.join(map(str, every))}."
    fewest = min(len(group) for group in groups)
    return said if fewest == len(every) else f"{said} Some rows have {fewest} of them."


def averaged_over(membership: list[dict]) -> str:
    """Returns 'seeds' or 'victims', whichever intervals are over; empty if neither."""
    if several_seeds(membership):
        return "seeds"
    return "victims" if several_victims(membership) else ""


def means_named(membership: list[dict]) -> str:
    """Returns what the rows that readers see are means over, empty if over nothing."""
    said = []
    if several_victims(membership):
        count = len({row.get("victim") for row in membership} - {None})
        said.append(f"Each of {count} participants was attacked in turn.")
    if several_seeds(membership):
        said.append(seeds_named(membership))
    return " ".join(said)


def at_fpr(row: dict, fpr: float) -> dict:
    """Returns the entry of a membership row at `fpr`, empty if there is none."""
    for entry in row["tpr_at_fpr"]:
        if entry["fpr"] == fpr:
            return entry
    return {"fpr": fpr, "value": None, "low": None, "high": None}
