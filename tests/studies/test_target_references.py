"""The audit of one's own model beside models trained as it was."""

import json
from unittest import mock

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import linen as nn, nnx

import jaxprivacy
from jaxprivacy import cards
from jaxprivacy.evaluation import membership as evaluation
from jaxprivacy.studies import (
    mimicry,
    references,
    target_audit,
    target_references,
    training,
)
from jaxprivacy.targets import tasks
from jaxprivacy.training import local
from tests.launch import launched
from tests.studies import by_heart
from tests.studies.by_heart import CLASSES, SIZE, linear

COUNT, FEATURES, HIDDEN, STEPS = 160, 16, 64, 150
ATTACKS = ("loss_threshold", "confidence", *target_references.ATTACKS)


@pytest.fixture(scope="module", autouse=True)
def fast():
    with launched.compiled_fast():
        yield


def mlp(params, x):
    return jnp.tanh(x @ params["in"]) @ params["out"]


def train_mlp(key, records, mask):
    """Full-batch descent with momentum, until it knows its records by heart."""
    x, y = records
    keys = jax.random.split(key)
    params = {
        "in": jax.random.normal(keys[0], (FEATURES, HIDDEN)) / FEATURES**0.5,
        "out": jax.random.normal(keys[1], (HIDDEN, CLASSES)) / HIDDEN**0.5,
    }

    def loss(params):
        each = jax.vmap(jaxprivacy.cross_entropy)(mlp(params, x), y)
        return (each * mask).sum() / mask.sum()

    def step(carry, _):
        params, speed = carry
        change = jax.grad(loss)(params)
        speed = jax.tree.map(lambda v, g: 0.9 * v - 0.3 * g, speed, change)
        return (jax.tree.map(jnp.add, params, speed), speed), None

    still = jax.tree.map(jnp.zeros_like, params)
    return jax.lax.scan(step, (params, still), length=STEPS)[0][0]


def half_easy(count):
    """Records of which every other one is typical, the others' labels being drawn."""
    rng = np.random.default_rng(1)
    y, drawn = rng.integers(CLASSES, size=(2, count))
    easy = np.arange(count) % 2 == 0
    x = rng.normal(size=(count, FEATURES)) + 4 * easy[:, None] * np.eye(FEATURES)[y]
    return x.astype(np.float32), np.where(easy, y, drawn)


@pytest.fixture(scope="module")
def study():
    """The report of the MLP, and what its references said."""
    x, y = half_easy(3 * COUNT)
    members = x[:COUNT], y[:COUNT]
    params = jax.jit(train_mlp)(jax.random.key(7), members, jnp.ones(COUNT))
    kept, ask = [], target_references.said

    def spied(given, of, *rest):
        kept.extend((of, ask(given, of, *rest)))
        return kept[1]

    with mock.patch.object(target_references, "said", spied):
        report = by_heart.audit(
            mlp,
            params,
            members,
            (x[COUNT:], y[COUNT:]),
            ATTACKS,
            train=train_mlp,
            references=8,
        )
    return report, *kept, x, y


def rate(report, name, fpr=0.1):
    (found,) = (f for f in report.findings if f.name == name)
    return next(r["value"] for r in found.tpr_at_fpr if r["fpr"] == fpr)


def test_every_attack_has_a_row_and_a_null_check(study):
    report = study[0]
    assert {f.name for f in report.findings} == set(ATTACKS) <= set(cards.CARDS)
    checks = [row["attack"] for row in report.result["null_checks"]]
    assert sorted(checks) == sorted(ATTACKS)
    assert json.loads(json.dumps(report.result, allow_nan=False))
    assert report.result["settings"]["references"] == 8


def test_references_find_at_low_rates_what_the_loss_does_not(study):
    """Easy non-members have as low a loss as members: the loss alone needs a rate."""
    report = study[0]
    assert report.result["target"]["train_accuracy"] == 1
    assert report.result["references"]["train_accuracy"] > 0.99
    for name in ("lira_online", "bavaria"):
        assert rate(report, name) > rate(report, "loss_threshold") + 0.15


def test_nothing_is_found_where_another_model_is_asked_for_the_target_s_members(study):
    for row in study[0].result["null_checks"]:
        assert row["auc"]["low"] <= 0.5 <= row["auc"]["high"], row["attack"]


def test_each_record_is_in_half_of_the_references_and_all_are_of_the_target_s_size(
    study,
):
    _, of, _, x, y = study
    target, references = of.dealt.held[0], of.dealt.held[1:]
    assert (references.sum(axis=0) == 4).all()
    assert (references.sum(axis=1) + len(of.always) == COUNT).all()
    assert (of.dealt.attacked[target] < COUNT).all()
    assert (of.dealt.attacked[~target] >= COUNT).all()
    assert (of.dealt.population >= COUNT).all()
    assert not set(of.dealt.population) & set(of.dealt.attacked)
    for model in references:
        both = [y[of.dealt.attacked[kind]] for kind in (model, ~model)]
        counts = [np.bincount(kind, minlength=CLASSES) for kind in both]
        assert np.abs(counts[0] - counts[1]).max() <= 1


def test_what_is_said_and_found_is_that_of_plain_loops(study):
    """Models trained one by one on their own records, and LiRA in NumPy."""
    report, of, said, x, y = study
    dealt, key = of.dealt, training.named_key(0, "references")
    for model in (0, 5):
        own = [*dealt.attacked[dealt.held[1 + model]], *of.always]
        params = jax.jit(train_mlp)(
            jax.random.fold_in(key, model), (x[own], y[own]), jnp.ones(len(own))
        )
        everyone = dealt.everyone
        out = np.asarray(mlp(params, x[everyone]), np.float64)
        p = np.exp(out - out.max(axis=1, keepdims=True))
        p = (p / p.sum(axis=1, keepdims=True))[np.arange(len(out)), y[everyone]]
        np.testing.assert_allclose(
            1 / (1 + np.exp(-said.log_odds[1 + model])), p, atol=0.01
        )
    count = len(dealt.attacked)
    signal, held = said.log_odds[1:, :count], dealt.held[1:]
    deviations = [
        signal[s, n] - signal[held[:, n] == held[s, n], n].mean()
        for s in range(8)
        for n in range(count)
    ]
    deviations = np.reshape(deviations, (8, count))
    scores = []
    spread = [np.sqrt((deviations[held == k] ** 2).sum() / (3 * count)) for k in (0, 1)]
    for n in range(count):
        odds = []
        for k in (0, 1):
            mean = signal[held[:, n] == k, n].mean()
            z = (said.log_odds[0, n] - mean) / spread[k]
            odds.append(-(z**2) / 2 - np.log(spread[k]))
        scores.append(odds[1] - odds[0])
    scores = np.array(scores)
    member, judged = dealt.held[0], dealt.judged
    want = evaluation.auc(scores[member & judged], scores[~member & judged], 0.95)
    found = {f.name: f.auc.value for f in report.findings}
    assert found["lira_online"] == pytest.approx(want.value, abs=0.01)


def ridge(key, records, mask):
    """Ridge regression of the classes, in closed form."""
    x, y = records
    x = x.astype(jnp.float32)
    gram = (x * mask[:, None]).T @ x + 1e-3 * jnp.eye(x.shape[1])
    right = (x * mask[:, None]).T @ (3 * jax.nn.one_hot(y, CLASSES))
    return {"w": jnp.linalg.solve(gram, right)}


@pytest.fixture(scope="module")
def records():
    return by_heart.records()


@pytest.fixture(scope="module")
def params(records):
    return {"w": by_heart.weights(records[0])}


def audit(params, records, attacks=("loss_threshold", "lira_online"), **options):
    options = {"train": ridge, "references": 4} | options
    return by_heart.audit(linear, params, *records, attacks, **options)


@pytest.fixture(scope="module")
def plain(params, records):
    return audit(params, records)


def test_forms_of_records_and_targets_have_the_same_findings(plain, params, records):
    """Batches in a list, a mapping of arrays, `train` within the target."""
    want = [f.auc for f in plain.findings]
    batches = [
        [(x[:33], y[:33]), (x[33:], y[33:])] if i else (x, y)
        for i, (x, y) in enumerate(records)
    ]
    mapped = [({"a": x[:, :9], "b": x[:, 9:]}, y[:, None]) for x, y in records]

    def joined(x):
        return jnp.concatenate([x["a"], x["b"]], axis=1)

    target = jaxprivacy.function(
        lambda params, x: linear(params, joined(x)),
        params,
        train=lambda key, of, mask: ridge(key, (joined(of[0]), of[1]), mask),
    )
    chosen = ("loss_threshold", "lira_online")
    for report in (
        audit(params, batches),
        by_heart.audit(target, None, *mapped, chosen, references=4),
    ):
        found = [f.auc for f in report.findings]
        np.testing.assert_allclose(found, want, rtol=1e-6)


def test_one_attack_more_changes_no_other_s_numbers(plain, params, records):
    found = audit(params, records, ("loss_threshold", "lira_online", "rmia_offline"))
    for ours, theirs in zip(found.findings, plain.findings, strict=False):
        assert ours.name == theirs.name and ours.auc == theirs.auc
    alone = audit(params, records, ("loss_threshold",), references=0)
    assert alone.findings[0].auc == plain.findings[0].auc
    assert "references" not in alone.result


def drawn(key, of, mask):
    return {"w": jax.random.normal(key, (SIZE, CLASSES))}


def test_a_model_that_was_trained_on_nothing_gives_nothing_away(records):
    params = drawn(jax.random.key(3), None, None)
    names = ("lira_online", "lira_offline", "rmia_online", "bavaria", "entropy")
    report = audit(params, records, names, train=drawn, references=6)
    rows = report.result["membership"] + report.result["null_checks"]
    assert len(rows) == 2 * len(names)
    for row in rows:
        assert row["auc"]["low"] <= 0.5 <= row["auc"]["high"], row["attack"]
    assert "do not mimic" not in " ".join(report.contents.notes)


def test_references_unlike_the_target_are_told(plain, params, records):
    assert "do not mimic" not in " ".join(plain.contents.notes)
    report = audit(params, records, train=drawn, attacks=("rmia_online",))
    assert "The reference models do not mimic the target" in " ".join(
        report.contents.notes
    )
    near = {"train_accuracy": 0.9, "test_accuracy": 0.5}
    assert not mimicry.warning(near, near | {"test_accuracy": 0.58})
    assert mimicry.warning(near, near | {"test_accuracy": 0.62})


def test_a_class_with_a_single_record_is_no_hindrance(params, records):
    (x, y), others = records
    y, (other_x, other_y) = np.where(y == 2, 1, y), others
    y[0] = 2
    other_y = np.where(other_y == 2, 0, other_y)
    found = audit(params, ((x, y), (other_x, other_y)), ("lira_offline",))
    assert [f.name for f in found.findings] == ["lira_offline"]


class Net(nn.Module):
    @nn.compact
    def __call__(self, x, train):
        del train
        return nn.Dense(CLASSES, use_bias=False)(x)


def test_train_is_an_option_of_a_module_s_call_or_how_it_is_trained(params, records):
    """Of a Linen module with variables in a tree of their own."""

    def fitted(*of):
        return {"params": {"Dense_0": {"kernel": ridge(*of)["w"]}}}

    variables = {"params": {"Dense_0": {"kernel": params["w"]}}}
    target = jaxprivacy.linen(Net(), variables, train=False)
    assert target.train is None
    target = target._replace(train=fitted)
    names = ("lira_online",)
    found = by_heart.audit(target, None, *records, names, references=4)
    assert found.findings[0].auc.low > 0.5
    dense = nn.Dense(CLASSES, use_bias=False)
    assert jaxprivacy.linen(dense, variables, train=fitted).train is fitted


class Linear(nnx.Module):
    def __init__(self, weights):
        self.layer = nnx.Linear(SIZE, CLASSES, use_bias=False, rngs=nnx.Rngs(0))
        self.layer.kernel[...] = jnp.asarray(weights)

    def __call__(self, x):
        return self.layer(x)


def test_an_nnx_module_is_trained_to_the_state_of_its_parameters(
    plain, params, records
):
    module = Linear(params["w"])

    def train(*of):
        fitted = nnx.clone(module)
        fitted.layer.kernel[...] = ridge(*of)["w"]
        return nnx.state(fitted, nnx.Param)

    target = jaxprivacy.nnx(module, train=train)
    found = by_heart.audit(target, None, *records, ("lira_online",), references=4)
    assert found.findings[0].auc.value == pytest.approx(plain.findings[1].auc.value)


def test_several_models_at_once_are_those_one_after_the_other(plain, params, records):
    """As on other platforms than a CPU."""
    with (
        mock.patch.object(local, "side_by_side", lambda one, *of: jax.vmap(one)(*of)),
        mock.patch.dict(references.AT_ONCE, {"cpu": 3}),
    ):
        found = audit(params, records)
    for ours, theirs in zip(found.findings, plain.findings, strict=True):
        assert ours.auc.value == pytest.approx(theirs.auc.value, abs=1e-3)


def untraceable(key, of, mask):
    return {"w": jnp.ones((SIZE, CLASSES)) * (1 if of[0].sum() > 0 else 2)}


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"references": 3}, "references=3: accepted are 0 and even"),
        ({"references": 2}, "references=2: accepted are 0 and even"),
        ({"references": True}, "references=True: accepted are"),
        ({"references": "8"}, "references=8: accepted are"),
        ({"references": 0}, "attacks=lira_online: is run beside"),
        ({"attacks": ("lyra",)}, "attacks=lyra: accepted are white_box"),
        ({"attacks": ("confidence",)}, "none of the attacks that were asked for"),
        ({"attacks": ("combined",)}, "attacks=combined: combines other attacks"),
        ({"train": None}, "train=None: reference models are trained as the target"),
        ({"train": 3}, "train=3: accepted is a pure function"),
        ({"train": lambda key, of: {}}, "train: fails where it is traced (TypeError"),
        ({"train": untraceable}, "train: fails where it is traced (TracerBool"),
        ({"train": lambda *of: {"v": ridge(*of)["w"]}}, "returns no array w, where"),
        ({"train": lambda *of: {"w": ridge(*of)["w"].T}}, "w of shape (3, 64), where"),
        ({"train": lambda *of: ridge(*of) | {"b": jnp.ones(2)}}, "an array b of shape"),
        (
            {"train": lambda *of: {"w": ridge(*of)["w"] * jnp.nan}},
            "references: the training of model 0 diverges",
        ),
    ],
)
def test_bad_input_is_told_in_one_line(options, said, params, records):
    with pytest.raises(jaxprivacy.InputError) as refused:
        audit(params, records, **options)
    assert said in str(refused.value) and "\n" not in str(refused.value)


def test_records_that_come_one_by_one_cannot_be_trained_on(params, records):
    members, others = records
    for kinds, name in (
        ((iter([members]), others), "members=list_iterator"),
        ((members, iter([others])), "non_members=list_iterator"),
    ):
        with pytest.raises(jaxprivacy.InputError, match=f"^{name}: with references"):
            audit(params, kinds)


def test_answers_that_are_no_class_say_why_references_are_not_compared(params, records):
    numbers = [(x, x[:, :CLASSES]) for x, _ in records]
    with pytest.raises(
        jaxprivacy.InputError, match="attacks=lira_online: a record has"
    ):
        audit(params, numbers)
    task = tasks.Task(tasks.NUMBERS, jaxprivacy.squared_error, (CLASSES,), "error")
    names, notes = target_audit.fitting(None, task, 4)
    assert not set(names) & set(target_references.ATTACKS)
    assert "lira_online" in " ".join(notes) and "no class of which" in " ".join(notes)
