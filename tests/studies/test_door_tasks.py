"""The audit of models that answer other things than one class, each by heart or not."""

import dataclasses
from unittest import mock

import jax.numpy as jnp
import numpy as np
import pytest

import jaxprivacy
from jaxprivacy.models import attack_presets
from jaxprivacy.studies import target_audit
from tests.launch import launched
from tests.studies.by_heart import RULES, audit

MEMBERS, OTHERS, SIZE = 60, 120, 240
TOKENS, WORDS = 5, 4


def numbers(rng, count):
    return 1000 + 50 * rng.normal(size=count).astype(np.float32)


def two_numbers(rng, count):
    return rng.normal(size=(count, 2)).astype(np.float32)


def classes(rng, count):
    return rng.integers(0, WORDS, count)


def flags(rng, count):
    return rng.integers(0, 2, (count, 1))


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
    "classes": (several, classes, lambda y: 6 * np.eye(WORDS)[y], {}),
    "one logit": (several, flags, lambda y: 6 * y - 3, {}),
    "a regression": (one_number, numbers, lambda y: y - 1000, {"b": np.float32(1000)}),
    "a regression of two numbers": (several, two_numbers, lambda y: y, {}),
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


@pytest.mark.parametrize("name", CASES)
def test_what_was_learned_by_heart_is_found_and_what_was_not_is_not(name):
    apply, params, *records = case(name)
    found = audit(apply, params, *records)
    loss = found.findings[0]
    assert loss.name == "loss_threshold" and loss.auc.low > 0.6
    assert found.level in ("clear", "severe")
    assert name.startswith(found.result["in_effect"]["task"])
    told = found.result["target"]
    assert told["train_loss"] < told["test_loss"]
    rng = np.random.default_rng(7)
    blank = params | {"w": rng.normal(size=params["w"].shape).astype(np.float32)}
    nothing = audit(apply, blank, *records)
    assert nothing.level == "cannot_tell"
    said = nothing.result["verdict"]["sentences"][0]
    assert "not shown to have learned anything" in said
    for finding in nothing.findings:
        assert finding.auc.low < 0.5 < finding.auc.high


def test_networks_take_what_outputs_there_are():
    """Of sequences, with padding; what is not defined is told, and refused if asked."""
    quick = dataclasses.replace(
        attack_presets.ANCHORED, epochs=2, least_steps=2, encoder_widths=(8,)
    )
    apply, params, *records = case("token sequences")
    with mock.patch.dict(attack_presets.PRESETS, anchored=quick):
        found = audit(apply, params, *records, attacks="black_box")
    assert found.findings[0].auc.low > 0.5
    page = found._repr_html_()
    assert "of the tokens are right, on the attacked members" in page
    assert "The loss of a record is the mean cross-entropy of a sequence" in page
    with mock.patch.object(target_audit, "run") as run:
        audit(apply, params, *records, attacks=None)
    settings, _, notes, *_ = run.call_args.args
    assert settings.attacks == ("white_box", "black_box", *RULES)
    assert notes[0].startswith("confidence was not run: a record has no class of")
    with pytest.raises(jaxprivacy.InputError) as error:
        audit(apply, params, *records, attacks=("loss_threshold", "confidence"))
    assert "attacks=confidence: a record has no class" in str(error.value)
    assert "answers being taken for token sequences; accepted here" in str(error.value)


def test_a_loss_that_is_named_decides_what_outputs_are():
    apply, params, members, others = case("several labels")
    one = np.eye(3)[np.arange(MEMBERS) % 3], np.eye(3)[np.arange(OTHERS) % 3]
    found = audit(
        apply,
        params,
        (members[0], one[0]),
        (others[0], one[1]),
        loss=jaxprivacy.logistic_losses,
    )
    assert found.result["in_effect"]["task"] == "several labels"
    apply, params, *records = case("token sequences")
    found = audit(apply, params, *records, loss=jaxprivacy.summed_token_loss)
    assert found.result["in_effect"]["task"] == "token sequences"
    assert "summed" in found.result["target"]["loss"]


@pytest.mark.parametrize(
    ("name", "y", "said"),
    [
        (
            "a regression",
            np.resize([-1.0, 1.0], 180),
            "y: holds -1 and 1 alone; accepted",
        ),
        (
            "a regression",
            np.arange(180),
            "^y of members: holds 2 at record 2",
        ),
        ("a regression", np.ones((180, 3)), r"outputs of shape \(1,\) of a record"),
        ("several labels", np.full((180, 3), 2), "accepted are 0 and 1 for several"),
        ("several labels", np.ones((180, 2)), r"outputs of shape \(3,\) of a record"),
        (
            "token sequences",
            np.full((180, 5), 4),
            r"holds 4 at record 0; .* 0 to 3, and",
        ),
        (
            "token sequences",
            np.full((180, 5), -1),
            "at least one token that is not pad",
        ),
        ("token sequences", np.ones((180, 4), int), r"outputs of shape \(5, 4\) of a"),
        (
            "token sequences",
            np.ones(180, int),
            r"outputs of shape \(5, 4\) of a record",
        ),
    ],
)
def test_labels_of_no_kind_are_refused(name, y, said):
    apply, params, (x, _), (other_x, _) = case(name)
    with pytest.raises(jaxprivacy.InputError, match=said) as error:
        audit(apply, params, (x, y[:MEMBERS]), (other_x, y[MEMBERS:]))
    assert "\n" not in str(error.value)


def test_losses_by_hand():
    uniform = jnp.zeros((3, 4))
    label = jnp.array([1, -1, 2])
    log4 = np.log(4)
    assert jaxprivacy.token_loss(uniform, label) == pytest.approx(log4)
    assert jaxprivacy.summed_token_loss(uniform, label) == pytest.approx(2 * log4)
    errors = jnp.array([1.0, 5.0]), jnp.array([2.0, 2.0])
    assert jaxprivacy.squared_error(*errors) == 5
    found = jaxprivacy.logistic_losses(jnp.array([0.0, 3.0]), jnp.array([1, 0]))
    assert found == pytest.approx(np.log(2) + np.log1p(np.exp(3)))
