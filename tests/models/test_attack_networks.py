"""Paper B's attack network: its sizes, and its gradient component by the definition."""

import dataclasses
import itertools

import chex
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxprivacy.attacks import features as features_lib
from jaxprivacy.models import attack_networks, attack_presets
from jaxprivacy.models.attack_networks import AttackNetwork, GradientComponent
from jaxprivacy.targets import layer_gradients
from jaxprivacy.types import Layer
from tests import arrays

SMALL = dataclasses.replace(
    attack_presets.TABLE_XIV,
    gradient_kernels=3,
    gradient_widths=(4, 2),
    output_widths=(4, 2),
    label_widths=(4, 2),
    loss_widths=(4, 2),
    encoder_widths=(5, 3),
    init_std=0.5,
)
DENSE = Layer("Dense_0", "dense", 4, True)

# name -> layer, shape of h, shape of delta (both without the batch)
LAYERS = {
    "dense": (DENSE, (6,), (4,)),
    "dense on a sequence": (DENSE, (5, 6), (5, 4)),
    "conv": (Layer("", "conv", 4, True, (3, 2)), (5, 4, 2), (3, 3, 4)),
    "conv, one pixel left": (Layer("", "conv", 2, True, (3, 3)), (3, 3, 2), (1, 1, 2)),
    "conv, stride and padding": (
        Layer("", "conv", 3, True, (3, 3), (2, 1), ((1, 0), (1, 2))),
        (6, 4, 2),
        (3, 5, 3),
    ),
    "conv, groups and dilation": (
        Layer("", "conv", 6, True, (2, 2), (1, 1), ((0, 0), (0, 0)), (2, 1), 2),
        (5, 4, 4),
        (3, 3, 6),
    ),
}


def signals(name, batch=3):
    layer, h, delta = LAYERS[name]
    return layer, {
        "h": arrays.normal(0, batch, *h),
        "delta": arrays.normal(1, batch, *delta),
    }


@pytest.mark.parametrize("name", LAYERS)
def test_gradient_component_needs_no_gradient(name):
    layer, kept = signals(name)
    component = GradientComponent(layer, SMALL)

    init = jax.eval_shape(
        lambda key: component.init(key, kept, training=False), jax.random.key(0)
    )

    @jax.jit
    def run(params):
        gradient = {"gradient": layer_gradients.gradient_matrix(layer, kept)}
        return [component.apply(params, g, training=False) for g in (kept, gradient)]

    # No negative weights: no ReLU after the kernels hides them.
    got, want = run(jax.tree.map(jnp.abs, arrays.params_like(init)))
    chex.assert_shape(got, (3, 2))
    assert np.abs(want).max() > 0.1
    chex.assert_trees_all_close(got, want, rtol=1e-4, atol=1e-5)


def loop_over_kernels(layer, matrix, kernel, bias):
    """The definition: (B, G, I, O) gradients -> (B, G * units * kernels)."""
    batch, groups, inputs, outputs = matrix.shape
    units = outputs if layer.kind == "conv" else inputs
    out = np.zeros((batch, groups, units, kernel.shape[1]))
    for b, g, unit, k in np.ndindex(out.shape):
        row = matrix[b, g, :, unit] if layer.kind == "conv" else matrix[b, g, unit]
        out[b, g, unit, k] = max(0, row @ kernel[:, k] + bias[k])
    return out.reshape(batch, -1)


@pytest.mark.parametrize(
    "name", ["dense", "dense on a sequence", "conv, groups and dilation"]
)
def test_gradient_component_equals_a_loop_over_kernels(name):
    layer, kept = signals(name)
    bare = dataclasses.replace(SMALL, gradient_widths=())  # The kernels alone.
    matrix = np.asarray(layer_gradients.gradient_matrix(layer, kept), np.float64)
    span = matrix.shape[2 if layer.kind == "conv" else 3]
    kernel = np.sin(np.arange(span * 3.0)).reshape(span, 3)
    bias = np.array([0.3, -0.2, 0.0])
    params = {"kernel": jnp.asarray(kernel), "bias": jnp.asarray(bias)}
    component = GradientComponent(layer, bare)
    got = jax.jit(
        lambda kept: component.apply({"params": params}, kept, training=False)
    )(kept)
    want = loop_over_kernels(layer, matrix, kernel, bias)
    assert (want == 0).any()
    assert (want > 0.1).any()
    np.testing.assert_allclose(got, want, rtol=1e-4, atol=1e-5)


def made_up(snapshots, batch, hidden=True):
    seeds = itertools.count()

    def draw(*shape):
        return arrays.normal(next(seeds), snapshots, batch, *shape)

    return features_lib.Features(
        label=jnp.asarray(np.eye(3, dtype=np.float32)[np.arange(batch) % 3]),
        loss=draw(1),
        output=draw(3),
        hidden={"Block/Dense_1": draw(7)} if hidden else {},
        gradients={"Dense_0": {"h": draw(6), "delta": draw(4)}},
        norm=draw(),
    )


def shapes_of(network, features):
    init = jax.eval_shape(
        lambda: network.init(jax.random.key(0), features, training=False)
    )
    return jax.tree.map(lambda a: a.shape, init["params"])


def test_sizes_of_table_xiv():
    assert attack_presets.PRESETS["table-xiv"] == attack_presets.TABLE_XIV
    network = AttackNetwork(attack_presets.TABLE_XIV, (DENSE,))
    shapes = shapes_of(network, made_up(snapshots=5, batch=2))

    two = (128, 64)
    assert widths_of(shapes["label"]) == [(3, 128), two]
    assert widths_of(shapes["output"]) == [(3, 128), two]
    assert widths_of(shapes["loss"]) == [(1, 128), two]
    assert widths_of(shapes["hidden_Block_Dense_1"]) == [(7, 128), two]
    gradient = shapes["gradient_Dense_0"]
    assert gradient["kernel"] == (4, 1000)  # 1 x fan-out
    assert widths_of(gradient["FullyConnected_0"]) == [(6 * 1000, 128), two]
    # Four components at each of five snapshots, the label once.
    inputs = 5 * 4 * 64 + 64
    assert widths_of(shapes["encoder"]) == [(inputs, 256), (256, 128), (128, 64)]
    assert shapes["number"]["kernel"] == (64, 1)
    preset = attack_presets.TABLE_XIV
    training = (preset.dropout, preset.init_std, preset.learning_rate)
    assert training == (0.2, 0.01, 1e-4)
    assert (preset.batch_size, preset.epochs) == (64, 100)


def test_snapshots_share_the_components():
    network = AttackNetwork(SMALL, (DENSE,))
    one, three = (shapes_of(network, made_up(t, batch=2)) for t in (1, 3))
    assert one["encoder"]["Dense_0"]["kernel"] == (1 * 4 * 2 + 2, 5)
    assert three["encoder"]["Dense_0"].pop("kernel") == (3 * 4 * 2 + 2, 5)
    del one["encoder"]["Dense_0"]["kernel"]
    assert one == three


def test_no_gradients_and_no_hidden_outputs_is_the_black_box_attack():
    features = made_up(2, batch=3, hidden=False)._replace(gradients={})
    shapes = shapes_of(AttackNetwork(SMALL, ()), features)
    assert set(shapes) == {"loss", "output", "label", "encoder", "number"}


def widths_of(component):
    """Numbers of inputs and outputs of a component's dense layers, in order."""
    layers = sorted(name for name in component if name.startswith("Dense"))
    return [component[name]["kernel"] for name in layers]


def chain(*sizes):
    return list(itertools.pairwise(sizes))


@pytest.mark.parametrize("name", ["authors-2019", "ml-privacy-meter-0.1"])
def test_sizes_of_the_published_scripts(name):
    preset = attack_presets.PRESETS[name]
    shapes = shapes_of(AttackNetwork(preset, (DENSE,)), made_up(1, batch=2))
    assert widths_of(shapes["label"]) == chain(3, 128, 64)
    assert widths_of(shapes["output"]) == chain(3, 100, 64)
    assert widths_of(shapes["loss"]) == chain(1, 100, 64)
    assert widths_of(shapes["hidden_Block_Dense_1"]) == chain(7, 100, 64)
    gradient = shapes["gradient_Dense_0"]
    assert gradient["kernel"] == (4, 100)
    assert widths_of(gradient["FullyConnected_0"]) == chain(6 * 100, 2024, 512, 256)
    inputs = 4 * 64 + 256
    assert widths_of(shapes["encoder"]) == chain(inputs, 256, 128, 64)
    training = (preset.init_std, preset.learning_rate, preset.batch_size)
    assert training == (0.01, 1e-3, 200)
    assert not preset.dropout_everywhere
    assert preset.dropout == (0.2 if name == "authors-2019" else 0.0)


def test_image_outputs_have_a_component_where_the_preset_has_one():
    """A convolution of C kernels over all of (H, W, C) leaves C numbers of an image."""
    image = {"Block/Dense_1": 7}
    features = made_up(1, batch=2)._replace(
        hidden={"Block/Dense_1": jnp.ones((1, 2, 28))}
    )
    for name, want in [
        ("table-xiv", chain(28, 128, 64)),
        ("ml-privacy-meter-0.1", chain(28, 7, 1024, 512, 128, 64)),
    ]:
        network = AttackNetwork(
            attack_presets.PRESETS[name], (), channels=tuple(image.items())
        )
        shapes = shapes_of(network, features)
        assert widths_of(shapes["hidden_Block_Dense_1"]) == want


FEATURES = {"loss", "output", "label", "hidden_Block_Dense_1", "gradient_Dense_0"}


@pytest.mark.parametrize(
    "options, left_out",
    [
        ({"use_output": False}, {"output"}),
        ({"use_loss": False}, {"loss"}),
        ({"use_label": False}, {"label"}),
        ({"hidden": ()}, {"hidden_Block_Dense_1"}),
        ({"hidden": ("Block/Dense_1",)}, set()),
        ({"layers": ()}, {"gradient_Dense_0"}),
        ({"preset": dataclasses.replace(SMALL, encodes_label=False)}, {"label"}),
    ],
)
def test_any_feature_can_be_left_out(options, left_out):
    network = AttackNetwork(**{"preset": SMALL, "layers": (DENSE,)} | options)
    shapes = shapes_of(network, made_up(3, batch=2))
    assert set(shapes) == (FEATURES - left_out) | {"encoder", "number"}
    taken = FEATURES - left_out
    inputs = sum(2 if name == "label" else 3 * 2 for name in taken)
    assert shapes["encoder"]["Dense_0"]["kernel"] == (inputs, 5)


@pytest.mark.parametrize("name", sorted(FEATURES))
def test_one_feature_alone_is_enough(name):
    network = AttackNetwork(
        SMALL,
        (DENSE,) if name.startswith("gradient") else (),
        use_output=name == "output",
        use_loss=name == "loss",
        use_label=name == "label",
        hidden=("Block/Dense_1",) if name.startswith("hidden") else (),
    )
    assert set(shapes_of(network, made_up(2, 2))) == {name, "encoder", "number"}


def test_autoencoder_decodes_the_embedding():
    encoder = AttackNetwork(attack_presets.TABLE_XIV, (), hidden=())
    network = attack_networks.Autoencoder(encoder, 4)
    features = made_up(1, batch=2)
    shapes = shapes_of(network, features)
    assert set(shapes["encoder"]) == {"loss", "output", "label", "encoder", "number"}
    assert shapes["Dense_0"]["kernel"] == (1, 64)
    assert shapes["Dense_1"]["kernel"] == (64, 4)
    params = arrays.params_like(
        jax.eval_shape(lambda: network.init(jax.random.key(0), features, False))
    )
    embedding, decoded = jax.jit(lambda: network.apply(params, features, False))()
    chex.assert_shape([embedding, decoded], [(2,), (2, 4)])
    first, last = (params["params"][n] for n in ("Dense_0", "Dense_1"))
    hidden = np.maximum(embedding[:, None] * first["kernel"] + first["bias"], 0)
    want = hidden @ np.asarray(last["kernel"]) + last["bias"]
    np.testing.assert_allclose(decoded, want, rtol=1e-4, atol=1e-4)


@pytest.fixture(scope="module")
def fitted():
    """A network's logits of four records, as a function of features and dropout."""
    network = AttackNetwork(SMALL, (DENSE,))
    features = made_up(2, batch=4)

    init = jax.eval_shape(
        lambda key: network.init(key, features, training=False), jax.random.key(0)
    )
    # No negative weights: no ReLU hides what comes before it.
    params = jax.tree.map(jnp.abs, arrays.params_like(init))
    score = jax.jit(lambda features: network.apply(params, features, training=False))
    train = jax.jit(
        lambda key: network.apply(
            params, features, training=True, rngs={"dropout": key}
        )
    )
    return features, score, train


def test_dropout_only_in_training(fitted):
    features, score, train = fitted
    still = score(features)
    chex.assert_shape(still, (4,))
    # This kind of key compiles sooner.
    keys = (jax.random.key(i, impl="unsafe_rbg") for i in (0, 0, 1))
    one, again, other = map(train, keys)
    np.testing.assert_array_equal(one, again)
    assert np.abs(one - other).max() > 1e-3
    assert np.abs(one - still).max() > 1e-3


@pytest.mark.parametrize("component", ["fully connected", "gradient"])
def test_dropout_of_the_components_is_that_of_the_preset(component):
    """A unit is 0 with probability 0.2; those that are left are scaled by 1 / 0.8."""
    preset = dataclasses.replace(SMALL, gradient_kernels=500, gradient_widths=())
    if component == "gradient":
        module = GradientComponent(DENSE, preset)
        x = {"h": jnp.ones((1, 2)), "delta": jnp.ones((1, 4))}
    else:
        module = attack_networks.FullyConnected((1000,), preset.dropout, 0.5)
        x = jnp.ones((1, 4))
    shapes = jax.eval_shape(lambda key: module.init(key, x, False), jax.random.key(0))
    params = jax.tree.map(jnp.ones_like, arrays.params_like(shapes))

    @jax.jit
    def run(key):
        still = module.apply(params, x, training=False)
        return module.apply(params, x, training=True, rngs={"dropout": key}) / still

    kept = np.asarray(run(jax.random.key(0, impl="unsafe_rbg")))
    assert kept.shape == (1, 1000)
    # Five standard errors of a share of 1,000.
    assert np.mean(kept == 0) == pytest.approx(0.2, abs=5 * np.sqrt(0.16 / 1000))
    np.testing.assert_allclose(kept[kept != 0], 1.25, rtol=1e-5)


def share_of_zeros(module, x):
    """Of the units in training, with weights of ones."""
    shapes = jax.eval_shape(lambda key: module.init(key, x, False), jax.random.key(0))
    params = jax.tree.map(jnp.ones_like, arrays.params_like(shapes))
    key = jax.random.key(0, impl="unsafe_rbg")
    out = module.apply(params, x, training=True, rngs={"dropout": key})
    return float(np.mean(np.asarray(out) == 0))


def test_dropout_of_the_scripts_is_in_the_gradient_component_alone():
    scripts = dataclasses.replace(SMALL, dropout_everywhere=False)
    x = {"h": jnp.ones((1, 1)), "delta": jnp.ones((1, 4))}

    def zeros(preset, *widths):
        wide = dataclasses.replace(preset, gradient_widths=widths)
        return share_of_zeros(GradientComponent(DENSE, wide), x)

    error = 5 * np.sqrt(0.16 / 1000)
    assert zeros(scripts, 1000) == pytest.approx(0.2, abs=error)
    assert zeros(scripts, 3, 1000) == 0
    assert zeros(SMALL, 3, 1000) == pytest.approx(0.2, abs=error)


def test_dropout_of_the_scripts_acts_on_the_gradient_itself():
    """With one kernel of ones a sum tells how many of 400 numbers are left."""
    preset = dataclasses.replace(
        SMALL, dropout_everywhere=False, gradient_kernels=1, gradient_widths=()
    )
    layer, units = DENSE._replace(features=400), 50
    component = GradientComponent(layer, preset)
    kept = {"h": jnp.ones((1, units)), "delta": jnp.ones((1, 400))}
    params = {"kernel": jnp.ones((400, 1)), "bias": jnp.zeros(1)}
    sums = component.apply(
        {"params": params},
        kept,
        training=True,
        rngs={"dropout": jax.random.key(0, impl="unsafe_rbg")},
    )
    # Twice scaled by 1 / 0.8: on the gradient, and after the kernels.
    left = np.asarray(sums[sums > 0]) * 0.8 * 0.8
    np.testing.assert_allclose(left, np.round(left), atol=1e-2)
    assert np.std(left) > 3
    assert np.mean(left) == pytest.approx(320, abs=5 * 8 / np.sqrt(len(left)))
    still = component.apply({"params": params}, kept, training=False)
    np.testing.assert_allclose(still, 400)


def test_dropout_of_the_scripts_spares_the_other_components():
    preset = dataclasses.replace(SMALL, dropout_everywhere=False)
    network, features = AttackNetwork(preset, ()), made_up(1, batch=4)
    params = arrays.params_like(
        jax.eval_shape(lambda: network.init(jax.random.key(0), features, False))
    )
    rngs = {"dropout": jax.random.key(0, impl="unsafe_rbg")}
    train = network.apply(params, features, training=True, rngs=rngs)
    chex.assert_trees_all_close(train, network.apply(params, features, False))


@pytest.mark.parametrize("name", ["label", "loss", "output", "hidden", "gradients"])
def test_a_record_is_judged_by_its_own_features(fitted, name):
    features, score, _ = fitted
    record = 2
    index = record if name == "label" else (slice(None), record)
    changed = features._replace(
        **{name: jax.tree.map(lambda a: a.at[index].add(1), getattr(features, name))}
    )
    difference = np.abs(score(changed) - score(features))
    assert difference[record] > 1e-4
    np.testing.assert_allclose(np.delete(difference, record), 0, atol=1e-6)


def test_every_snapshot_counts(fitted):
    features, score, _ = fitted
    for snapshot in range(2):
        changed = features._replace(loss=features.loss.at[snapshot].add(1))
        assert np.abs(score(changed) - score(features)).min() > 1e-4


def test_the_norm_is_no_input_of_the_network(fitted):
    features, score, _ = fitted
    changed = features._replace(norm=features.norm + 1)
    np.testing.assert_array_equal(score(changed), score(features))
