"""Peak memory of a white-box attack by the number of attacked records."""

from __future__ import annotations

import dataclasses
import functools
import math
from collections.abc import Iterator

import jax
import jax.numpy as jnp
import numpy as np

from benchmarks import measure, memory, memory_rows, whitebox_rows
from jaxprivacy.attacks import whitebox
from jaxprivacy.models import attack_presets
from jaxprivacy.studies import whitebox_views

FEATURE_BATCH = 256
KNOWN = 512  # members that the attack is trained on; as many non-members, or fewer
# Few weights, so that what grows with the records shows.
PRESET = dataclasses.replace(
    attack_presets.TABLE_XIV, gradient_kernels=10, gradient_widths=(64,), epochs=1
)
STREAMED, KEPT = "streamed", "kept"
SIZES = ((STREAMED, 1000), (STREAMED, 50_000), (KEPT, 1000))


def load(form: str, count: int) -> memory.Prepare:
    """Features of N records, an epoch of the attack, and the scores of all of them.

    As the study runs it, with loss, output, label and the gradients of all layers of
    paper B's network (PAPERS row B4).

    Args:
      form: whether the features are computed batch by batch or kept.
      count: N.
    """
    target = whitebox_rows.mlp(count)
    x, y, _ = jax.device_put(target.records)
    snapshots = jax.device_put(jax.tree.map(lambda a: a[None], target.params))
    view = whitebox_views.BLACK_BOX._replace(gradients=target.layers)
    observer = whitebox_views.observer(
        target.model,
        (view,),
        PRESET,
        channels={},
        feature_batch=FEATURE_BATCH,
        memory=0 if form == STREAMED else math.inf,
    )
    fit = observer.fit(view, form == STREAMED)
    known = np.arange(min(2 * KNOWN, count))
    examples = whitebox.Examples(*np.array_split(known, 2))

    def run():
        observation = observer.observe(snapshots, x, y)
        inputs = fit.normalise(observer.inputs(observation, view), known)
        state, _ = fit.init(jax.random.key(1), inputs, examples, examples)
        state, _ = fit.epochs(
            jax.random.key(2), state, inputs, examples, examples, jnp.arange(1)
        )
        everyone = jnp.arange(count)
        return jax.block_until_ready(fit.score(state.best_params, inputs, everyone))

    def prepare():
        run()  # compiles; what it allocates is given back before the peak is taken
        return run

    return prepare


def kept_mib(count: int) -> float:
    """What the features of so many records take."""
    target = whitebox_rows.mlp(count)
    look = whitebox_rows.features(target, target.layers, FEATURE_BATCH)
    shapes = jax.eval_shape(look, target.params, target.records.x, target.records.y)
    return sum(a.size * a.dtype.itemsize for a in jax.tree.leaves(shapes)) / 2**20


def lines(row: memory_rows.Growth) -> Iterator[dict]:
    """Yields the peaks beyond the records' own bytes, and how fast they grow."""
    first_form, first_count = SIZES[0]
    least = None
    for form, count in SIZES:
        peak, grown = memory.peak_of(row.name, f"{form}_{count}"), None
        least = peak if least is None else least
        if peak is not None and form == first_form and count > first_count:
            grown = (peak - least) * 1024 / (count - first_count)
        yield {
            "name": row.name,
            "unit": "MiB",
            "records": count,
            "features": form,
            "ours": peak,
            "kept_features": measure.rounded(kept_mib(count)),
            "kib_per_record": grown and measure.rounded(grown),
            "feature_batch": FEATURE_BATCH,
            "jax": jax.__version__,
        }


ROWS = (
    memory_rows.Growth(
        "feature_memory",
        {
            f"{form}_{count}": functools.partial(load, form, count)
            for form, count in SIZES
        },
        lines,
    ),
)
