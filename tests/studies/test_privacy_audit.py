"""The audit of a claim: canaries, their scores, what is claimed and what refutes it."""

import dataclasses

import jax
import numpy as np
import pytest
from scipy import stats

from jaxprivacy import errors
from jaxprivacy.defenses import accounting, dp_sgd
from jaxprivacy.evaluation import trade_offs
from jaxprivacy.report import verdict_bounds
from jaxprivacy.studies import canaries, privacy_audit, privacy_settings, training
from jaxprivacy.training import losses

SETTINGS = privacy_settings.PrivacySettings(
    records=300, canaries=100, mlp_widths=(6,), epochs=2, batch_size=40
)


@pytest.fixture(scope="module")
def prepared():
    return privacy_audit.prepare(SETTINGS)


def test_canaries_are_mislabelled_and_included_by_fair_coins(prepared):
    dataset, dealt, rate, steps = prepared
    assert (dataset.y[dealt.canaries] != dealt.labels).all()
    assert set(dealt.labels) <= set(range(10))
    everyone = np.concatenate([dealt.canaries, dealt.trained, dealt.tested])
    assert len(np.unique(everyone)) == len(everyone) == 300
    assert (rate, steps) == (40 / (140 + 50), round(2 * 190 / 40))
    data = dealt.batch(dataset)
    held = dealt.canaries[dealt.included]
    np.testing.assert_array_equal(data.x[140:], dataset.x[held])
    np.testing.assert_array_equal(data.y[140:], dealt.labels[dealt.included])
    many = [
        canaries.deal(dataclasses.replace(SETTINGS, seed=s), dataset).included.sum()
        for s in range(60)
    ]
    low, high = stats.binom(6000, 0.5).ppf([1e-4, 1 - 1e-4])
    assert low <= sum(many) <= high
    # Single coins, and not a half of them each time.
    assert 2 < np.std(many) < 10


def test_the_rate_and_the_steps_tell_nothing_of_the_coins(prepared):
    other = privacy_audit.prepare(dataclasses.replace(SETTINGS, seed=1))
    assert other.dealt.included.sum() != prepared.dealt.included.sum()
    assert other[2:] == prepared[2:]


def clipped(tree, norm):
    size = np.sqrt(sum((np.asarray(leaf) ** 2).sum() for leaf in jax.tree.leaves(tree)))
    return jax.tree.map(lambda leaf: np.asarray(leaf) * min(1, norm / size), tree)


def test_scores_equal_a_plain_loop(prepared):
    """Without noise, in batches known; record by record, with gradients in full."""
    dataset, dealt, *_ = prepared
    model = training.target_model(SETTINGS, dataset, 10)
    data, probes = dealt.batch(dataset), dealt.probes(dataset)
    batches = np.array([[0, 1, 141, 150], [5, 145, len(data.y), len(data.y)]])
    gradient = dp_sgd.gradient(
        model, max_norm=0.7, noise_multiplier=0.0, expected_batch=4.0
    )
    rate, key = 0.1, jax.random.key(3)
    known = privacy_audit._expected(
        dataclasses.replace(SETTINGS, max_norm=0.7, batch_size=4),
        prepared._replace(rate=rate),
        model,
    )
    found = canaries.train(
        gradient,
        model,
        data,
        probes,
        batches,
        known,
        learning_rate=2.0,
        max_norm=0.7,
        key=key,
        advance=lambda share: None,
    )

    def loss(params, x, y):
        return losses.cross_entropy(model.apply(params, x[None]), y[None])[0]

    of_one = jax.jit(jax.grad(loss))

    def summed(params, x, y, weights):
        parts = [
            clipped(of_one(params, *record), 0.7) for record in zip(x, y, strict=True)
        ]
        return jax.tree.map(
            lambda *leaves: sum(
                w * leaf for w, leaf in zip(weights, leaves, strict=True)
            ),
            *parts,
        )

    start = params = model.init(jax.random.split(key)[0])
    some = np.arange(0, 100, 9)  # Canaries that are looked at.
    product = np.zeros(100)
    everyone = np.concatenate([dealt.trained, dealt.canaries])
    labels = np.concatenate([dataset.y[dealt.trained], dealt.labels])
    chance = rate * np.repeat([1.0, 0.5], [140, 100])
    for batch in ([0, 1, 141, 150], [5, 145]):
        which = np.array(batch)
        released = summed(params, data.x[which], data.y[which], np.ones(len(which)))
        expected = summed(params, dataset.x[everyone], labels, chance)
        gap = jax.tree.map(lambda a, b: (a - b) / 4, released, expected)
        for i in some:
            own = clipped(of_one(params, probes.x[i], probes.y[i]), 0.7)
            products = jax.tree.map(lambda a, b: (a * b).sum(), gap, own)
            product[i] += sum(jax.tree.leaves(products))
        params = jax.tree.map(lambda p, g: p - 2.0 * g / 4, params, released)
    np.testing.assert_allclose(
        found.scores.gradient_product[some], product[some], rtol=1e-3, atol=1e-5
    )
    fell = [
        loss(start, x, y) - loss(params, x, y)
        for x, y in zip(probes.x[some], probes.y[some], strict=True)
    ]
    np.testing.assert_allclose(
        found.scores.loss_difference[some], fell, rtol=1e-3, atol=1e-5
    )


def test_a_claim_is_made_of_noised_poisson_batches_alone(prepared):
    for wrong in ({"noise_multiplier": 0.0}, {"sampling": "shuffled"}):
        settings = dataclasses.replace(SETTINGS, **wrong)
        assert privacy_audit.claim(settings, prepared) is None
    made = privacy_audit.claim(SETTINGS, prepared)
    again = accounting.dp_sgd(1.0, prepared.rate, prepared.steps, 1e-5)
    assert made.epsilon == again.epsilon > 1 and made.delta == 1e-5


def test_a_claim_of_one_whole_batch_is_the_gaussian_mechanisms():
    made = accounting.dp_sgd(0.8, 1.0, 1, 1e-5)
    exact = trade_offs.gaussian_epsilon(1 / 0.8, 1e-5)
    assert exact <= made.epsilon * (1 + 1e-6) and made.epsilon < 1.01 * exact
    for epsilon, delta in list(zip(made.epsilons, made.deltas, strict=True))[:30:5]:
        exact = trade_offs.gaussian_delta(1 / 0.8, epsilon)
        assert delta == pytest.approx(exact, rel=0.02, abs=1e-9)
    # Four of them have twice the mu; of rarer batches, less is claimed.
    four = accounting.dp_sgd(1.6, 1.0, 4, 1e-5).epsilon
    assert four == pytest.approx(made.epsilon, rel=0.01)
    assert accounting.dp_sgd(0.8, 0.5, 1, 1e-5).epsilon < made.epsilon


def simulated(mu, seed=0, m=2000):
    """What is found of a mechanism whose claim is mu = 1."""
    rng = np.random.default_rng(seed)
    included = rng.random(m) < 0.5
    scores = canaries.Scores(rng.normal(size=m), rng.normal(size=m) + mu * included)
    return privacy_audit.bounds(SETTINGS, scores, included, CLAIM)


CLAIM = accounting.dp_sgd(1.0, 1.0, 1, 1e-5)


def test_noise_that_is_secretly_halved_is_caught():
    for seed in range(5):
        audited = simulated(2.0, seed)
        assert audited["refuted"]
        said = verdict_bounds.verdict(audited)
        assert said["level"] == "severe"
        assert any("refute that" in sentence for sentence in said["sentences"])
    for seed in range(5):
        audited = simulated(1.0, seed)
        assert not audited["refuted"] and audited["bounds"][2]["epsilon"] > 0.5
        best = verdict_bounds.best_of(audited, "gaussian")
        assert best["attack"] == "gradient_product"
        assert best["epsilon"] < CLAIM.epsilon


def test_a_bound_above_the_claim_refutes_it_too():
    """Here of an epsilon that goes with no trade-off."""
    rng = np.random.default_rng(0)
    included = rng.random(2000) < 0.5
    scores = canaries.Scores(*rng.normal(size=(2, 2000)) + 2 * included)
    low = CLAIM._replace(epsilon=1.0, deltas=np.ones_like(CLAIM.deltas))
    assert privacy_audit.bounds(SETTINGS, scores, included, low)["refuted"]
    none = low._replace(epsilon=50.0)
    assert privacy_audit.bounds(SETTINGS, scores, included, none)["refuted"] is False


def test_null_scores_refute_nothing():
    """At 95 % over all four rows: of 60, 9 or more have a probability of 0.5 %."""
    found = [simulated(0.0, seed, 500) for seed in range(60)]
    assert sum(any(b["epsilon"] > 0 for b in f["bounds"]) for f in found) < 9
    assert not any(f["refuted"] for f in found)


def test_verdicts():
    audited = simulated(0.0)
    assert verdict_bounds.verdict(audited)["level"] == "none_found"
    assert audited["detectable"] > 3
    few = privacy_audit.bounds(
        SETTINGS, canaries.Scores(*np.eye(2)), np.array([True, False]), None
    )
    assert (few["claim"], few["refuted"], few["detectable"]) == (None, None, 0)
    assert verdict_bounds.verdict(few)["level"] == "cannot_tell"
    levels = []
    for epsilon in (0.1, 1.5, 4.0):
        few["bounds"][0]["epsilon"] = epsilon
        levels.append(verdict_bounds.verdict(few)["level"])
    assert levels == ["slight", "clear", "severe"]


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("canaries", 0),
        ("canaries", 240),
        ("noise_multiplier", -1.0),
        ("max_norm", 0.0),
        ("max_norm", float("inf")),
        ("sampling", "none"),
        ("delta", 0.0),
        ("confidence", 1.0),
        ("epochs", 0),
        ("learning_rate", 0.0),
        ("seed", -1),
        ("model", "resnet"),
    ],
)
def test_wrong_settings_are_refused(name, value):
    with pytest.raises(errors.InputError, match=f"{name}={value}: .*accepted"):
        privacy_audit.prepare(dataclasses.replace(SETTINGS, **{name: value}))
