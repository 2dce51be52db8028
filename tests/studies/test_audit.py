import pathlib

import jax
import numpy as np
import pytest

from jaxprivacy import data, errors
from jaxprivacy.evaluation import membership_rows
from jaxprivacy.evaluation.membership import null_holds
from jaxprivacy.studies import (
    audit,
    audit_membership,
    federated_run,
    membership,
    server_attacks,
)
from jaxprivacy.studies.settings import Settings
from tests.launch import launched

LOCATION30 = pathlib.Path(__file__).parents[3] / "shared" / "data" / "location30.npz"
RNG = np.random.default_rng(1)


@pytest.fixture
def saved(tmp_path):
    """Saves records with K labels in turn and returns how to name the file."""

    def save(x, classes=2):
        np.savez(tmp_path / "data.npz", x=x, y=np.arange(len(x)) % classes)
        return f"npz:{tmp_path / 'data.npz'}"

    return save


def test_images_are_attacked_in_both_ways():
    prepared = audit.prepare(Settings())
    assert len(prepared.dataset.y) == 1797
    assert prepared.seats is not None and prepared.notes == ()
    left_out = audit.STAGES[audit_membership.UPLOADS]
    assert audit.weight(prepared) == sum(audit.STAGES.values()) - left_out
    asked = audit.prepare(Settings(attacks=("all",)))
    assert audit.weight(asked) == sum(audit.STAGES.values())


def test_a_table_is_not_reconstructed(saved):
    prepared = audit.prepare(Settings(data=saved(RNG.normal(size=(400, 3)))))
    assert prepared.seats is None
    assert len(prepared.notes) == 1 and "images" in prepared.notes[0]
    assert 0 < audit.weight(prepared) < sum(audit.STAGES.values())


def test_one_participant_cannot_be_reconstructed():
    prepared = audit.prepare(Settings(participants=1))
    assert prepared.seats is None
    assert len(prepared.notes) == 1 and "two participants" in prepared.notes[0]


@pytest.mark.parametrize(
    ("size", "records", "used"),
    [(17, None, 4000), (16, None, 4100), (17, 4100, 4100), (17, 300, 300)],
)
def test_only_large_images_are_cut(size, records, used, saved):
    images = np.zeros((4100, 8, size), np.uint8)
    spec = saved(images)
    settings = Settings(data=spec, model="mlp", records=records, participants=1)
    assert len(audit.prepare(settings).dataset.y) == used


def test_preparing_depends_on_the_seed_alone():
    def sets(seed):
        prepared = audit.prepare(Settings(records=400, seed=seed))
        return np.concatenate(prepared.split.evaluation), prepared.dataset.x

    for found, again in zip(sets(3), sets(3), strict=True):
        np.testing.assert_array_equal(found, again)
    assert not np.array_equal(sets(3)[1], sets(4)[1])


def test_cnn_for_a_table_is_refused(saved):
    settings = Settings(data=saved(RNG.normal(size=(200, 3))), model="cnn")
    with pytest.raises(errors.InputError, match="model=cnn: .* accepted is mlp"):
        audit.prepare(settings)


@pytest.mark.skipif(
    not LOCATION30.is_file(), reason=f"{LOCATION30} is not at hand; see DESIGN 8"
)
def test_members_of_location30_show_in_their_loss():
    settings = Settings(
        data=f"npz:{LOCATION30}",
        records=1200,
        mlp_widths=(64,),
        participants=1,
        members_per_participant=300,
        rounds=10,
        observed_rounds=1,
        local_epochs=5,
    )
    dataset, split, *_ = audit.prepare(settings)
    assert (dataset.num_classes, dataset.x.shape[1]) == (30, 446)
    assert [row.count for row in data.counts(split, dataset.y)][:2] == [300, 300]
    records = membership.attacked_records(dataset, split)
    with launched.compiled_fast():
        run = federated_run.play(
            settings,
            dataset,
            split,
            records,
            jax.random.key(0),
            lambda share: None,
            ascent=False,
        )
    assert run.info["train_accuracy"][-1] > run.info["test_accuracy"][-1] + 0.1
    found, null = membership_rows.rows(
        membership.simple_rules(run, records, "passive"), "federated"
    )
    rules = ["loss_threshold", "confidence", "gradient_norm"]
    assert [row["attack"] for row in found] == rules
    assert all(row["auc"]["low"] > 0.5 for row in found)
    assert all(map(null_holds, null))


def names(*attacks, **options):
    return audit_membership.chosen(Settings(attacks=attacks, **options))


def test_attacks_are_chosen_by_name_and_keep_their_order():
    rules = ("loss_threshold", "confidence", "gradient_norm")
    assert names() == ("white_box", "black_box", *rules)
    assert names("fedmia_loss", "confidence") == ("confidence", "fedmia_loss")
    assert set(names("all")) == {*names(), *server_attacks.NAMES}
    # Who has nobody to compare with compares with nobody.
    few = names("all", participants=2)
    assert set(names("all")) - set(few) == set(server_attacks.COMPARE)
    with pytest.raises(errors.InputError, match="attacks=shadow: accepted are white"):
        names("shadow")
    with pytest.raises(errors.InputError, match="participants=2: fedmia_gradient "):
        names("mean_cosine", "fedmia_gradient", participants=2)


@pytest.mark.parametrize(
    ("asked", "left_out"),
    [
        ((), {"attacks by all uploads"}),
        (("all",), set()),
        (
            ("mean_cosine",),
            {
                "positive control",
                "training under gradient ascent",
                "active attacks on it",
                *audit.IMAGE_STAGES,
            },
        ),
        (
            ("loss_threshold",),
            {
                "attacks by all uploads",
                "training under gradient ascent",
                "active attacks on it",
                *audit.IMAGE_STAGES,
            },
        ),
    ],
)
def test_only_what_is_asked_for_is_run(asked, left_out):
    prepared = audit.prepare(Settings(attacks=asked))
    weights = [audit.STAGES[stage] for stage in left_out]
    assert audit.weight(prepared) == sum(audit.STAGES.values()) - sum(weights)
    assert (prepared.seats is None) == (asked not in ((), ("all",)))
