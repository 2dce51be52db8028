"""The audit of a model of one's own: any form of it, and what is refused."""

import json

import jax.numpy as jnp
import numpy as np
import pytest
from flax import linen as nn, nnx
from flax.core import FrozenDict

import jaxprivacy
from jaxprivacy.evaluation import membership
from tests.launch import launched
from tests.studies import by_heart
from tests.studies.by_heart import (
    CLASSES,
    MEMBERS,
    OTHERS,
    RULES,
    SIZE,
    audit,
    linear,
)

SAME = np.eye(60, SIZE), np.arange(60) % CLASSES
ONE_HOT = np.eye(60, SIZE), np.eye(CLASSES)[np.arange(60) % CLASSES]


@pytest.fixture(scope="module", autouse=True)
def fast():
    with launched.compiled_fast():
        yield


@pytest.fixture(scope="module")
def records():
    return by_heart.records()


@pytest.fixture(scope="module")
def weights(records):
    return by_heart.weights(records[0])


@pytest.fixture(scope="module")
def report(records, weights):
    return audit(linear, {"w": weights}, *records)


def test_members_learned_by_heart_are_found(report):
    assert report.level in ("clear", "severe")
    assert [f.name for f in report.findings] == list(RULES)
    for finding in report.findings:
        assert finding.auc.low > 0.6 and finding.trained is None
        assert {rate["fpr"] for rate in finding.tpr_at_fpr}
    assert [row["auc"]["value"] > 0.3 for row in report.result["null_checks"]]
    assert report.result["target"]["train_accuracy"] == 1
    assert report.result["target"]["test_accuracy"] < 0.7


def test_the_rule_is_that_of_plain_numpy(report, records, weights):
    """On the records that were judged, found again by their number among the given."""
    (x, y), (other_x, other_y) = records
    everyone, labels = np.concatenate([x, other_x]), np.concatenate([y, other_y])
    out = everyone.astype(np.float64) @ weights
    loss = np.log(np.exp(out).sum(axis=1)) - out[np.arange(len(out)), labels]
    rng = np.random.default_rng([0, *b"deal"])
    others = rng.permutation(np.arange(MEMBERS, MEMBERS + OTHERS))
    members = rng.permutation(np.arange(MEMBERS))
    judged = int(0.55 * MEMBERS)
    want = membership.auc(
        -loss[members[judged:]], -loss[others[:MEMBERS][judged:]], 0.95
    )
    assert report.findings[0].auc.value == pytest.approx(want.value)


class Dense(nn.Module):
    @nn.compact
    def __call__(self, x):
        return nn.Dense(CLASSES, use_bias=False)(x)


class Linear(nnx.Module):
    def __init__(self, weights):
        self.layer = nnx.Linear(SIZE, CLASSES, use_bias=False, rngs=nnx.Rngs(0))
        self.layer.kernel[...] = jnp.asarray(weights)
        self.dropout = nnx.Dropout(0.5, rngs=nnx.Rngs(1))

    def __call__(self, x):
        return self.dropout(self.layer(x))


def test_every_form_of_a_model_has_the_same_findings(report, records, weights):
    """NNX with dropout, which is switched off; the caller's module stays as it was."""
    module = Linear(weights)
    forms = (
        (Dense(), {"params": {"Dense_0": {"kernel": weights}}}),
        (Dense(), {"Dense_0": {"kernel": weights}}),
        (Dense(), FrozenDict({"params": {"Dense_0": {"kernel": weights}}})),
        (module, None),
        (jaxprivacy.Target(linear, {"w": weights}), None),
        (jaxprivacy.function(linear, {"w": weights}), None),
    )
    want = [finding.auc for finding in report.findings]
    for target, params in forms:
        found = [f.auc for f in audit(target, params, *records).findings]
        np.testing.assert_allclose(found, want, rtol=1e-6)
    assert not module.dropout.deterministic


def test_snapshots_and_one_training_differ_in_the_last_alone(report, records, weights):
    """Rules go by the last snapshot; norms are shown of all."""
    blank = {"w": np.zeros_like(weights)}
    both = audit(linear, [blank, {"w": weights}], *records)
    for ours, theirs in zip(both.findings, report.findings, strict=True):
        np.testing.assert_allclose(ours.auc, theirs.auc, rtol=1e-6)
    assert both.contents.gradient_norms.members.shape[0] == 2


def test_a_loss_of_one_s_own_has_the_attacks_that_fit(records, weights):
    def squared(output, label):
        return jnp.sum((output - label) ** 2)

    targets = [(x, 3 * np.eye(CLASSES)[y]) for x, y in records]
    found = audit(linear, {"w": weights}, *targets, None, loss=squared)
    assert [f.name for f in found.findings] == list(RULES)
    assert found.findings[0].auc.value > 0.99
    said = "white_box, black_box, confidence were not run: what outputs mean to a loss"
    assert found.contents.notes[0].startswith(said)
    assert found.result["target"]["loss"] == "the one that was given, squared"
    assert found.result["target"]["train_accuracy"] is None
    [evidence] = found.result["evidence"]
    assert evidence["copies"] == 0 and not evidence["constant_inputs"]
    assert "Gradient norm" in found._repr_html_()


def test_one_output_is_a_logit(records):
    (x, _), (other_x, _) = records
    rng = np.random.default_rng(1)
    y, other_y = rng.integers(0, 2, MEMBERS), rng.integers(0, 2, OTHERS)
    weights = np.linalg.lstsq(x, 6.0 * y[:, None] - 3, rcond=None)[0]
    found = audit(
        linear,
        {"w": weights.astype(np.float32)},
        (x, y),
        (other_x, other_y),
        ("confidence", "loss_threshold"),
    )
    assert all(f.auc.value > 0.55 for f in found.findings)
    assert found.result["target"]["train_accuracy"] == 1
    flat = audit(
        lambda params, x: linear(params, x)[:, 0],
        {"w": weights.astype(np.float32)},
        (x, y[:, None] == 1),
        (other_x, other_y.astype(float)),
        ("confidence", "loss_threshold"),
    )
    assert [f.auc for f in flat.findings] == [f.auc for f in found.findings]


def test_the_form_of_records_and_labels_changes_nothing(report, records, weights):
    (x, y), (other_x, other_y) = records
    forms = (
        (x.astype(object), y[:, None]),
        (jnp.asarray(x), jnp.asarray(y, jnp.float32)),
        (x.astype(np.float64).tolist(), y.astype(object)),
        (np.asfortranarray(x), y.astype(np.uint8)),
    )
    for form in forms:
        found = audit(linear, {"w": weights}, form, (other_x, other_y))
        assert [f.auc for f in found.findings] == [f.auc for f in report.findings]
    half = [(jnp.asarray(x, jnp.bfloat16), y) for x, y in records]
    assert audit(linear, {"w": weights}, *half, "loss_threshold").findings


def test_the_report_is_written(report, tmp_path):
    found = report
    page = found.save(tmp_path / "mine")
    assert page.read_text().startswith("<!DOCTYPE html>")
    result = json.loads((tmp_path / "mine" / "result.json").read_text())
    assert result["schema"] == 2 and len(result["membership"]) == len(RULES)
    with pytest.raises(jaxprivacy.InputError, match="already holds"):
        found.save(tmp_path / "mine")
    assert "Verdict: " in repr(found)
    assert "srcdoc=" in found._repr_html_()


def test_the_same_seed_gives_the_same_numbers(report, records, weights):
    again = audit(linear, {"w": weights}, *records)
    other = audit(linear, {"w": weights}, *records, seed=1)
    assert again.result["membership"] == report.result["membership"]
    assert other.result["membership"] != report.result["membership"]


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"target": 3}, "target=int: accepted are a jaxprivacy.Target, a Linen"),
        ({"target": Dense}, "target=Dense: accepted are"),
        ({"params": None}, "params=None: accepted are"),
        ({"params": []}, "params=.*: accepted is at least one snapshot"),
        ({"params": {"other": np.ones(2)}}, "target: cannot be applied"),
        ({"attacks": ("lira",)}, "attacks=lira: accepted are white_box"),
        ({"attacks": ()}, "attacks=.*: accepted are"),
        ({"seed": -1}, "seed=-1: accepted are"),
        ({"members": np.ones((3, SIZE))}, "members=ndarray: accepted are a pair"),
        ({"members": (np.ones((3, SIZE)), np.ones(2, int))}, "members: x of shape"),
        ({"members": (np.ones(SIZE), np.ones(SIZE, int))}, "members: x of shape"),
        ({"members": (np.full((9, SIZE), np.nan), np.ones(9, int))}, "x holds nan at"),
        ({"members": (np.ones((9, 2)), np.ones(9, int))}, "accepted is the shape"),
        ({"members": (np.full((9, SIZE), 1e300), np.ones(9, int))}, "within float32"),
        ({"members": (np.full((9, SIZE), 2**40), np.ones(9, int))}, "within int32"),
        ({"members": (np.full((9, SIZE), 1j), np.ones(9, int))}, "of type complex"),
        ({"members": ([[1, 2], [3]], [0, 1])}, "members: x is no array"),
        ({"members": (np.eye(60, SIZE), ["a"] * 60)}, "members: y of type <U1"),
        (dict.fromkeys(("members", "non_members"), ONE_HOT), "y.argmax"),
        ({"seed": 1.5}, "^seed=1.5: accepted are"),
        ({"seed": "one"}, "^seed=one: accepted are"),
        ({"preset": "table-xiv"}, "accepted beside it is anchored"),
        ({"params": {"w": "relu"}}, "params: hold what is no array"),
        ({"params": (np.ones((SIZE, 3)), np.ones(3))}, r"that are one are \[params\]"),
        (
            {"params": {"w": np.full((SIZE, 3), np.nan)}},
            "target: its output is NaN for",
        ),
        ({"loss": lambda output, label: output.sum() * jnp.nan}, "loss: is NaN for"),
        (
            {"loss": lambda output, label: output.sum(), "attacks": "confidence"},
            "not known; accepted here are loss_threshold, gradient_norm",
        ),
        (
            {
                "loss": lambda output, label: output.sum(),
                "members": (np.eye(60, SIZE), np.eye(60, 2)),
            },
            "non_members: labels of shape",
        ),
        ({"members": (np.eye(20, SIZE), np.ones(20, int))}, "at least 25 and 50"),
        ({"members": (np.eye(60, SIZE), np.full(60, 7))}, "accepted are the integers"),
        ({"target": lambda params, x: x.sum()}, "accepted is one output a record"),
        ({"target": lambda params, x: x[0] @ params["w"]}, "one output a record"),
        (
            {"target": lambda params, x: (x - x.mean(axis=0)) @ params["w"]},
            r"^target: the output of record 0 is another .* \(BatchNorm in evaluation",
        ),
        ({"params": {"w": np.ones((3, 3))}}, "target: cannot be applied"),
        ({"loss": lambda output, label: output}, "^loss: of one record's output and"),
        ({"members": (np.ones(SIZE), np.ones(()))}, r"and y of shape \(\); accepted"),
        ({"members": (np.ones((0, SIZE)), np.ones(0))}, r"x of shape \(0, 64\)"),
        ({"members": (np.eye(60, SIZE), np.full(60, 0.5))}, "holds 0.5 at record 0"),
        (dict.fromkeys(("members", "non_members"), SAME), "60 records are in both"),
        ({"target": lambda params, x: x[..., None]}, "or a loss of your own"),
        (
            {"params": [{"w": np.ones((SIZE, 3))}, {"w": np.ones((SIZE, 2))}]},
            "params: snapshot 1 has other arrays",
        ),
    ],
)
def test_what_is_wrong_is_refused_in_one_line(changes, said, records, weights):
    arguments = {
        "target": linear,
        "params": {"w": weights},
        "members": records[0],
        "non_members": records[1],
        "progress": False,
    } | changes
    target, params = arguments.pop("target"), arguments.pop("params")
    with pytest.raises(jaxprivacy.InputError, match=said) as error:
        jaxprivacy.audit(target, params, **arguments)
    assert "\n" not in str(error.value)


def test_every_public_name_is_there():
    for name in jaxprivacy.__all__:
        assert getattr(jaxprivacy, name).__doc__, name
    assert set(jaxprivacy.__all__) <= set(dir(jaxprivacy))
    with pytest.raises(AttributeError, match="no_such"):
        jaxprivacy.no_such  # noqa: B018
