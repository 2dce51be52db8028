"""The audit of models that answer other things than one class, each by heart or not."""

import dataclasses
from unittest import mock

import jax.numpy as jnp
import numpy as np
import pytest

import jaxprivacy
from jaxprivacy.models import attack_presets
from tests.launch import launched

MEMBERS, OTHERS, SIZE = 60, 120, 64
RULES = ("loss_threshold", "gradient_norm")
TOKENS, WORDS = 5, 4


def numbers(rng, count):
    return 1000 + 50 * rng.normal(size=count).astype(np.float32)


def two_numbers(rng, count):
    return rng.normal(size=(count, 2)).astype(np.float32)


def labels(rng, count):
    return rng.integers(0, 2, (count, 3))


def tokens(rng, count):
    """Sequences of one to five tokens, padded."""
    y = rng.integers(0, WORDS, (count, TOKENS))
    return np.where(np.arange(TOKENS) < rng.integers(1, 6, (count, 1)), y, -100)


def one_number(params, x):
    return x @ params["w"] + params["b"]


def several(params, x):
    return x @ params["w"]


def sequence(params, x):
    return (x @ params["w"]).reshape(len(x), TOKENS, WORDS)


def scores(y):
    """What makes the outputs right: (N, T * V)."""
    return (6 * np.eye(WORDS)[np.maximum(y, 0)]).reshape(len(y), -1)


CASES = {
    "regression": (one_number, numbers, lambda y: y - 1000, {"b": np.float32(1000)}),
    "regression of several": (several, two_numbers, lambda y: y, {}),
    "several labels": (several, labels, lambda y: 6 * y - 3, {}),
    "token sequences": (sequence, tokens, scores, {}),
}


@pytest.fixture(scope="module", autouse=True)
def fast():
    with launched.compiled_fast():
        yield


def case(name):
    """A function, parameters that know the members, and the records."""
    apply, draw, wanted, more = CASES[name]
    rng = np.random.default_rng(0)
    x = rng.normal(size=(MEMBERS + OTHERS, SIZE)).astype(np.float32)
    y = draw(rng, len(x))
    weights = np.linalg.lstsq(x[:MEMBERS], wanted(y[:MEMBERS]), rcond=None)[0]
    params = {"w": weights.astype(np.float32)} | more
    return apply, params, (x[:MEMBERS], y[:MEMBERS]), (x[MEMBERS:], y[MEMBERS:])


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


@pytest.mark.parametrize("name", CASES)
def test_what_was_learned_by_heart_is_found_and_what_was_not_is_not(name):
    apply, params, *records = case(name)
    found = audit(apply, params, *records)
    loss = found.findings[0]
    assert loss.name == "loss_threshold" and loss.auc.low > 0.6
    assert found.level in ("clear", "severe")
    assert found.result["in_effect"]["task"] == name.removesuffix(" of several")
    told = found.result["target"]
    assert told["train_loss"] < told["test_loss"]
    rng = np.random.default_rng(3)
    blank = params | {"w": rng.normal(size=params["w"].shape).astype(np.float32)}
    nothing = audit(apply, blank, *records)
    assert nothing.level == "cannot_tell"
    said = nothing.result["verdict"]["sentences"][0]
    assert "not shown to have learned anything" in said
    for finding in nothing.findings:
        assert finding.auc.low < 0.5 < finding.auc.high
