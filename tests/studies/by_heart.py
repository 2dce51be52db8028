"""A linear model that has learned its members by heart, and how tests audit models."""

import numpy as np

import jaxprivacy

MEMBERS, OTHERS, SIZE, CLASSES = 60, 120, 64, 3
RULES = ("loss_threshold", "gradient_norm")


def records():
    """Records of noise, labels without meaning."""
    rng = np.random.default_rng(0)
    x = rng.normal(size=(MEMBERS + OTHERS, SIZE)).astype(np.float32)
    y = rng.integers(0, CLASSES, MEMBERS + OTHERS)
    return (x[:MEMBERS], y[:MEMBERS]), (x[MEMBERS:], y[MEMBERS:])


def weights(members):
    """Weights that learned the members by heart: more of them than records."""
    x, y = members
    return np.linalg.lstsq(x, 3 * np.eye(CLASSES)[y], rcond=None)[0].astype(np.float32)


def linear(params, x):
    return x @ params["w"]


def audit(target, params, members, non_members, attacks=RULES, **options):
    return jaxprivacy.audit(
        target,
        params,
        members=members,
        non_members=non_members,
        attacks=attacks,
        progress=False,
        **options,
    )
