"""The attacked classifiers have the papers' sizes and fit every image."""

import chex
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax import lax

from jaxprivacy import errors
from jaxprivacy.models import targets
from tests import arrays


def shapes_of(module, shape):
    model = targets.as_model(module, shape)
    return model, jax.eval_shape(model.init, jax.random.key(0))


def count(shapes):
    return sum(a.size for a in jax.tree.leaves(shapes))


@pytest.mark.parametrize(
    ("module", "shape", "parameters"),
    [
        (targets.mnist_classifier(11), (32, 32, 1), 105_707),
        (targets.mnist_classifier(10), (32, 32, 1), 105_506),
        (targets.mnist_classifier(), (32, 32, 1), 105_707),
        (targets.att_classifier(41), (64, 64, 1), 478_665),
        (targets.att_classifier(), (64, 64, 1), 478_665),
        # 4 x 5 + 5 and 5 x 3 + 3
        (targets.MLP((5,), 3), (2, 2), 43),
        (targets.MLP((), 3), (4,), 15),
    ],
)
def test_parameter_counts(module, shape, parameters):
    _, shapes = shapes_of(module, shape)
    assert count(shapes) == parameters


# The linear layer's inputs: the last channels times what is left of the image.
IMAGES = [
    ((4, 4, 1), 64 * 1 * 1),
    ((8, 8, 1), 64 * 2 * 2),
    ((21, 21, 1), 64 * 5 * 5),  # padded; 21 -> 10 -> 5
    ((22, 22, 1), 64 * 1 * 1),  # 22 -> 18 -> 6 -> 2 -> 1
    ((28, 28, 1), 64 * 2 * 2),  # 28 -> 24 -> 8 -> 4 -> 2
    ((32, 32, 3), 64 * 2 * 2),
    ((51, 51, 1), 64 * 5 * 5),  # 51 -> 47 -> 15 -> 11 -> 5
    ((52, 52, 1), 128 * 1 * 1),  # 52 -> 48 -> 16 -> 12 -> 6 -> 2 -> 1
    ((64, 64, 1), 128 * 2 * 2),
    ((24, 60, 3), 64 * 1 * 7),  # 24 -> 20 -> 6 -> 2 -> 1; 60 -> 56 -> 18 -> 14 -> 7
    ((5, 40, 2), 64 * 1 * 10),
]


@pytest.mark.parametrize(("image", "linear"), IMAGES)
def test_classifiers_fit_every_image(image, linear):
    model, shapes = shapes_of(targets.classifier(image, 7), image)
    x = jax.ShapeDtypeStruct((3, *image), jnp.float32)
    assert jax.eval_shape(model.apply, shapes, x).shape == (3, 7)
    hidden = 400 if min(image[:2]) >= 52 else 200
    assert shapes["Dense_0"]["kernel"].shape == (linear, hidden)
    assert shapes["Conv_0"]["kernel"].shape == (5, 5, image[-1], 32)


@pytest.mark.parametrize("image", [(3, 3, 1), (3, 20, 1), (64, 2, 3)])
def test_images_that_are_too_small_are_refused(image):
    with pytest.raises(errors.InputError, match="accepted are at least 4 x 4"):
        targets.classifier(image, 2)


def test_mlp_by_hand():
    model = targets.as_model(targets.MLP((3,), 2), (2, 2))
    params = jax.tree.map(np.asarray, arrays.params_of(model))
    x = np.linspace(-1, 1, 8, dtype=np.float32).reshape(2, 2, 2)
    first, last = params["Dense_0"], params["Dense_1"]
    h = np.tanh(x.reshape(2, 4) @ first["kernel"] + first["bias"])
    want = h @ last["kernel"] + last["bias"]
    np.testing.assert_allclose(
        jax.jit(model.apply)(params, x), want, rtol=1e-5, atol=1e-6
    )


def test_convolutional_classifier_is_the_sequence_of_its_layers():
    module = targets.ConvolutionalClassifier((2,), (3,), 4, 3)
    model = targets.as_model(module, (11, 8, 1))
    x = arrays.normal(1, 2, 11, 8, 1)

    def by_layers(params, x):
        x = lax.conv_general_dilated(
            x,
            params["Conv_0"]["kernel"],
            (1, 1),
            "VALID",
            dimension_numbers=("NHWC", "HWIO", "NHWC"),
        )
        x = jnp.tanh(x + params["Conv_0"]["bias"])
        shape = (1, 3, 3, 1)
        x = lax.reduce_window(x, -jnp.inf, lax.max, shape, shape, "VALID")
        dense = params["Dense_0"]
        x = jnp.tanh(x.reshape(len(x), -1) @ dense["kernel"] + dense["bias"])
        return x @ params["Dense_1"]["kernel"] + params["Dense_1"]["bias"]

    run = jax.jit(lambda params: (model.apply(params, x), by_layers(params, x)))
    got, want = run(arrays.params_of(model))
    chex.assert_trees_all_close(got, want, rtol=1e-5, atol=1e-6)
