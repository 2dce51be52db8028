"""Uploads of a small federated run, beside plain loops, and who is compared."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxprivacy import data
from jaxprivacy.attacks import membership as attacks
from jaxprivacy.evaluation import membership as evaluation
from jaxprivacy.evaluation.membership import null_holds
from jaxprivacy.evaluation.membership_rows import rows
from jaxprivacy.federated import transcript as transcript_lib
from jaxprivacy.models import targets
from jaxprivacy.studies import (
    federated_run,
    membership,
    membership_records,
    server_attacks,
    training,
)
from jaxprivacy.studies.attack_training import Positions
from jaxprivacy.studies.settings import Settings
from tests import arrays
from tests.launch import launched

MODEL = targets.as_model(targets.MLP((4,), 3), (5,))
T, P, N = 2, 3, 7


@pytest.fixture(scope="module", autouse=True)
def fast():
    with launched.compiled_fast():
        yield


@pytest.fixture(scope="module")
def uploaded():
    """A made-up run, and records."""
    params = arrays.params_of(MODEL)

    def drawn(*axes):
        return jax.tree.map(lambda a: arrays.normal(a.size, *axes, *a.shape), params)

    seen = transcript_lib.Transcript(
        np.array([1, 4]), drawn(T), drawn(T, P), transcript_lib.SERVER
    )
    x, y = arrays.normal(3, N, 5), jnp.arange(N) % 3
    return membership.Run(None, {}, seen), x, y


@pytest.mark.parametrize("at_once", [2, 99])
def test_signals_equal_a_plain_loop(uploaded, at_once):
    run, x, y = uploaded
    found = server_attacks.signals(MODEL.apply, run, x, y, at_once=at_once)

    def loss(params, n):
        return -jax.nn.log_softmax(MODEL.apply(params, x[n][None])[0])[y[n]]

    gradient = jax.jit(jax.grad(loss))
    for t in range(T):
        received = jax.tree.map(lambda a, t=t: a[t], run.transcript.parameters)
        for p in range(P):
            update = jax.tree.map(lambda a, t=t, p=p: a[t, p], run.transcript.uploads)
            local = jax.tree.map(jnp.add, received, update)
            u = np.concatenate([np.ravel(a) for a in jax.tree.leaves(update)])
            assert found.update_norm[t, p] == pytest.approx(np.linalg.norm(u), rel=1e-5)
            for n in range(N):
                g = jax.tree.leaves(gradient(received, n))
                g = np.concatenate([np.ravel(a) for a in g])
                p_own = np.exp(-float(loss(local, n)))
                found_own = 1 / (1 + np.exp(-float(found.log_odds[t, p, n])))
                assert found_own == pytest.approx(p_own, rel=1e-4)
                assert found.inner[t, p, n] == pytest.approx(u @ g, abs=2e-4)
                norm = np.linalg.norm(g)
                assert found.gradient_norm[t, n] == pytest.approx(norm, rel=1e-3)


def drawn(participants=5):
    """Signals without any leak, and where the records of each kind stand."""
    rng, n = np.random.default_rng(2), 600
    seen = attacks.Signals(
        rng.normal(size=(3, participants, n)),
        rng.normal(size=(3, participants, n)),
        1 + rng.random((3, n)),
        1 + rng.random((3, participants)),
    )
    parts = np.split(np.arange(n), 3)
    kinds = [Positions(k[:0], k[:50], k[50:]) for k in parts]
    return seen, membership_records.Records(None, *kinds)


def leaking(seen, records, participant):
    """The same, with a participant who trained on the members."""
    inner, odds = seen.inner.copy(), seen.log_odds.copy()
    members = np.concatenate(records.members)
    inner[:, participant, members] -= 3
    odds[:, participant, members] += 3
    return seen._replace(inner=inner, log_odds=odds)


def aucs(found, kind="scores"):
    return [evaluation.auc(*getattr(s, kind)[2:]) for s in found]


def test_what_the_victim_uploads_is_found_and_nothing_where_there_is_nothing():
    seen, records = drawn()
    found = server_attacks.attack(
        leaking(seen, records, 2), records, 2, server_attacks.NAMES
    )
    assert [s.row["attack"] for s in found] == list(server_attacks.NAMES)
    assert all(auc.low > 0.8 for auc in aucs(found))
    assert all(null_holds(row) for row in rows(found, "federated")[1])
    # Who attacks another participant finds none of it.
    others = server_attacks.attack(
        leaking(seen, records, 2), records, 1, ["gradient_cosine", "mean_cosine"]
    )
    assert all(auc.low < 0.5 < auc.high for auc in aucs(others))


def test_a_stand_in_is_compared_with_all_but_the_victim():
    """With the victim among them its members would stand out, below the others'."""
    seen, records = drawn()
    found = server_attacks.stand_ins(seen, records, 2, server_attacks.NAMES)
    assert [s.row["attack"] for s in found] == list(server_attacks.COMPARE)
    assert all(s.row["target"] == "stand-in" and s.null is None for s in found)
    changed = server_attacks.stand_ins(
        leaking(seen, records, 2), records, 2, server_attacks.NAMES
    )
    for one, another in zip(found, changed, strict=True):
        for a, b in zip(one.scores, another.scores, strict=True):
            np.testing.assert_array_equal(a, b)
    # It would find a stand-in that has seen the members.
    caught = server_attacks.stand_ins(
        leaking(seen, records, 0), records, 2, server_attacks.NAMES
    )
    assert all(auc.low > 0.8 for auc in aucs(caught))


def test_three_participants_have_no_stand_in():
    seen, records = drawn(3)
    assert server_attacks.attack(seen, records, 0, server_attacks.COMPARE)
    assert not server_attacks.stand_ins(seen, records, 0, server_attacks.COMPARE)


def test_others_are_non_members_of_the_attack_and_not_of_its_null_check():
    seen, records = drawn()
    untrained = np.concatenate(records.untrained)
    others = Positions(untrained[:0], untrained[:10], untrained[10:40])
    found = server_attacks.attack(
        seen, records._replace(others=others), 0, ["mean_cosine"]
    )
    [plain] = server_attacks.attack(seen, records, 0, ["mean_cosine"])
    values = attacks.SERVER_ATTACKS["mean_cosine"](seen, 0, [1, 2, 3, 4])
    [mixed] = found
    both = np.concatenate([records.non_members.evaluation, others.evaluation])
    np.testing.assert_array_equal(mixed.scores.evaluation_non_members, values[both])
    np.testing.assert_array_equal(
        mixed.scores.evaluation_members, plain.scores.evaluation_members
    )
    for a, b in zip(mixed.null, plain.null, strict=True):
        np.testing.assert_array_equal(a, b)


@pytest.fixture(scope="module")
def small():
    rng = np.random.default_rng(4)
    x, y = rng.normal(size=(600, 12)).astype(np.float32), np.arange(600) % 3
    dataset = data.Dataset("noise", x, y.astype(np.int32), 3)
    settings = Settings(
        mlp_widths=(16,),
        participants=4,
        members_per_participant=60,
        rounds=4,
        observed_rounds=2,
        local_epochs=3,
        momentum=0.9,
        round_decay=0.5,
    )
    split = data.split(
        dataset, participants=4, members_per_participant=60, victim=1, seed=0
    )
    return settings, dataset, split


def test_all_uploads_are_kept_of_the_same_run(small):
    """Of random labels, so that members alone are known; and nobody else's numbers."""
    settings, dataset, split = small
    others = data.of_others(dataset, split, 0)
    records = membership.attacked_records(dataset, split, others)
    given = settings, dataset, split, records, jax.random.key(0), lambda share: None
    run = federated_run.play(*given, ascent=False, all_uploads=True, inside=False)
    plain = federated_run.play(*given, ascent=False)
    assert plain.transcript is None and not run.features.gradients
    np.testing.assert_allclose(run.features.loss, plain.features.loss, 1e-3, 1e-4)
    np.testing.assert_allclose(run.info["loss"], plain.info["loss"], 1e-3, 1e-4)
    np.testing.assert_array_equal(run.transcript.rounds, [2, 4])
    assert run.transcript.observer == transcript_lib.SERVER

    model = training.target_model(settings, dataset, 3)
    seen = server_attacks.signals(model.apply, run, records.batch.x, records.batch.y)
    # The victim's part of it is what the other rules see.
    losses = np.log1p(np.exp(-seen.log_odds[:, 1]))
    np.testing.assert_allclose(losses, run.features.loss[..., 0], 1e-3, 1e-4)
    # Each participant knows its own records best: others' stand behind the rest.
    numbers, count = np.concatenate(others), len(records.batch.y)
    first = count - len(numbers)
    for p in (0, 2, 3):
        own = first + np.flatnonzero(np.isin(numbers, split.participants[p]))
        known = seen.log_odds[-1, :, own].mean(axis=0)
        assert known.argmax() == p
    found = server_attacks.attack(seen, records, 1, server_attacks.COMPARE)
    assert all(auc.low > 0.5 for auc in aucs(found))
