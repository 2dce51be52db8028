"""Paper B's attack network: one component per feature, an encoder over all of them.

The presets hold what the published versions of the network disagree about.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import flax.linen as nn
import jax
import jax.numpy as jnp

from jaxprivacy.models import convolution
from jaxprivacy.models.interception import Layer


@dataclasses.dataclass(frozen=True)
class Preset:
    """Sizes and training of an attack network; hashable, static under jit."""

    name: str
    gradient_kernels: int  # kernels of 1 x fan-out over a gradient
    gradient_widths: tuple[int, ...]  # dense layers after them
    output_widths: tuple[int, ...]  # of the output and of hidden outputs
    label_widths: tuple[int, ...]
    loss_widths: tuple[int, ...]
    encoder_widths: tuple[int, ...]  # before the single output
    dropout: float
    init_std: float  # weights from N(0, init_std), biases 0
    learning_rate: float  # Adam
    batch_size: int  # half members, half non-members
    epochs: int


# PAPERS rows B9 and B11. The 1000 kernels are read in the authors' federated script,
# the dense sizes are recalled, the batch size and the epochs too.
TABLE_XIV = Preset(
    name="table-xiv",
    gradient_kernels=1000,
    gradient_widths=(128, 64),
    output_widths=(128, 64),
    label_widths=(128, 64),
    loss_widths=(128, 64),
    encoder_widths=(256, 128, 64),
    dropout=0.2,
    init_std=0.01,
    learning_rate=1e-4,
    batch_size=64,
    epochs=100,
)
PRESETS = {preset.name: preset for preset in (TABLE_XIV,)}


class FullyConnected(nn.Module):
    """Dense layers with ReLU and dropout: paper B's fully connected component."""

    widths: Sequence[int]
    dropout: float
    init_std: float

    @nn.compact
    def __call__(self, x: jax.Array, training: bool) -> jax.Array:
        """(B, F) -> (B, widths[-1])."""
        for width in self.widths:
            x = nn.Dense(width, kernel_init=nn.initializers.normal(self.init_std))(x)
            x = nn.Dropout(self.dropout, deterministic=not training)(nn.relu(x))
        return x


class GradientComponent(nn.Module):
    """Paper B's convolutional component over the gradient of one layer.

    For a Dense layer a kernel spans all gradients that go into one input unit's weights
    (1 x fan-out); unit i and kernel k give relu(sum_o g[i, o] w[o, k] + b[k]). With
    g = h delta^T that is relu(h[i] (delta . w_k) + b[k]), and g is never formed.
    For a Conv layer a kernel spans one filter (height x width x inputs), so that it
    correlates the gradients within a filter (PAPERS row B10), again without forming
    them: sum_s (patch_s . w_k) delta[s, o].
    """

    layer: Layer
    preset: Preset

    @nn.compact
    def __call__(self, gradient: dict[str, jax.Array], training: bool) -> jax.Array:
        """{"h", "delta"} or {"gradient"}, each (B, ...) -> (B, gradient_widths[-1])."""
        preset, kernels = self.preset, self.preset.gradient_kernels
        init = nn.initializers.normal(preset.init_std)
        conv = self.layer.kind == "conv"
        if "gradient" in gradient:
            matrix = gradient["gradient"]  # (B, G, I, O)
            span = matrix.shape[2] if conv else matrix.shape[3]
            w = self.param("kernel", init, (span, kernels))
            equation = "bgio,ik->bgok" if conv else "bgio,ok->bgik"
            x = jnp.einsum(equation, matrix, w)
        elif conv:
            h = self.patches(gradient["h"])  # (B, S, G, I)
            w = self.param("kernel", init, (h.shape[-1], kernels))
            delta = gradient["delta"].reshape(*h.shape[:3], -1)
            x = jnp.einsum("bsgk,bsgo->bgok", h @ w, delta)
        else:
            delta = gradient["delta"].reshape(
                len(gradient["delta"]), -1, self.layer.features
            )
            w = self.param("kernel", init, (self.layer.features, kernels))
            h = gradient["h"].reshape(len(delta), delta.shape[1], -1)
            x = jnp.einsum("bsi,bsk->bik", h, delta @ w)
        x = nn.relu(x + self.param("bias", nn.initializers.zeros, (kernels,)))
        x = x.reshape(x.shape[0], -1)
        x = nn.Dropout(preset.dropout, deterministic=not training)(x)
        return FullyConnected(preset.gradient_widths, preset.dropout, preset.init_std)(
            x, training
        )

    def patches(self, h):
        """Gathers the layer's patches: (B, H, W, C) -> (B, S, G, I)."""
        layer = self.layer
        h = convolution.patches(
            h, layer.window, layer.strides, layer.padding, layer.dilation, layer.groups
        )
        return h.reshape(h.shape[0], -1, *h.shape[3:])


class AttackNetwork(nn.Module):
    """Membership from features: components, shared by the snapshots, then an encoder.

    Paper B, section II-A, figure 1 and Table XIV. What the components put out for each
    of the T snapshots is concatenated before the encoder (PAPERS row B12). The label,
    the same at every snapshot, is encoded once.
    """

    preset: Preset
    layers: tuple[Layer, ...]  # those whose gradients are among the features

    @nn.compact
    def __call__(self, features, training: bool) -> jax.Array:
        """Features of B records at T snapshots -> (B,) logits of membership."""
        preset = self.preset
        snapshots, batch, _ = features.loss.shape

        def fold(a):
            return a.reshape(snapshots * batch, *a.shape[2:])

        def component(widths, name):
            return FullyConnected(widths, preset.dropout, preset.init_std, name=name)

        parts = [
            component(preset.loss_widths, "loss")(fold(features.loss), training),
            component(preset.output_widths, "output")(fold(features.output), training),
        ]
        for path, hidden in sorted(features.hidden.items()):
            name = "hidden_" + path.replace("/", "_")
            parts.append(component(preset.output_widths, name)(fold(hidden), training))
        for layer in self.layers:
            name = "gradient_" + layer.path.replace("/", "_")
            kept = jax.tree.map(fold, features.gradients[layer.path])
            parts.append(GradientComponent(layer, preset, name=name)(kept, training))
        x = jnp.concatenate(parts, axis=-1).reshape(snapshots, batch, -1)
        x = jnp.moveaxis(x, 0, 1).reshape(batch, -1)
        label = component(preset.label_widths, "label")(features.label, training)
        x = jnp.concatenate([x, label], axis=-1)
        x = component(preset.encoder_widths, "encoder")(x, training)
        init = nn.initializers.normal(preset.init_std)
        return nn.Dense(1, kernel_init=init, name="membership")(x)[:, 0]
