"""Laws of clipping, and what `gradient_norms` refuses."""

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jaxprivacy
from jaxprivacy import errors
from jaxprivacy.targets import inputs, norms as norms_lib
from jaxprivacy.training import losses
from tests import arrays
from tests.targets import models


def linear(params, x):
    return x @ params["w"]


def squared_error(output, label):
    return 0.5 * jnp.sum((output - label) ** 2)


ZERO = {"w": jnp.zeros((2, 1))}
# At w = 0 the gradient of record (x, y) is -y x: (-3, -4), (0, -0.5), (0, 0).
X, Y = jnp.asarray([[3.0, 4.0], [0.0, 1.0], [5.0, 5.0]]), jnp.asarray([1.0, 0.5, 0.0])


def test_clipping_by_hand():
    norms = jaxprivacy.gradient_norms(linear, ZERO, X, Y, loss=squared_error)
    np.testing.assert_allclose(norms, [5.0, 0.5, 0.0], rtol=1e-6)
    clipped = jaxprivacy.clipped_gradient(
        linear, ZERO, X, Y, max_norm=1.0, loss=squared_error
    )
    # The first is scaled to (-0.6, -0.8), the second left, the third 0 and no NaN.
    np.testing.assert_allclose(clipped["w"], [[-0.6], [-1.3]], rtol=1e-6)


def test_masked_records_count_nothing_in_any_chunk():
    for at_once in (2, 3, None):
        found = jaxprivacy.clipped_gradient(
            linear,
            ZERO,
            X,
            Y,
            max_norm=1.0,
            mask=np.array([0, 1, 1]),
            loss=squared_error,
            at_once=at_once,
        )
        np.testing.assert_allclose(found["w"], [[0], [-0.5]], rtol=1e-6)


def test_an_infinite_norm_gives_the_sum_of_gradients():
    apply, params, x, y = models.CASES["causal"][0]()

    def total(params):
        return jax.vmap(inputs.cross_entropy)(apply(params, x), y).sum()

    clipped = jaxprivacy.clipped_gradient(apply, params, x, y, max_norm=np.inf)
    jax.tree.map(
        lambda a, b: np.testing.assert_allclose(a, b, 1e-4, 1e-5),
        clipped,
        jax.jit(jax.grad(total))(params),
    )


def test_the_logistic_loss_of_one_output_is_that_of_two_of_which_one_is_0():
    x, w, y = arrays.normal(0, 4, 3), arrays.normal(1, 3, 1), jnp.asarray([0, 1, 1, 0])

    def two(params, x):
        logits = linear(params, x)
        return jnp.concatenate([jnp.zeros_like(logits), logits], 1)

    one, other, flat = (
        jaxprivacy.gradient_norms(apply, {"w": w}, x, y)
        for apply in (linear, two, lambda params, x: linear(params, x)[:, 0])
    )
    np.testing.assert_allclose(one, other, 1e-5)
    np.testing.assert_allclose(one, flat, 1e-6)


def test_chunks_and_turns_change_no_number(monkeypatch):
    apply, params, x, y = models.CASES["lstm"][0]()
    whole = jaxprivacy.gradient_norms(apply, params, x, y)
    monkeypatch.setattr(norms_lib, "AT_ONCE", 4000)
    chunked = jaxprivacy.gradient_norms(apply, params, x, y, at_once=4)
    np.testing.assert_allclose(whole, chunked, 1e-5)


def test_an_embedding_out_of_range_has_no_gradient():
    def apply(params, x):
        rows = params["e"].at[x[:, 0]].get(mode="fill", fill_value=0)
        return rows + params["e"].at[x[:, 1]].get(mode="clip")

    params, x = {"e": arrays.normal(0, 4, 3)}, jnp.asarray([[9, 1], [2, 9], [3, 3]])
    norms = jaxprivacy.gradient_norms(apply, params, x, jnp.arange(3))

    def loss(params, x, y):
        return inputs.cross_entropy(apply(params, x[None])[0], y)

    naive = jax.vmap(jax.grad(loss), (None, 0, 0))(params, x, jnp.arange(3))["e"]
    np.testing.assert_allclose(norms, jnp.sqrt((naive**2).sum((1, 2))), 1e-5)


def test_a_confident_half_precision_model_has_a_gradient():
    params = {"w": jnp.asarray([[12.0, 0.0]], jnp.float16)}
    x, y = jnp.ones((1, 1), jnp.float16), jnp.asarray([0])
    norms = jaxprivacy.gradient_norms(linear, params, x, y)
    np.testing.assert_allclose(norms, np.sqrt(2) / (1 + np.exp(12)), rtol=0.02)


def batch_normalised(params, x):
    x = nn.Dense(3).apply({"params": params}, x)
    return (x - x.mean(0)) / x.std(0)


DENSE = {"kernel": arrays.normal(0, 4, 3), "bias": arrays.normal(1, 3)}
RECORDS, LABELS = arrays.normal(2, 5, 4), jnp.arange(5) % 3


def dense(params, x):
    return nn.Dense(3).apply({"params": params}, x)


def dropped(params, x):
    kept = jax.random.bernoulli(jax.random.key(0), 0.5, x.shape)
    return dense(params, x * kept)


REFUSED = {
    # name: (what differs from a good call, what the line says)
    "fewer labels": ({"y": LABELS[:4]}, "y: 4 labels for 5 records"),
    "no records": ({"x": RECORDS[:0], "y": LABELS[:0]}, "y: 0 labels for 0"),
    "no axis of labels": ({"x": RECORDS[0], "y": LABELS[0]}, "y: a single number"),
    "no axis of records": ({"x": RECORDS[0, :1], "y": LABELS[:1]}, "apply: fails on"),
    "a sum over records": (
        {"apply": lambda p, x: dense(p, x).sum(0)},
        "apply: of records",
    ),
    "other parameters": ({"params": {"kernel": jnp.ones((4, 3))}}, "apply: fails on"),
    "no floats": ({"params": jax.tree.map(jnp.int32, DENSE)}, "params: 2 arrays"),
    "labels too high": ({"y": LABELS + 1}, "y: holds 3 at record 2"),
    "labels of floats": ({"y": LABELS + 0.5}, "y: of each record float32[]"),
    "labels one-hot": ({"y": jnp.eye(3)[LABELS]}, "y: of each record float32[3]"),
    "sequences": (
        {"apply": lambda p, x: jnp.stack([dense(p, x)] * 2, 1)},
        "loss: the default takes outputs (K,)",
    ),
    "a loss of many": ({"loss": lambda o, y: o - y}, "loss: of one record's output"),
    "a loss of a batch": (
        {"loss": losses.cross_entropy},
        "loss: fails on",
    ),
    "a loss of nothing": ({"loss": lambda o, y: jnp.float32(1.0)}, "loss: depends"),
    "batch statistics": ({"apply": batch_normalised}, "apply: the output of record 0"),
    "dropout": ({"apply": dropped}, "apply: the output of record"),
    "not a number": (
        {"x": RECORDS.at[3, 0].set(jnp.nan)},
        "apply: the output of record 3 is NaN",
    ),
    "loss not a number": (
        {"loss": lambda o, y: jnp.log(jnp.where(y == 1, -1.0, o[y] ** 2))},
        "loss: that of record 1 is NaN, like 1 more",
    ),
    "at_once": ({"at_once": 0}, "at_once=0"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_cannot_be_right_is_refused_in_one_line(name):
    change, says = REFUSED[name]
    good = {"apply": dense, "params": DENSE, "x": RECORDS, "y": LABELS}
    for function, more in (
        (jaxprivacy.gradient_norms, {}),
        (jaxprivacy.clipped_gradient, {"max_norm": 1.0}),
    ):
        with pytest.raises(jaxprivacy.InputError) as error:
            function(**(good | change | more))
        assert says in str(error.value)
        assert "accepted" in str(error.value)
        assert "\n" not in str(error.value)


@pytest.mark.parametrize("value", [0, -1.0, float("nan")])
def test_a_norm_that_clips_nothing_to_nothing_is_refused(value):
    with pytest.raises(errors.InputError, match="max_norm="):
        jaxprivacy.clipped_gradient(dense, DENSE, RECORDS, LABELS, max_norm=value)


def test_one_record_is_compared_too():
    good = jaxprivacy.gradient_norms(dense, DENSE, RECORDS[:1], LABELS[:1])
    assert good.shape == (1,)
    with pytest.raises(errors.InputError, match="alone than among 2"):
        jaxprivacy.gradient_norms(batch_normalised, DENSE, RECORDS[:1], LABELS[:1])


def test_under_jit_arguments_may_be_constants():
    apart = jaxprivacy.gradient_norms(dense, DENSE, RECORDS, LABELS)
    closed = jax.jit(lambda: jaxprivacy.gradient_norms(dense, DENSE, RECORDS, LABELS))
    np.testing.assert_allclose(apart, closed(), 1e-6)


def test_under_jit_a_label_out_of_range_gives_no_number():
    norms = jax.jit(lambda y: jaxprivacy.gradient_norms(dense, DENSE, RECORDS, y))
    assert list(np.isnan(norms(jnp.asarray([0, 3, 1, -1, 2])))) == [0, 1, 0, 1, 0]


def test_the_branch_of_this_platform_is_taken():
    def apply(params, x):
        return jax.lax.platform_dependent(
            x,
            params["w"],
            tpu=lambda x, w: x @ (3 * w),
            **{jax.default_backend(): lambda x, w: x @ (2 * w)},
        )

    compare(apply, {"w": arrays.normal(0, 4, 3)})


def compare(apply, params):
    def loss(params, x, y):
        return inputs.cross_entropy(apply(params, x[None])[0], y)

    naive = jax.vmap(jax.grad(loss), (None, 0, 0))(params, RECORDS, LABELS)
    squares = [(g.reshape(len(g), -1) ** 2).sum(1) for g in jax.tree.leaves(naive)]
    norms = jaxprivacy.gradient_norms(apply, params, RECORDS, LABELS)
    np.testing.assert_allclose(norms, np.sqrt(sum(squares)), 1e-5)


def test_equinox_modules():
    eqx = pytest.importorskip("equinox", reason="Equinox is not installed")
    model = eqx.nn.MLP(4, 3, 5, 2, key=jax.random.key(0))
    params, static = eqx.partition(model, eqx.is_array)
    compare(lambda params, x: jax.vmap(eqx.combine(params, static))(x), params)


def test_haiku_functions():
    hk = pytest.importorskip("haiku", reason="Haiku is not installed")
    model = hk.without_apply_rng(hk.transform(lambda x: hk.nets.MLP([5, 3])(x)))
    compare(model.apply, model.init(jax.random.key(0), RECORDS))
