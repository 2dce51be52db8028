"""From data to rows: what the evaluation's labels of membership decide, and what not.

Each target is attacked twice. The second time, once it is trained, evaluation members
and non-members change places: only what is reported of them may change.
"""

import dataclasses
from typing import NamedTuple
from unittest import mock

import jax
import numpy as np
import pytest

from jaxprivacy.evaluation import membership_rows
from jaxprivacy.report.progress import Stages
from jaxprivacy.studies import whitebox, whitebox_attacks, whitebox_cases
from jaxprivacy.studies.whitebox_settings import WhiteboxSettings
from tests.launch import launched

# Two rates of ascent, of which the attack's selection records choose one.
SETTINGS = WhiteboxSettings(
    model="mlp",
    mlp_widths=(6,),
    setting="federated",
    participants=(2,),
    mode=("gradient_ascent",),
    supervision=("supervised", "unsupervised"),
    rounds=4,
    batch_size=16,
    learning_rate=0.5,
    layers=("-1",),
    gradients=("-1",),
    black_box=False,
    null_checks=False,
    attack_epochs=2,
    gradient_kernels=2,
)
# What a row tells of its records; the rest it tells of the attack.
RATES = ("auc", "auc_simultaneous", "accuracy", "tpr_at_fpr")


class Twice(NamedTuple):
    """A target's attacks, and the same with evaluation records exchanged."""

    plain: list
    exchanged: list
    result: dict


def exchanged(*args):
    """Gathers the attacked records; those of the evaluation belong to the other."""
    records = gather(*args)
    members, others = records.members, records.non_members
    return records._replace(
        members=members._replace(evaluation=others.evaluation),
        non_members=others._replace(evaluation=members.evaluation),
    )


gather, attacked = whitebox_attacks.gather, whitebox_cases.attacked


@pytest.fixture(scope="module")
def twice(tmp_path_factory):
    """Labels of noise, so that members are told apart."""
    rng = np.random.default_rng(3)
    file = tmp_path_factory.mktemp("path") / "noise.npz"
    x = rng.normal(size=(160, 12)).astype(np.float32)
    np.savez(file, x=x, y=rng.integers(0, 4, 160))
    settings = dataclasses.replace(SETTINGS, data=f"npz:{file}")
    found = []

    def both(study, *case, **options):
        found.append(attacked(study, *case, **options))
        with mock.patch.object(whitebox_attacks, "gather", exchanged):
            found.append(attacked(study, *case, **options))
        return found[0]

    stages = Stages(lambda name, weight: None, lambda share: None)
    with (
        launched.compiled_fast(),
        launched.small_attacks(),
        jax.default_prng_impl("unsafe_rbg"),  # Draws that compile fast.
        mock.patch.object(whitebox_cases, "attacked", both),
    ):
        prepared = whitebox.prepare(settings)
        report = whitebox.run(settings, prepared, stages, "")
    plain, other = found
    jax.tree.map(np.testing.assert_array_equal, plain.seen.info, other.seen.info)
    return Twice(plain.scored, other.scored, report.result)


def test_no_score_changes(twice):
    """Nor the weights that gave it, nor the epoch or the rate that was chosen."""
    assert len(twice.plain) == len(twice.exchanged) > 2
    for plain, other in zip(twice.plain, twice.exchanged, strict=True):
        assert plain.row == other.row
        for one, two in zip(plain.scores[:2], other.scores[:2], strict=True):
            np.testing.assert_array_equal(one, two)
        one, two = plain.scores[2:], other.scores[2:]
        np.testing.assert_array_equal(one[0], two[1])
        np.testing.assert_array_equal(one[1], two[0])
        if plain.everyone is not None:
            np.testing.assert_array_equal(plain.everyone, other.everyone)


def test_only_rates_change(twice):
    rows, others = (
        membership_rows.rows(scored, "standalone")
        for scored in (twice.plain, twice.exchanged)
    )
    for of_plain, of_other in zip(rows, others, strict=True):
        for plain, other in zip(of_plain, of_other, strict=True):
            for name in set(plain) | set(other):
                if name == "over_outputs":  # What it is compared with stays.
                    assert plain[name]["against"] == other[name]["against"]
                elif name not in RATES:
                    assert plain[name] == other[name], name
    (plain, _), (other, _) = rows, others
    for one, two in zip(plain, other, strict=True):
        assert one["auc"]["value"] == pytest.approx(1 - two["auc"]["value"])
    assert any(row["auc"]["value"] > 0.6 for row in plain)


def test_the_report_is_of_the_records_as_they_are(twice):
    rows, _ = membership_rows.rows(twice.plain, "")
    assert [r["auc"] for r in rows] == [r["auc"] for r in twice.result["membership"]]
