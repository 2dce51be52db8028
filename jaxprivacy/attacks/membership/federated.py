"""FedMIA: in federated training the other participants' updates are the null."""

from __future__ import annotations

import numpy as np
from scipy import stats

LEAST_SPREAD = 1e-12


def fedmia(target: np.ndarray, others: np.ndarray) -> np.ndarray:
    """Scores records by how they stand out in the target's updates: (N,).

    "FedMIA: An Effective Membership Inference Attack Exploiting 'All for One' Principle
    in Federated Learning", CVPR 2025, arXiv 2402.06289: of each round, the signals that
    the other participants' updates show of a record are those of models without it; the
    score is the mean over rounds of the normal probability of a lower signal. With the
    loss it is their FedMIA-I, with the cosine of gradient and update FedMIA-II.

    Args:
      target: (T, N) signals of the target's update at T rounds, higher for members.
      others: (T, P - 1, N) the same of the other participants, at least two.
    """
    others = np.asarray(others, np.float64)
    spread = np.maximum(others.std(axis=1, ddof=1), LEAST_SPREAD)
    return stats.norm.cdf((target - others.mean(axis=1)) / spread).mean(axis=0)
