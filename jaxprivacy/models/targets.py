"""The classifiers that are attacked."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import flax.linen as nn
import jax
import jax.numpy as jnp
from jax import lax

from jaxprivacy import checks, errors, types
from jaxprivacy.models import alexnet, convolution, dense_net, residual

NAMES = ("mlp", "cnn", "alexnet", "resnet", "densenet")
STATISTICS = "batch_stats"  # Linen's collection of batch normalisation's averages
SMALLEST = 4  # pixels: what two 2 x 2 poolings leave something of


class MLP(nn.Module):
    """A fully connected classifier of tables or images.

    Tanh between the layers, as in the networks that paper B's authors use for
    Purchase-100 and Texas-100 (PAPERS row B4).
    """

    widths: Sequence[int]
    num_classes: int
    activation: Callable[[jax.Array], jax.Array] = jnp.tanh

    @nn.compact
    def __call__(self, x: jax.Array) -> jax.Array:
        """(B, *D) -> (B, K) logits."""
        x = x.reshape(x.shape[0], -1)
        for width in self.widths:
            x = self.activation(nn.Dense(width)(x))
        return nn.Dense(self.num_classes)(x)


class ConvolutionalClassifier(nn.Module):
    """Paper A's classifier: convolution, tanh, max-pooling, then two linear layers.

    `mnist_classifier` and `att_classifier` below are the paper's two; `classifier`
    chooses for an image of any size. The log-softmax at the end of the paper's network
    is part of the loss here.
    """

    channels: Sequence[int]
    pools: Sequence[int]
    hidden: int
    outputs: int
    padding: str = "VALID"

    @nn.compact
    def __call__(self, x: jax.Array) -> jax.Array:
        """(B, H, W, C) -> (B, outputs) logits."""
        for features, pool in zip(self.channels, self.pools, strict=True):
            x = nn.Conv(
                features,
                (5, 5),
                padding=self.padding,
                conv_general_dilated=convolution.conv_general_dilated,
            )(x)
            # tanh rises, so it may follow the maximum: the same function of fewer.
            x = jnp.tanh(convolution.max_pool(x, pool))
        x = x.reshape(x.shape[0], -1)
        x = jnp.tanh(nn.Dense(self.hidden)(x))
        return nn.Dense(self.outputs)(x)


def mnist_classifier(outputs: int = 11) -> ConvolutionalClassifier:
    """Paper A's MNIST network: 105,707 parameters on 32 x 32 x 1 (PAPERS row A8)."""
    return ConvolutionalClassifier((32, 64), (3, 2), 200, outputs)


def att_classifier(outputs: int = 41) -> ConvolutionalClassifier:
    """Paper A's AT&T network: 478,665 parameters on 64 x 64 x 1 (PAPERS row A9)."""
    return ConvolutionalClassifier((32, 64, 128), (3, 2, 2), 400, outputs)


def classifier(image_shape: Sequence[int], outputs: int) -> ConvolutionalClassifier:
    """Paper A's network for images of the given size.

    From 52 pixels on the AT&T network, from 22 on the MNIST network. Neither fits
    smaller images: these get the MNIST network with padded convolutions and 2 x 2
    pooling (a deviation; on 8 x 8 the linear layer still has 256 inputs).

    Args:
      image_shape: (H, W, C), at least 4 x 4.
      outputs: K, or K + 1 with the artificial class of the GAN attack.
    """
    smallest = min(image_shape[:2])
    if smallest < SMALLEST:
        raise errors.InputError(
            "model",
            "cnn",
            found=f"images of {image_shape[0]} x {image_shape[1]} pixels do not fit",
            accepted="are at least 4 x 4",
        )
    if smallest >= 52:
        return att_classifier(outputs)
    if smallest >= 22:
        return mnist_classifier(outputs)
    return ConvolutionalClassifier((32, 64), (2, 2), 200, outputs, padding="SAME")


def build(
    name: str,
    input_shape: Sequence[int],
    num_classes: int,
    *,
    widths: Sequence[int] = (),
    depth: int = 20,
    growth_rate: int = 12,
    normalisation: str = "group",
    block: str = "",
    preprocess: Callable[[jax.Array], jax.Array] | None = None,
) -> types.Model:
    """Builds a classifier by its name; of the settings it takes those it has.

    Args:
      name: "mlp", "cnn" (paper A's for this image), "alexnet", "resnet", "densenet".
      input_shape: *D, the shape of one example; (H, W, C) but for an MLP.
      num_classes: K.
      widths: hidden layers of an MLP.
      depth: of ResNet (6 n + 2) and DenseNet (6 n + 4).
      growth_rate: of DenseNet.
      normalisation: of ResNet and DenseNet, "group", or "batch" for imported weights.
      block: of ResNet, see `residual.resnet`.
      preprocess: see `as_model`.

    Raises:
      ValueError: naming the argument: the name is not one of these, a setting is out of
        its range, or no such network fits the images.
    """
    _check_records(name, input_shape)
    if name == "mlp":
        module = MLP(tuple(widths), num_classes)
    elif name == "cnn":
        module = classifier(input_shape, num_classes)
    elif name == "alexnet":
        module = alexnet.AlexNet(num_classes)
    elif name == "resnet":
        module = residual.resnet(
            depth, num_classes, block=block, normalisation=normalisation
        )
    else:
        module = dense_net.densenet(
            depth, growth_rate, num_classes, normalisation=normalisation
        )
    return as_model(module, input_shape, preprocess)


def _check_records(name: str, input_shape: Sequence[int]) -> None:
    """Raises InputError if there is no such network, or none for these records."""
    checks.one_of("model", name, NAMES)
    if name != "mlp" and len(input_shape) != 3:
        raise errors.InputError(
            "model",
            name,
            found=f"records of shape {tuple(input_shape)} are no images",
            accepted="for them is mlp",
        )
    if name == "alexnet":
        alexnet.check_image(input_shape)
    if name == "densenet":
        dense_net.check_image(input_shape)


def as_model(
    module: nn.Module,
    input_shape: Sequence[int],
    preprocess: Callable[[jax.Array], jax.Array] | None = None,
) -> types.Model:
    """Wraps a Linen module as pure functions of one tree of parameters.

    The tree is Linen's collection `params`; for a module with averages of batch
    normalisation it is {"params": ..., "batch_stats": ...}. The averages are read and
    never written, and nothing is differentiated with respect to them.

    Args:
      module: maps (B, *D) to (B, K).
      input_shape: *D, the shape of one example.
      preprocess: what is done to (B, *D) before the module sees it, for a module that
        was trained on inputs of another scale.
    """

    def init(key):
        variables = module.init(key, jnp.zeros((1, *input_shape)))
        if STATISTICS not in variables:
            return variables["params"]
        return {name: variables[name] for name in ("params", STATISTICS)}

    def apply(params, x):
        if preprocess is not None:
            x = preprocess(x)
        return module.apply(_variables(params), x)

    return types.Model(init, apply)


def trained(params: types.Params) -> types.Params:
    """Which of a model's parameters training changes: a tree of booleans.

    All but the averages of batch normalisation. Weight decay needs it as its mask: the
    gradient leaves those as they are by itself, decay does not.
    """
    if STATISTICS not in params:
        return jax.tree.map(lambda _: True, params)
    return {
        name: jax.tree.map(lambda _, name=name: name == "params", collection)
        for name, collection in params.items()
    }


def _variables(params: types.Params) -> dict:
    """What Linen's `apply` takes."""
    if STATISTICS not in params:
        return {"params": params}
    averages = lax.stop_gradient(params[STATISTICS])
    return {"params": params["params"], STATISTICS: averages}
