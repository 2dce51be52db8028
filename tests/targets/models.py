"""Small models of every kind: (apply, params, x, y) for the table of test_capture."""

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx

from jaxprivacy.models import convolution
from tests import arrays

CLASSES, RECORDS, TOKENS = 3, 5, 7


def linen(module, shape, *, tokens=False, seed=0):
    """A Linen module that puts out CLASSES numbers, with made-up parameters."""
    if tokens:
        draw = np.random.default_rng(seed)
        x = jnp.asarray(draw.integers(0, TOKENS, (RECORDS, *shape)), jnp.int32)
    else:
        x = arrays.normal((seed, 99), RECORDS, *shape)
    variables = jax.eval_shape(module.init, jax.random.key(0), x)
    params = arrays.params_like(variables.pop("params"))
    # Running averages: variances are above 0.
    rest = jax.tree.map(lambda a: jnp.full(a.shape, 0.7, a.dtype), variables)

    def apply(params, x):
        return module.apply({"params": params, **rest}, x)

    return apply, params, x, jnp.arange(RECORDS) % CLASSES


class Layers(nn.Module):
    """Layers one after another, made inside so that they are named alike."""

    make: tuple

    @nn.compact
    def __call__(self, x):
        for make in self.make:
            x = make()(x) if isinstance(make, type) else make(x)
        x = x.reshape(len(x), -1)
        return x if x.shape[-1] == CLASSES else nn.Dense(CLASSES)(x)


def conv(features, window, **options):
    return lambda x: nn.Conv(features, window, **options)(x)


class Tied(nn.Module):
    """A transformer whose embedding is also its last layer."""

    dtype: jnp.dtype | None = None

    @nn.compact
    def __call__(self, tokens):
        embed = nn.Embed(TOKENS, 4, dtype=self.dtype)
        x = embed(tokens)
        x += self.param("positions", nn.initializers.normal(), x.shape[1:])
        x = nn.LayerNorm()(x)
        x += nn.MultiHeadDotProductAttention(2)(x, x)
        x = nn.gelu(nn.DenseGeneral((2, 3))(x))
        x = nn.DenseGeneral(4, axis=(-2, -1))(x)
        return embed.attend(x).mean(1)[:, :CLASSES]


class Shared(nn.Module):
    """One Dense layer three times."""

    @nn.compact
    def __call__(self, x):
        layer = nn.Dense(4)
        return nn.Dense(CLASSES)(jnp.tanh(layer(jnp.tanh(layer(jnp.tanh(layer(x)))))))


class Remat(nn.Module):
    @nn.compact
    def __call__(self, x):
        x = nn.relu(nn.remat(nn.Dense)(6)(x))
        return nn.remat(nn.Dense)(CLASSES)(x)


class _Step(nn.Module):
    @nn.compact
    def __call__(self, carry, _):
        return jnp.tanh(nn.Dense(4)(carry)), None


class Scanned(nn.Module):
    """Two layers with parameters of their own, by nn.scan."""

    @nn.compact
    def __call__(self, x):
        steps = nn.scan(
            _Step, variable_axes={"params": 0}, split_rngs={"params": True}, length=2
        )
        x, _ = steps()(x, None)
        return nn.Dense(CLASSES)(x)


class Recurrent(nn.Module):
    @nn.compact
    def __call__(self, x):
        return nn.Dense(CLASSES)(nn.RNN(nn.OptimizedLSTMCell(3))(x)[:, -1])


class PatchedConv(nn.Module):
    """The package's own convolution, by `lax.platform_dependent`."""

    @nn.compact
    def __call__(self, x):
        x = nn.Conv(4, (3, 3), conv_general_dilated=convolution.conv_general_dilated)(x)
        return nn.Dense(CLASSES)(x.mean((1, 2)))


class Nnx(nnx.Module):
    def __init__(self, rngs):
        self.conv = nnx.Conv(2, 3, (3, 3), rngs=rngs)
        self.norm = nnx.LayerNorm(3, rngs=rngs)
        self.dropout = nnx.Dropout(0.5, rngs=rngs)
        self.dense = nnx.Linear(3, CLASSES, rngs=rngs)

    def __call__(self, x):
        x = nnx.relu(self.norm(self.conv(x))).mean((1, 2))
        return self.dense(self.dropout(x))


def of_nnx(whole_state):
    """An NNX module as its split state: parameters alone, or with all the rest."""
    module = Nnx(nnx.Rngs(0))
    module.eval()
    kind = [] if whole_state else [nnx.Param, ...]
    graph, params, *rest = nnx.split(module, *kind)

    def apply(params, x):
        return nnx.merge(graph, params, *rest)(x)

    return (
        apply,
        params,
        arrays.normal(3, RECORDS, 4, 4, 2),
        jnp.arange(RECORDS) % CLASSES,
    )


def bare(function, shapes, shape):
    """A function of a dictionary of arrays."""
    x = arrays.normal(5, RECORDS, *shape)
    sizes = {n: jax.ShapeDtypeStruct(s, jnp.float32) for n, s in shapes.items()}
    y = jnp.arange(RECORDS) % CLASSES
    return function, arrays.params_like(sizes), x, y


def einsum(p, x):
    """Two operands in an order of axes of their own, an exponential of a parameter."""
    h = jnp.einsum("nsd,hkd->nhsk", x, p["w"]) * jnp.exp(p["scale"])[:, None, None]
    return jnp.exp(0.1 * jnp.einsum("nhsk,khc->nc", h, p["v"]))


def fused(p, x):
    """One array of which three parts are three kernels; one of them transposed."""
    q, k, v = jnp.split(p["qkv"], 3, axis=1)
    scores = jnp.einsum("nsd,ntd->nst", x @ q, jnp.einsum("nsi,io->nso", x, k))
    return (jax.nn.softmax(scores) @ (x @ v)).sum(1) @ p["out"].T


def overlapping(p, x):
    """A kernel of which a part is used once more."""
    return x @ p["w"] + (x @ p["w"][:, :2]) @ p["v"]


@jax.custom_vjp
def straight_through(w, x):
    return jnp.sign(w) * x


straight_through.defvjp(
    lambda w, x: (jnp.sign(w) * x, (w, x)),
    lambda kept, g: (g * kept[1], g * jnp.sign(kept[0])),
)


def custom(p, x):
    """A function with a derivative of its own, which its body would not give."""
    wide = jnp.broadcast_to(x[..., None], (len(x), *p["w"].shape))
    return jnp.sum(jax.vmap(straight_through, (None, 0))(p["w"], wide), 1)


def products(p, x):
    """Kernels that are products, quotients and sums of parameters."""
    low_rank = p["a"] @ p["b"]
    norms = jnp.linalg.norm(p["v"], axis=0)
    return (x @ low_rank) @ (p["v"] / norms) + jnp.concatenate(
        [p["first"], p["last"]]
    ) * jnp.where(x[:, :1] > 0, p["slope"], 1.0)


CASES = {
    # name: (how to make it, leaves with factors, formed, of these by fallback)
    "mlp": (lambda: linen(Layers((nn.Dense(5), nn.relu)), (4,)), 2, 2, 0),
    "groupnorm": (
        lambda: linen(
            Layers((conv(4, (3, 3)), nn.GroupNorm(2), nn.relu, conv(2, (3, 3)))),
            (5, 5, 2),
        ),
        3,
        5,
        0,
    ),
    "batchnorm": (
        lambda: linen(
            Layers((conv(3, (2, 2)), nn.BatchNorm(use_running_average=True))), (4, 4, 2)
        ),
        2,
        4,
        0,
    ),
    "layernorm": (
        lambda: linen(Layers((nn.Dense(5), nn.LayerNorm())), (4,)),
        2,
        4,
        0,
    ),
    "embed": (
        lambda: linen(Layers((nn.Embed(TOKENS, 3),)), (6,), tokens=True),
        2,
        1,
        0,
    ),
    "tied": (lambda: linen(Tied(), (6,), tokens=True), 7, 9, 0),
    "dense_general": (
        lambda: linen(Layers((nn.DenseGeneral((2, 4), axis=(-2, -1)),)), (3, 2)),
        2,
        2,
        0,
    ),
    "conv_1d": (lambda: linen(Layers((conv(3, (3,)),)), (6, 2)), 2, 2, 0),
    "causal": (
        lambda: linen(Layers((conv(3, (3,), padding="CAUSAL"),)), (6, 2)),
        2,
        2,
        0,
    ),
    "circular": (
        lambda: linen(Layers((conv(3, (3,), padding="CIRCULAR"),)), (6, 2)),
        2,
        2,
        0,
    ),
    "grouped": (
        lambda: linen(Layers((conv(6, (3, 2), feature_group_count=2),)), (5, 4, 4)),
        2,
        2,
        0,
    ),
    "dilated": (
        lambda: linen(
            Layers((conv(3, (2, 3), kernel_dilation=2, padding="VALID"),)), (5, 7, 2)
        ),
        2,
        2,
        0,
    ),
    "strided": (
        lambda: linen(
            Layers((conv(3, (3, 2), strides=(2, 3), padding=((1, 2), (0, 1))),)),
            (6, 7, 2),
        ),
        2,
        2,
        0,
    ),
    "transposed": (
        lambda: linen(Layers((nn.ConvTranspose(3, (3, 2), (2, 2)),)), (3, 4, 2)),
        2,
        2,
        0,
    ),
    "patched": (lambda: linen(PatchedConv(), (5, 5, 2)), 2, 2, 0),
    "shared": (lambda: linen(Shared(), (4,)), 2, 2, 0),
    "remat": (lambda: linen(Remat(), (4,)), 2, 2, 0),
    "scanned": (lambda: linen(Scanned(), (4,)), 1, 3, 2),
    "lstm": (lambda: linen(Recurrent(), (4, 2)), 1, 13, 12),
    "nnx": (lambda: of_nnx(False), 2, 4, 0),
    "nnx_whole_state": (lambda: of_nnx(True), 2, 4, 0),
    "einsum": (
        lambda: bare(
            einsum, {"w": (2, 3, 4), "scale": (2,), "v": (3, 2, CLASSES)}, (5, 4)
        ),
        2,
        1,
        0,
    ),
    "fused": (
        lambda: bare(fused, {"qkv": (4, 9), "out": (CLASSES, 3)}, (5, 4)),
        2,
        0,
        0,
    ),
    "overlapping": (
        lambda: bare(overlapping, {"w": (4, CLASSES), "v": (2, CLASSES)}, (4,)),
        1,
        1,
        0,
    ),
    "custom": (lambda: bare(custom, {"w": (4, CLASSES)}, (4,)), 0, 1, 1),
    "products": (
        lambda: bare(
            products,
            {
                "a": (4, 2),
                "b": (2, 5),
                "v": (5, CLASSES),
                "first": (1,),
                "last": (2,),
                "slope": (CLASSES,),
            },
            (4,),
        ),
        0,
        6,
        0,
    ),
}
