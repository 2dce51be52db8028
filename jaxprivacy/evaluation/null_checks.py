"""What null checks and positive controls say, and what they could have seen."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from scipy import optimize, special, stats

POWER = 0.8  # the probability with which `detectable_auc` would have been found
_LOGITS = np.linspace(0, 8, 801)  # of an AUC of 0.5 to 0.9997


def counted(rows: Sequence[dict]) -> list[dict]:
    """Returns the null checks that hold or fail: not those of untrained attacks.

    An attack that did not train would find nothing anywhere, so that it finds nothing
    here says nothing.

    Args:
      rows: `null_checks` of result.json.
    """
    return [row for row in rows if row.get("trained") is not False]


def control_found(row: dict) -> bool | None:
    """Whether a positive control was found as large as it was planted.

    The AUC's interval lies above 0.5. That of the loss threshold, which ranks records
    by what the leak was planted in, covers the planted AUC; that of another attack may
    lie below it and, since none can know more, not above.

    Args:
      row: of `positive_controls` of result.json.

    Returns:
      Whether it was found; None where it was not and so few records would miss it
      anyway, their `detectable_auc` being larger than what was planted.
    """
    low, high = row["auc"]["low"], row["auc"]["high"]
    reached = row["attack"] != "loss_threshold" or row["planted"] <= high
    if 0.5 < low <= row["planted"] and reached:
        return True
    least = row["detectable_auc"]
    unsure = low <= 0.5 and (least is None or least > row["planted"])
    return None if unsure else False


def detectable_auc(members: int, non_members: int, confidence: float) -> float | None:
    """Returns the smallest true AUC that a check would have found, in (0.5, 1).

    Found is an AUC whose interval, that of `membership.auc`, lies above 0.5; at the
    AUC returned this happens with a probability of `POWER`. The scores are taken to be
    normal, with one variance for members and non-members, and the estimate's logit to
    be normal around the truth's, with DeLong's variance.

    Args:
      members: how many there are.
      non_members: how many there are.
      confidence: of the check's interval.

    Returns:
      The AUC; None where by this reckoning none is found as surely, with about a dozen
      records of a kind or fewer.
    """
    z = stats.norm.isf((1 - confidence) / 2) + stats.norm.ppf(POWER)

    def excess(logit):
        auc = special.expit(logit)
        deviation = np.sqrt(_variance(auc, members, non_members))
        return logit - z * deviation / (auc * (1 - auc))

    # Below 0 without a signal, then above, and below again near an AUC of 1.
    above = np.flatnonzero(excess(_LOGITS) > 0)
    if not len(above):
        return None
    ends = _LOGITS[above[0] - 1], _LOGITS[above[0]]
    return float(special.expit(optimize.brentq(excess, *ends)))


def _variance(auc, members, non_members):
    """The variance of the estimate of an AUC, of normal scores.

    Source: Hanley and McNeil, "The meaning and use of the area under a receiver
    operating characteristic (ROC) curve", Radiology 1982, equation 1, with the normal
    distribution's chance that two members both exceed one non-member.
    """
    # Two standard normals with a correlation of 1/2 are both below the quantile.
    both = auc - 2 * special.owens_t(special.ndtri(auc), 3**-0.5)
    spread = (members + non_members - 2) * (both - auc**2)
    return (auc * (1 - auc) + spread) / (members * non_members)
