"""The secure sum is the sum, and an upload by itself is noise."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import stats

from jaxprivacy import errors
from jaxprivacy.attacks import active
from jaxprivacy.defenses import masks, secure_aggregation as secure
from jaxprivacy.federated import roles
from tests import arrays
from tests.defenses import honest
from tests.launch import launched

KEY, PEOPLE, SIZE = jax.random.key(3), honest.PEOPLE, 7
UPDATES = arrays.normal(0, PEOPLE, SIZE)


@pytest.fixture(scope="module", autouse=True)
def fast():
    with launched.compiled_fast():
        yield


def agreed(**changes):
    return secure.agree(KEY, PEOPLE, **{"bound": 4.0, "threshold": 2} | changes)


def whole(halves):
    return masks.joined(halves, SIZE)


def masked_of(agreement, turn, units):
    return jax.vmap(lambda i, v: secure.mask(agreement, turn, i, v))(
        jnp.arange(len(units)), units
    )


def plain_sum(updates, arrived, bits=16):
    """The fixed-point sum in Python's own integers."""
    units = np.round(np.asarray(updates, np.float64) * 2**bits).astype(int)
    return [int(column) % 2**32 for column in units[np.asarray(arrived)].sum(axis=0)]


@pytest.mark.parametrize("neighbours", [None, 2])
@pytest.mark.parametrize("gone", [(), (0,), (1, 4), (0, 2, 3)])
def test_the_secure_sum_is_the_sum_to_the_bit(gone, neighbours):
    agreement = agreed(neighbours=neighbours)
    arrived = jnp.array([i not in gone for i in range(PEOPLE)])
    units = secure.encode(UPDATES, agreement)
    masked = masked_of(agreement, 9, units)
    masked = jnp.where(arrived[:, None], masked, 12345)  # What is not looked at.
    total = secure.secure_sum(agreement, 9, masked, arrived)
    assert total.dtype == jnp.uint32
    assert total.tolist() == plain_sum(UPDATES, arrived)
    decoded = secure.decode(total, agreement)
    expected = np.asarray(UPDATES)[np.asarray(arrived)].sum(axis=0)
    np.testing.assert_allclose(decoded, expected, atol=PEOPLE * 2.0**-17 + 1e-6)


@pytest.mark.parametrize("people", [2, 3, 4])
def test_pairs_cancel_for_few_participants(people):
    agreement = secure.agree(KEY, people, bound=4.0)
    units = secure.encode(UPDATES[:people], agreement)
    masked = masked_of(agreement, 0, units)
    total = secure.secure_sum(agreement, 0, masked, jnp.ones(people, bool))
    assert total.tolist() == plain_sum(UPDATES[:people], [True] * people)


def test_an_upload_by_itself_is_uniform_and_changes_with_key_and_round():
    size, zeros = 20_000, jnp.zeros(20_000, jnp.uint32)

    @jax.jit
    def upload(key, turn, values):
        return secure.mask(agreed()._replace(key=key), turn, 1, values)

    first = np.asarray(upload(KEY, 0, zeros))
    counts = np.bincount(first.view(np.uint8), minlength=256)
    # A fixed key: of all keys one in a thousand would fail.
    assert stats.chisquare(counts).pvalue > 1e-3
    for other in (upload(jax.random.key(4), 0, zeros), upload(KEY, 1, zeros)):
        assert (np.asarray(other) != first).mean() > 0.999
        bits = np.unpackbits((np.asarray(other) ^ first).view(np.uint8)).mean()
        assert abs(bits - 0.5) < 5 * 0.5 / np.sqrt(32 * size)
    # With the same masks, the uploads differ by what is hidden in them, as they must.
    assert (np.asarray(upload(KEY, 0, zeros + 3)) - first == 3).all()


def test_who_uploads_late_stays_hidden_behind_its_own_mask():
    """Even though the seeds of its pairs were told, as if it had dropped out."""
    agreement, late = agreed(), 2
    units = secure.encode(UPDATES, agreement)
    masked = masked_of(agreement, 0, units)
    left = masked[late]
    for offset in (1, 2):
        left -= whole(secure._pair_mask(agreement, 0, late, offset, SIZE))
        left += whole(secure._pair_mask(agreement, 0, late - offset, offset, SIZE))
    assert (left != units[late]).all()
    own = whole(secure._own_mask(agreement, 0, late, SIZE))
    np.testing.assert_array_equal(left, units[late] + own)


def test_masks_of_both_kinds_are_new_for_each_round_and_pair():
    agreement = agreed()
    found = [
        whole(secure._own_mask(agreement, turn, who, SIZE))
        for turn in (0, 1)
        for who in (0, 1)
    ] + [
        whole(secure._pair_mask(agreement, turn, who, offset, SIZE))
        for turn in (0, 1)
        for who in (0, 1)
        for offset in (1, 2)
    ]
    assert len(np.unique(np.stack(found))) == len(found) * SIZE


def test_fixed_point_by_hand():
    agreement = secure.agree(KEY, 2, bound=2.0, bits=2)
    values = jnp.array([0.25, -0.25, 1.1, 9.0, -9.0, jnp.nan, jnp.inf])
    units = secure.encode(values, agreement)
    top = 2**32
    assert units.tolist() == [1, top - 1, 4, 8, top - 8, 0, 8]
    found = secure.decode(units, agreement).tolist()
    assert found == [0.25, -0.25, 1.0, 2.0, -2.0, 0.0, 2.0]


def test_the_largest_sums_stay_in_the_ring_and_larger_ones_are_refused():
    most = (2**31 - 1) // 2 / 2**16
    agreement = secure.agree(KEY, 2, bound=most)
    units = secure.encode(jnp.array([[1e9], [1e9]]), agreement)
    total = units.sum(axis=0, dtype=jnp.uint32)
    assert total.tolist() == [2 * ((2**31 - 1) // 2)]
    with pytest.raises(errors.InputError, match="bound=16384.*at most 16384.*ring"):
        secure.agree(KEY, 2, bound=16384)


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        ({"threshold": 6}, "threshold=6"),
        ({"threshold": 1}, "threshold=1"),
        ({"neighbours": 3}, "neighbours=3"),
        ({"neighbours": 6}, "neighbours=6"),
        ({"bits": -1}, "bits=-1"),
        ({"bound": 0.0}, "bound=0"),
    ],
)
def test_arguments_out_of_range_are_refused(changes, named):
    with pytest.raises(errors.InputError, match=named):
        agreed(**changes)


def test_fewer_than_the_threshold_are_refused():
    agreement = agreed(threshold=3)
    arrived = jnp.array([True, True, False, False, False])
    with pytest.raises(errors.InputError, match="2 of 5.*at least 3"):
        secure.secure_sum(agreement, 0, jnp.zeros((PEOPLE, 2), jnp.uint32), arrived)


def heard_server():
    """Averages, and keeps all that it hears."""
    plain = roles.averaging_server()

    def init(params):
        one = jax.tree.map(lambda a: a[None], params)
        return plain.init(params), (jnp.zeros(1, jnp.int32), one, one)

    def receive(state, *heard):
        return plain.receive(state[0], *heard), heard

    return roles.Server(init, lambda k, s, i: s[0], receive, lambda s: s[0])


def test_rounds_are_those_of_averaging_and_the_server_hears_of_one():
    agreement = secure.agree(KEY, PEOPLE, bound=16.0, bits=20)
    server = secure.secure_aggregation(heard_server(), agreement)
    role = secure.masked_participant(honest.HONEST, agreement)
    state, info = honest.play(server, role)
    plain, _ = honest.play(roles.averaging_server(), honest.HONEST)
    honest.assert_close(server.params(state.server), plain.server, atol=1e-5)
    index, _, update = state.server.inner[1]
    assert index.tolist() == [PEOPLE]
    assert all(leaf.shape[0] == 1 for leaf in jax.tree.leaves(update))
    assert int(state.server.round) == 2
    np.testing.assert_array_equal(info["clipped"], np.zeros((2, PEOPLE)))


def test_who_uploaded_which_update_changes_nothing_that_the_server_hears():
    agreement = agreed()
    server = secure.secure_aggregation(heard_server(), agreement)
    heard = []
    for order in ([0, 1, 2, 3, 4], [3, 0, 4, 1, 2]):
        state = server.init({"w": jnp.zeros(SIZE)})
        sent = jax.vmap(lambda i, s=state: server.send(None, s, i))(jnp.arange(PEOPLE))
        units = secure.encode(UPDATES[jnp.array(order)], agreement)
        uploads = secure.Masked(masked_of(agreement, 0, units), jnp.ones(PEOPLE, bool))
        heard.append(server.receive(state, jnp.arange(PEOPLE), sent, uploads))
    for a, b in zip(*map(jax.tree.leaves, heard), strict=True):
        np.testing.assert_array_equal(a, b)


def test_rounds_with_too_few_uploads_are_left_out():
    agreement = agreed(threshold=5)
    server = secure.secure_aggregation(heard_server(), agreement)
    role = secure.masked_participant(honest.HONEST, agreement, drop_rate=0.9)
    state, _ = honest.play(server, role)
    unheard = server.init(honest.PARAMS).inner
    honest.assert_close(state.server.inner, unheard, atol=0)
    assert int(state.server.round) == 2


def test_a_mean_is_that_of_who_arrived():
    agreement = agreed(bits=20, bound=8.0)
    server = secure.secure_aggregation(roles.averaging_server(), agreement)
    state = server.init({"w": jnp.zeros(SIZE)})
    people = jnp.arange(PEOPLE)
    sent = jax.vmap(lambda i: server.send(None, state, i))(people)
    arrived = jnp.array([True, False, True, True, False])
    units = secure.encode(UPDATES, agreement)
    values = masked_of(agreement, 0, units)
    state = server.receive(state, people, sent, secure.Masked(values, arrived))
    expected = np.asarray(UPDATES)[[0, 2, 3]].mean(axis=0)
    np.testing.assert_allclose(server.params(state)["w"], expected, atol=1e-6)


def test_turns_one_after_the_other_are_refused():
    agreement = agreed()
    server = secure.secure_aggregation(roles.averaging_server(), agreement)
    role = secure.masked_participant(honest.HONEST, agreement)
    with pytest.raises(errors.InputError, match=r"of 1 participants.*order=parallel"):
        honest.play(server, role, order="round_robin")


def test_a_server_that_isolates_hears_nothing_of_its_victim():
    agreement = secure.agree(KEY, PEOPLE, bound=16.0, bits=20)
    plain = roles.averaging_server()
    isolating = active.isolate(plain, 1, roles.averaging_server())
    open_state, _ = honest.play(isolating, honest.HONEST)
    apart = jnp.abs(open_state.server.alone["w"] - honest.PARAMS["w"]).max()
    assert apart > 0.1  # Without the aggregation it does.
    server = secure.secure_aggregation(isolating, agreement)
    role = secure.masked_participant(honest.HONEST, agreement)
    state, _ = honest.play(server, role)
    honest.assert_close(state.server.inner.alone, honest.PARAMS, atol=0)
