"""Audits of a given model: what they say, and keys by name."""

from unittest import mock

import jax
import numpy as np

import jaxprivacy
from jaxprivacy.report import html, plots
from jaxprivacy.studies import membership
from tests.launch import launched

MEMBERS, OTHERS, SIZE, CLASSES = 60, 120, 64, 3


def audit(attacks, **options):
    rng = np.random.default_rng(0)
    x = rng.normal(size=(MEMBERS + OTHERS, SIZE)).astype(np.float32)
    y = rng.integers(0, CLASSES, MEMBERS + OTHERS)
    weights = np.linalg.lstsq(x[:MEMBERS], 3 * np.eye(CLASSES)[y[:MEMBERS]])[0]
    with launched.compiled_fast():
        return jaxprivacy.audit(
            lambda params, x: x @ params,
            weights.astype(np.float32),
            members=(x[:MEMBERS], y[:MEMBERS]),
            non_members=(x[MEMBERS:], y[MEMBERS:]),
            attacks=attacks,
            progress=False,
            **options,
        )


def test_one_more_attack_changes_no_other_attack_s_key():
    keys = []

    def attack_run(fits, run, records, mode, key, advance):
        keys.append((*fits, jax.random.key_data(key).tolist()))
        return []

    with (
        mock.patch.object(membership, "attack_run", attack_run),
        mock.patch.object(membership, "control", lambda *args: []),
    ):
        audit(("black_box", "confidence"))
        found = audit(("white_box", "black_box", "confidence"))
    assert [name for name, _ in keys] == ["black_box", "white_box", "black_box"]
    assert keys[0] == keys[2] != keys[1]
    assert "norms of the gradients by each array" in " ".join(found.contents.notes)


def test_the_page_tells_of_a_given_model_and_not_of_a_simulation():
    found = audit("gradient_norm").contents
    page = html.render(found, plots.draw(found))
    assert "What this model gives away" in page
    assert "over the snapshots" in page and "The model was trained elsewhere" in page
    for said in ("training was simulated", "another seed gives", "observed round"):
        assert said not in page
    own = html.render(found._replace(simulated=True), {})
    assert "training was simulated" in own and "another seed gives" in own
