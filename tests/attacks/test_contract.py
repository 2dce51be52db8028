"""The contract of every membership attack that has a card.

A card says what an attack sees and needs. Here each attack is given all of it and, in
place of the rest, noise: its scores must not notice.
"""

import functools
from collections.abc import Callable
from typing import NamedTuple

import chex
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import special

from jaxprivacy import cards
from jaxprivacy.attacks import (
    features as features_lib,
    membership,
    statistics,
    threshold,
    unsupervised,
    whitebox,
)
from jaxprivacy.evaluation.membership import auc
from jaxprivacy.studies import reference_attacks, reference_signals, references
from jaxprivacy.types import Layer
from tests.attacks import networks

N, Z, CLASSES, MODELS, ROUNDS, PARTICIPANTS = 60, 40, 3, 12, 2, 4
KEY = jax.random.key(2, impl="unsafe_rbg")  # Draws that compile fast.
LAYERS = (Layer("Dense_0", "dense", CLASSES, True),)
EPOCHS = np.arange(6)
PRESET = networks.small(dropout=0.0, learning_rate=1e-2, batch_size=16)


class World(NamedTuple):
    """N attacked records, of which half are members, and all that could be seen."""

    member: np.ndarray  # (N,) bool
    shown: reference_attacks.Shown
    features: features_lib.Features
    signals: membership.Signals
    scores: np.ndarray  # (N, A) of other attacks
    shadows: features_lib.Features  # of models of the attacker's own
    of_shadows: np.ndarray  # (N,) bool, which of these records those were trained on


class Attack(NamedTuple):
    """An attack as what is learned, and scores by that."""

    fit: Callable  # (key, world) -> what was learned
    score: Callable  # (learned, world) -> (N,)


def leaking(rng, held, scale=1.0):
    """Numbers that lie higher for who holds a record, by two standard deviations."""
    return scale * (rng.normal(size=held.shape) + 2.0 * held)


def drawn(seed):
    rng = np.random.default_rng(seed)
    member = rng.permutation(N) < N // 2
    labels = np.arange(N + Z) % CLASSES
    held = np.stack([rng.permutation(MODELS) for _ in range(N)], 1) < MODELS // 2
    of_shadows = rng.permutation(N) < N // 2
    return World(
        member,
        _shown(rng, member, held, labels),
        _features(rng, member, labels[:N]),
        _signals(rng, member),
        np.stack([leaking(rng, member), leaking(rng, member)], axis=1),
        _features(rng, of_shadows, labels[:N]),
        of_shadows,
    )


def _said(rng, odds):
    """What models say of records, in keeping with their log-odds."""
    log_p = special.log_expit(odds)
    entropies = (leaking(rng, odds > 1, 0.3) for _ in range(2))
    return references.Said(odds, log_p, *entropies, odds > 0)


def _shown(rng, member, held, labels):
    everyone = np.concatenate([member, np.zeros(Z, bool)])
    of_models = np.concatenate([held, np.zeros((MODELS, Z), bool)], axis=1)
    said = _said(rng, leaking(rng, everyone))
    odds = leaking(rng, held)
    inside = [
        reference_signals.Inside(
            leaking(rng, who),
            np.stack([leaking(rng, who) for _ in range(3)], axis=-1),
            np.stack([leaking(rng, who) for _ in range(4)], axis=-1),
            leaking(rng, who),
        )
        for who in (everyone, of_models)
    ]
    return reference_attacks.Shown(
        said,
        labels,
        rng.normal(size=(N + Z, 5)),
        membership.Pool(odds, held),
        membership.Pool(special.log_expit(odds), held),
        0,
        tuple(inside),
        held,
    )


def _features(rng, member, labels):
    both = np.broadcast_to(member, (ROUNDS, N))
    odds = leaking(rng, both)
    logits = np.eye(CLASSES)[labels] * odds[..., None]
    h = rng.normal(size=(ROUNDS, N, 4))
    delta = rng.normal(size=(ROUNDS, N, CLASSES)) * np.exp(-2.0 * both)[..., None]
    norm = np.linalg.norm(h, axis=-1) * np.linalg.norm(delta, axis=-1)
    found = features_lib.Features(
        label=np.eye(CLASSES)[labels],
        loss=-special.log_expit(odds)[..., None],
        output=special.softmax(logits, axis=-1),
        hidden={"Dense_0": rng.normal(size=(ROUNDS, N, 3))},
        gradients={"Dense_0": {"h": h, "delta": delta}},
        norm=norm,
        statistics=statistics.Statistics(
            odds[..., None],
            logits,
            np.sort(logits)[..., ::-1],
            {"Dense_0": np.log(norm)[..., None]},
        ),
    )
    return jax.tree.map(lambda a: jnp.asarray(a, jnp.float32), found)


def _signals(rng, member):
    own = np.arange(PARTICIPANTS)[:, None] == 0
    held = np.broadcast_to(own & member, (ROUNDS, PARTICIPANTS, N))
    return membership.Signals(
        leaking(rng, held),
        -leaking(rng, held),
        rng.uniform(1, 2, (ROUNDS, N)),
        rng.uniform(5, 6, (ROUNDS, PARTICIPANTS)),
    )


def reordered(world, order):
    """The same world, its attacked records in another order."""
    of_all = np.concatenate([order, np.arange(N, N + Z)])
    shown = world.shown

    def records(a):
        return a[..., of_all] if a.shape[-1] == N + Z else a[..., of_all, :]

    def pool(given):
        return membership.Pool(given.signal[:, order], given.held[:, order])

    return world._replace(
        member=world.member[order],
        shown=shown._replace(
            said=references.Said(*map(records, shown.said)),
            labels=shown.labels[of_all],
            records=shown.records[of_all],
            log_odds=pool(shown.log_odds),
            log_probability=pool(shown.log_probability),
            inside=tuple(
                reference_signals.Inside(*map(records, one)) for one in shown.inside
            ),
            held=shown.held[:, order],
        ),
        features=features_lib.take(world.features, order),
        signals=jax.tree.map(
            lambda a: a[..., order] if a.shape[-1] == N else a, world.signals
        ),
        scores=world.scores[order],
    )


def hidden(world, noise, card):
    """The world with another's numbers wherever the card does not allow a look."""
    sees, needs = set(card.sees), set(card.needs)
    if "outputs" in sees:
        sees.add("loss")  # Which follows from them and the label.

    def seen(own, other, *signals):
        return own if set(signals) <= sees else other

    fields = {
        "shown": _hidden_shown(world.shown, noise.shown, seen, needs),
        "features": _hidden_features(world.features, noise.features, seen),
        "signals": _hidden_signals(world.signals, noise.signals, seen, needs),
    }
    if "known" not in needs:
        fields |= {"member": noise.member, "scores": noise.scores}
    if "records" not in needs:
        fields |= {"shadows": noise.shadows, "of_shadows": noise.of_shadows}
    return world._replace(**fields)


def _hidden_shown(own, noise, seen, needs):
    def said(a, b):
        return references.Said(
            log_odds=seen(a.log_odds, b.log_odds, "outputs"),
            log_probability=seen(a.log_probability, b.log_probability, "loss"),
            entropy=seen(a.entropy, b.entropy, "outputs"),
            modified_entropy=seen(a.modified_entropy, b.modified_entropy, "outputs"),
            right=seen(a.right, b.right, "outputs"),
        )

    def inside(a, b):
        return reference_signals.Inside(
            norm=seen(a.norm, b.norm, "gradients"),
            leaf_norms=seen(a.leaf_norms, b.leaf_norms, "gradients"),
            projection=seen(a.projection, b.projection, "gradients"),
            update=seen(a.update, b.update, "gradients", "uploads"),
        )

    def population(a, b):
        """Signals (N + Z, ...), the last of nobody's records."""
        return a if "population" in needs else np.concatenate([a[:N], b[N:]])

    def models(a, b):
        """Signals (S, N, ...) of reference models with and without a record."""
        held = own.held.reshape(own.held.shape + (1,) * (a.ndim - 2))
        a = np.where(held | ("references_without" in needs), a, b)
        return np.where(~held | ("references_with" in needs), a, b)

    def pool(a, b, *signals):
        return a._replace(signal=models(seen(a.signal, b.signal, *signals), b.signal))

    target, others = map(inside, own.inside, noise.inside)
    others = [
        np.concatenate([models(a[:, :N], b[:, :N]), b[:, N:]], axis=1)
        for a, b in zip(others, noise.inside[1], strict=True)
    ]
    return own._replace(
        said=references.Said(*map(population, said(own.said, noise.said), noise.said)),
        records=population(own.records, noise.records),
        log_odds=pool(own.log_odds, noise.log_odds, "outputs"),
        log_probability=pool(own.log_probability, noise.log_probability, "loss"),
        inside=(
            reference_signals.Inside(*map(population, target, noise.inside[0])),
            reference_signals.Inside(*others),
        ),
    )


def _hidden_features(own, noise, seen):
    def kept(name, *signals):
        return seen(getattr(own, name), getattr(noise, name), *signals)

    said = kept("statistics", "outputs")
    return own._replace(
        loss=kept("loss", "loss"),
        output=kept("output", "outputs"),
        hidden=kept("hidden", "hidden"),
        gradients=kept("gradients", "gradients"),
        norm=kept("norm", "gradients"),
        statistics=said._replace(log_norms=kept("statistics", "gradients").log_norms),
    )


def _hidden_signals(own, noise, seen, needs):
    def others(a, b):
        """Signals (T, P, ...), the first participant's the victim's."""
        return a if "others" in needs else np.concatenate([a[:, :1], b[:, 1:]], axis=1)

    def kept(name, *signals):
        return seen(getattr(own, name), getattr(noise, name), *signals)

    return membership.Signals(
        others(kept("log_odds", "loss"), noise.log_odds),
        others(kept("inner", "gradients", "uploads"), noise.inner),
        kept("gradient_norm", "gradients"),
        others(kept("update_norm", "uploads"), noise.update_norm),
    )


def rule(score):
    return Attack(lambda key, world: (), lambda learned, world: score(world))


def of_references(name):
    run = reference_attacks.ATTACKS | reference_attacks.OF_GRADIENTS
    return rule(lambda world: run[name](world.shown))


def of_features(function):
    return rule(lambda world: np.asarray(function(world.features)))


def of_server(name):
    attack = membership.SERVER_ATTACKS[name]
    return rule(lambda world: attack(world.signals, 0, [1, 2, 3]))


@functools.cache
def compiled(layers, norms, hidden_paths):
    """The supervised attack's functions, compiled once for all that use them."""
    made = whitebox.supervised(layers, PRESET, hidden=hidden_paths, norms=norms)
    return made, whitebox.Attack(*map(jax.jit, made))


def known(member):
    """Records to learn from and to select on, a third and a sixth of all."""
    kinds = [np.flatnonzero(k) for k in (member, ~member)]
    learns = whitebox.Examples(*(jnp.asarray(k[:10]) for k in kinds))
    return learns, whitebox.Examples(*(jnp.asarray(k[10:15]) for k in kinds))


def network(layers, norms=None, hidden_paths=None, learns_from=("features", "member")):
    def functions():
        return compiled(layers, norms, hidden_paths)[1]

    def fit(key, world):
        seen, member = (getattr(world, name) for name in learns_from)
        sets = known(member)
        state, _ = functions().init(key, seen, *sets)
        return functions().epochs(key, state, seen, *sets, EPOCHS)[0].params

    def score(params, world):
        return functions().score(params, world.features, jnp.arange(N))

    return Attack(fit, score)


@functools.cache
def autoencoder():
    made = unsupervised.autoencoder(LAYERS, PRESET)
    return made, unsupervised.Autoencoder(*map(jax.jit, made))


def clusters():
    def fit(key, world):
        _, functions = autoencoder()
        seen = world.features
        targets = unsupervised.reconstruction_targets(seen)
        state = functions.init(key, seen)
        return functions.epochs(key, state, seen, targets, EPOCHS)[0].params

    def score(params, world):
        embedding = autoencoder()[1].embed(params, world.features)
        norms = world.features.norm.mean(axis=0)
        return unsupervised.cluster(np.asarray(embedding), np.asarray(norms))

    return Attack(fit, score)


def combination():
    def fit(key, world):
        return world.scores[:30], world.member[:30]

    def score(learned, world):
        return membership.combine(world.scores, *learned)

    return Attack(fit, score)


FAMILIES = {
    "outputs": {name: of_references(name) for name in reference_attacks.ATTACKS},
    "inside": {name: of_references(name) for name in reference_attacks.OF_GRADIENTS},
    "server": {name: of_server(name) for name in membership.SERVER_ATTACKS},
    "rules": {
        "loss_threshold": of_features(threshold.loss_threshold),
        "confidence": of_features(threshold.confidence),
        "gradient_norm": of_features(threshold.gradient_norm),
    },
    "learned": {
        "white_box": network(LAYERS),
        "black_box": network((), norms=(), hidden_paths=()),
        "shadow": network(LAYERS, learns_from=("shadows", "of_shadows")),
        "unsupervised": clusters(),
        "combined": combination(),
    },
}
CASES = [(family, name) for family, names in FAMILIES.items() for name in names]
every_attack = pytest.mark.parametrize(("family", "name"), CASES)


@functools.cache
def world():
    return drawn(0)


@functools.cache
def attacked(family, name):
    """What an attack learned in the world, and its scores there."""
    attack = FAMILIES[family][name]
    learned = attack.fit(KEY, world())
    return learned, np.asarray(attack.score(learned, world()))


def test_every_card_is_under_the_contract():
    assert {name for _, name in CASES} == {card.name for card in cards.MEMBERSHIP}


@every_attack
def test_a_finite_number_for_each_record_and_higher_for_members(family, name):
    _, scores = attacked(family, name)
    assert scores.shape == (N,) and scores.dtype in (np.float32, np.float64)
    assert np.isfinite(scores).all()
    member = world().member
    assert auc(scores[member], scores[~member]).value > 0.6


@every_attack
def test_the_same_key_the_same_scores(family, name):
    attack = FAMILIES[family][name]
    again = attack.score(attack.fit(KEY, world()), world())
    np.testing.assert_array_equal(again, attacked(family, name)[1])


@every_attack
def test_permuted_records_have_permuted_scores(family, name):
    order = np.random.default_rng(3).permutation(N)
    learned, scores = attacked(family, name)
    got = FAMILIES[family][name].score(learned, reordered(world(), order))
    np.testing.assert_allclose(got, scores[order], rtol=1e-4, atol=1e-5)


@every_attack
def test_what_the_card_does_not_name_is_not_looked_at(family, name):
    attack = FAMILIES[family][name]
    less = hidden(world(), drawn(1), cards.CARDS[name])
    got = attack.score(attack.fit(KEY, less), less)
    np.testing.assert_allclose(got, attacked(family, name)[1], rtol=1e-5, atol=1e-6)


@every_attack
def test_what_the_card_names_is_looked_at(family, name):
    """By any of its signals; or the law above would hold of a constant."""
    attack, noise = FAMILIES[family][name], drawn(1)
    blind = noise._replace(member=world().member, of_shadows=world().of_shadows)
    got = np.asarray(attack.score(attack.fit(KEY, blind), blind))
    assert not np.allclose(got, attacked(family, name)[1], rtol=1e-2)


@pytest.mark.parametrize("family", ["outputs", "inside"])
def test_one_attack_more_changes_no_other_attacks_scores(family):
    names = list(FAMILIES[family])
    together = reference_attacks.scores(world().shown, names[::-1])
    for name in names:
        np.testing.assert_array_equal(together[name], attacked(family, name)[1])


def test_the_state_of_a_network_keeps_its_kind_and_jitted_is_as_eager():
    made, functions = compiled(LAYERS, None, None)
    seen, sets = world().features, known(world().member)
    assert_contract_of_state(
        made.epochs, functions.init(KEY, seen, *sets)[0], seen, *sets
    )


def test_the_state_of_the_autoencoder_keeps_its_kind_and_jitted_is_as_eager():
    made, functions = autoencoder()
    seen = world().features
    targets = unsupervised.reconstruction_targets(seen)
    assert_contract_of_state(made.epochs, functions.init(KEY, seen), seen, targets)


def assert_contract_of_state(epochs, state, *arguments):
    step = jax.jit(chex.assert_max_traces(epochs, n=1))
    after, _ = step(KEY, state, *arguments, EPOCHS[:1])
    chex.assert_trees_all_equal_shapes_and_dtypes(after, state)
    step(KEY, after, *arguments, EPOCHS[1:2])
    eager, _ = epochs(KEY, state, *arguments, EPOCHS[:1])
    chex.assert_trees_all_close(after.params, eager.params, rtol=1e-3, atol=1e-4)
