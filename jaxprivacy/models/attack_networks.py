"""Paper B's attack network: one component per feature, an encoder over all of them."""

from __future__ import annotations

from collections.abc import Sequence

import flax.linen as nn
import jax
import jax.numpy as jnp

from jaxprivacy import types
from jaxprivacy.models import attack_presets, convolution


def initial_weights(init_std: float | None) -> nn.initializers.Initializer:
    """Weights from N(0, init_std^2), or where that is None as He et al. have them."""
    if init_std is None:
        return nn.initializers.he_normal()
    return nn.initializers.normal(init_std)


class FullyConnected(nn.Module):
    """Dense layers with ReLU and dropout: paper B's fully connected component."""

    widths: Sequence[int]
    dropout: float
    init_std: float | None
    dropped: int | None = None  # how many of the layers have dropout; None: all

    @nn.compact
    def __call__(self, x: jax.Array, training: bool) -> jax.Array:
        """(B, F) -> (B, widths[-1])."""
        for i, width in enumerate(self.widths):
            x = nn.Dense(width, kernel_init=initial_weights(self.init_std))(x)
            x = nn.relu(x)
            if self.dropped is None or i < self.dropped:
                x = nn.Dropout(self.dropout, deterministic=not training)(x)
        return x


class GradientComponent(nn.Module):
    """Paper B's convolutional component over the gradient of one layer.

    For a Dense layer a kernel spans all gradients that go into one input unit's weights
    (1 x fan-out); unit i and kernel k give relu(sum_o g[i, o] w[o, k] + b[k]). With
    g = h delta^T that is relu(h[i] (delta . w_k) + b[k]), and g is never formed.
    For a Conv layer a kernel spans one filter (height x width x inputs), so that it
    correlates the gradients within a filter (PAPERS row B10), again without forming
    them: sum_s (patch_s . w_k) delta[s, o]. Only dropout of single gradients, which the
    authors' script has, needs them formed, and only in training.
    """

    layer: types.Layer
    preset: attack_presets.Preset

    @nn.compact
    def __call__(self, gradient: dict[str, jax.Array], training: bool) -> jax.Array:
        """{"h", "delta"} or {"gradient"}, each (B, ...) -> (B, gradient_widths[-1])."""
        preset, kernels = self.preset, self.preset.gradient_kernels
        drop = nn.Dropout(preset.dropout, deterministic=not training)
        if training and preset.dropout and not preset.dropout_everywhere:
            gradient = {"gradient": drop(self.matrix(gradient))}
        products = self.of_matrix if "gradient" in gradient else self.of_factors
        x = products(gradient, initial_weights(preset.init_std))
        x = nn.relu(x + self.param("bias", nn.initializers.zeros, (kernels,)))
        x = drop(x.reshape(x.shape[0], -1))
        return FullyConnected(
            preset.gradient_widths,
            preset.dropout,
            preset.init_std,
            None if preset.dropout_everywhere else 1,
        )(x, training)

    def of_matrix(self, gradient, init):
        """Products of the kernels and a materialised gradient: (B, G, units, k)."""
        matrix = gradient["gradient"]  # (B, G, I, O)
        conv = self.layer.kind == "conv"
        span = matrix.shape[2] if conv else matrix.shape[3]
        w = self.param("kernel", init, (span, self.preset.gradient_kernels))
        equation = "bgio,ik->bgok" if conv else "bgio,ok->bgik"
        return jnp.einsum(equation, matrix, w)

    def of_factors(self, gradient, init):
        """The same of (h, delta), whose outer products are the gradient."""
        h, delta = self.factors(gradient)
        conv = self.layer.kind == "conv"
        span = h.shape[-1] if conv else delta.shape[-1]
        w = self.param("kernel", init, (span, self.preset.gradient_kernels))
        if conv:
            return jnp.einsum("bsgk,bsgo->bgok", h @ w, delta)
        return jnp.einsum("bsgi,bsgk->bgik", h, delta @ w)

    def matrix(self, gradient):
        """Materialises a gradient from either form: (B, G, I, O)."""
        if "gradient" in gradient:
            return gradient["gradient"]
        return jnp.einsum("bsgi,bsgo->bgio", *self.factors(gradient))

    def factors(self, gradient):
        """Brings h and delta to (B, S, G, I) and (B, S, G, O)."""
        h, layer = gradient["h"], self.layer
        if layer.kind == "conv":
            h = self.patches(h)
        else:
            h = h.reshape(h.shape[0], -1, 1, h.shape[-1])
        return h, gradient["delta"].reshape(*h.shape[:3], -1)

    def patches(self, h):
        """Gathers the layer's patches: (B, H, W, C) -> (B, S, G, I)."""
        layer = self.layer
        h = convolution.patches(
            h, layer.window, layer.strides, layer.padding, layer.dilation, layer.groups
        )
        return h.reshape(h.shape[0], -1, *h.shape[3:])


class AttackNetwork(nn.Module):
    """A number per record: components, shared by the snapshots, then an encoder.

    The number is the logit of membership in the supervised attack and the embedding in
    the unsupervised one. Paper B, section II-A, figure 1 and Table XIV. What the
    components put out for each of the T snapshots is concatenated before the encoder
    (PAPERS row B12). The label, the same at every snapshot, is encoded once.
    """

    preset: attack_presets.Preset
    layers: tuple[types.Layer, ...]  # those whose gradients are taken
    use_output: bool = True
    use_loss: bool = True
    use_label: bool = True
    hidden: tuple[str, ...] | None = None  # paths; None: all among the features
    # (path, C) of the hidden outputs that are images of C channels, flattened; they
    # have a component of their own if the preset has `image_widths`.
    channels: tuple[tuple[str, int], ...] = ()
    # Whose gradients' norms are taken, by their names among the statistics; None: those
    # of `layers`.
    norms: tuple[str, ...] | None = None

    @nn.compact
    def __call__(self, features, training: bool) -> jax.Array:
        """Features of B records at T snapshots -> (B,)."""
        preset = self.preset
        snapshots, batch, _ = features.loss.shape

        def fold(a):
            return a.reshape(snapshots * batch, *a.shape[2:])

        parts = [
            self.component(name, widths)(fold(output), training)
            for name, widths, output in self.outputs(features)
        ]
        for layer in self.layers:
            name = "gradient_" + layer.path.replace("/", "_")
            kept = jax.tree.map(fold, features.gradients[layer.path])
            parts.append(GradientComponent(layer, preset, name=name)(kept, training))
        parts = [part.reshape(snapshots, batch, -1) for part in parts]
        parts = [part[t] for t in range(snapshots) for part in parts]
        if self.use_label and preset.encodes_label:
            label = self.component("label", preset.label_widths)
            parts.append(label(features.label, training))
        x = jnp.concatenate(parts, axis=-1)
        x = self.component("encoder", preset.encoder_widths)(x, training)
        init = initial_weights(preset.init_std)
        if preset.anchored:
            init = nn.initializers.zeros  # So that it begins as its anchor.
        number = nn.Dense(1, kernel_init=init, name="number")(x)[:, 0]
        return number + self.anchor(features) if preset.anchored else number

    def anchor(self, features):
        """The simple rule that the network begins as: (B,)."""
        values = self.rules(features)
        zeros = nn.initializers.zeros
        slopes = self.param("slopes", zeros, values.shape[1:])
        return values @ slopes + self.param("intercept", zeros, ())

    def rules(self, features):
        """Values of the simple rules on what is seen, higher means member: (B, R).

        Of the last snapshot: the log-odds of the record's class where the label is
        seen, the largest log-odds, and minus the logarithm of each layer's norm.
        """
        seen, found = features.statistics, []
        if self.use_loss:
            found.append(seen.confidence[-1])
        if self.sees_outputs():
            found.append(seen.ranked[-1, :, :1])
        found += [-seen.log_norms[name][-1] for name in self.normed()]
        return jnp.concatenate(found, axis=-1)

    def normed(self):
        """Names of the gradients whose norms are taken."""
        if self.norms is None:
            return tuple(layer.path for layer in self.layers)
        return self.norms

    def sees_outputs(self):
        """Whether the output is seen, or what the remaining layers make into it."""
        return self.use_output or self.hidden is None or bool(self.hidden)

    def component(self, name, widths):
        """A fully connected component with the preset's dropout."""
        preset = self.preset
        rate = preset.dropout if preset.dropout_everywhere else 0.0
        return FullyConnected(widths, rate, preset.init_std, name=name)

    def outputs(self, features):
        """Lists what fully connected components take: (name, widths, (T, B, W)).

        As many kernels over a whole image as it has channels are a dense layer on it.
        """
        widths, image_widths = self.preset.output_widths, self.preset.image_widths
        found = self.readings(features)
        channels = dict(self.channels) if image_widths else {}
        paths = sorted(features.hidden) if self.hidden is None else self.hidden
        for path in paths:
            sizes = (channels[path], *image_widths) if path in channels else widths
            name = "hidden_" + path.replace("/", "_")
            found.append((name, sizes, features.hidden[path]))
        return found

    def readings(self, features):
        """Lists what is taken of outputs and norms, as `outputs` does."""
        preset, found = self.preset, []
        widths, seen = preset.output_widths, features.statistics
        if self.use_loss:
            loss = seen.confidence if preset.statistics else features.loss
            found.append(("loss", preset.loss_widths, loss))
        if self.use_output:
            output = seen.log_odds if preset.statistics else features.output
            found.append(("output", widths, output))
        if not preset.statistics:
            return found
        if self.sees_outputs():
            found.append(("ranked", widths, seen.ranked))
        if names := self.normed():
            norms = [seen.log_norms[name] for name in names]
            norms = jnp.concatenate(norms, axis=-1)
            found.append(("norms", preset.loss_widths, norms))
        return found


class Autoencoder(nn.Module):
    """Paper B's unsupervised attack: a number per record, and what it says of it.

    The encoder is the attack network; the decoder is dense (Table XIV: 64, 4) and
    linear in its last layer. Its weights begin at Linen's default, a deviation: from
    N(0, init_std) on either side of a single number, nothing is learned for thousands
    of steps.
    """

    encoder: AttackNetwork
    outputs: int  # numbers that are reconstructed

    @nn.compact
    def __call__(self, features, training: bool) -> tuple[jax.Array, jax.Array]:
        """Features of B records -> embedding (B,), reconstruction (B, outputs)."""
        preset = self.encoder.preset
        embedding = self.encoder(features, training)
        rate = preset.dropout if preset.dropout_everywhere else 0.0
        x = embedding[:, None]
        for width in preset.decoder_widths:
            x = nn.relu(nn.Dense(width)(x))
            x = nn.Dropout(rate, deterministic=not training)(x)
        return embedding, nn.Dense(self.outputs)(x)
