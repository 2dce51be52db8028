"""The stand-alone audit with reference models, on a planted leak."""

import json

import numpy as np
import pytest

from jaxprivacy import cards, errors
from jaxprivacy.report import progress
from jaxprivacy.studies import reference_attacks, reference_audit, reference_records
from jaxprivacy.studies.settings import Settings

OF_OUTPUTS = (
    "loss_threshold",
    "confidence",
    "entropy",
    "modified_entropy",
    "population",
    "lira_online",
    "lira_offline",
    "rmia_online",
    "rmia_offline",
    "bavaria",
    "combined",
)


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    """Records whose labels are drawn: a model that learns them has learned by heart."""
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(500, 30)), rng.integers(4, size=500)
    path = tmp_path_factory.mktemp("data") / "drawn.npz"
    np.savez(path, x=x.astype(np.float32), y=y)
    return path


def settings(data, **changed):
    given = {
        "data": f"npz:{data}",
        "setting": "standalone",
        "attacks": OF_OUTPUTS,
        "references": 4,
        "mlp_widths": (64,),
        "rounds": 25,
        "learning_rate": 0.2,
    }
    return Settings(**given | changed)


@pytest.fixture(scope="module")
def found(data):
    return run(settings(data, targets_in_pool=2))


def run(of):
    with progress.silent(reference_audit.weight(of)) as stages:
        return reference_audit.run(of, reference_audit.prepare(of), stages, "a test")


def test_every_attack_of_the_cards_that_was_asked_for_has_a_row_of_each_target(found):
    rows = found.result["membership"]
    names = [row["attack"] for row in rows]
    asked = [card.name for card in cards.MEMBERSHIP if card.name in OF_OUTPUTS]
    assert names == asked * 2
    assert {row["setting"] for row in rows} == {"standalone"}
    assert json.loads(json.dumps(found.result, allow_nan=False))


def test_what_was_learned_by_heart_is_found_and_most_by_references(found):
    auc = {}
    for row in found.result["membership"]:
        auc.setdefault(row["attack"], []).append(row["auc"]["value"])
    auc = {name: np.mean(values) for name, values in auc.items()}
    assert found.result["target"]["train_accuracy"] > 0.9
    assert found.result["target"]["test_accuracy"] < 0.4
    assert auc["loss_threshold"] > 0.85
    assert auc["bavaria"] > auc["loss_threshold"]
    assert auc["combined"] > auc["loss_threshold"]


def test_who_is_at_risk_are_members_that_the_strongest_attack_finds(data, found):
    told, labels = found.result["exposure"], np.load(data)["y"]
    rows = [r for r in found.result["membership"] if r["attack"] == told["attack"]]
    (seen,) = (r for r in rows[0]["tpr_at_fpr"] if r["fpr"] == told["fpr"])
    best = max(
        rate["value"]
        for row in found.result["membership"]
        for rate in row["tpr_at_fpr"]
        if rate["fpr"] == told["fpr"] and row["seed"] == 0
    )
    assert told["targets"] == 2 and seen["value"] > 0.9 * best > 0.3
    held = reference_audit.prepare(settings(data, targets_in_pool=2)).dealt
    of = {int(index): held.held[:2, i] for i, index in enumerate(held.attacked)}
    for row in told["records"]:
        assert 1 <= row["found_in"] <= row["member_of"] == of[row["record"]].sum()
        assert row["label"] == labels[row["record"]]
    assert 0 < told["always_found"] <= told["members"] == held.judged.sum()
    members = sum(row["members"] for row in told["classes"])
    assert members == (held.held[:2] & held.judged).sum()


def test_nothing_is_found_among_records_that_nobody_learned(found):
    for row in found.result["null_checks"]:
        assert row["auc"]["low"] <= 0.5 <= row["auc"]["high"], row["attack"]


def test_one_attack_more_changes_no_other_attacks_numbers(data, found):
    alone = run(settings(data, attacks=("rmia_offline",)))
    (row,) = alone.result["membership"]
    same = [r for r in found.result["membership"] if r["attack"] == "rmia_offline"]
    assert row["auc"]["value"] == same[0]["auc"]["value"]


def test_attacks_that_need_references_are_refused_without(data):
    with pytest.raises(errors.InputError, match="references=0: lira_online compares"):
        reference_records.chosen(settings(data, references=0, attacks=("lira_online",)))
    left = reference_records.chosen(settings(data, references=0, attacks=()))
    assert "loss_threshold" in left and "rmia_offline" not in left


@pytest.fixture(scope="module")
def images(tmp_path_factory):
    rng = np.random.default_rng(1)
    x, y = rng.integers(256, size=(200, 8, 8)), rng.integers(2, size=200)
    path = tmp_path_factory.mktemp("data") / "images.npz"
    np.savez(path, x=x.astype(np.uint8), y=y)
    return path


def test_further_forms_of_an_image_are_further_queries_of_some_attacks(images):
    names = ("loss_threshold", "confidence", "population", "lira_online", "rmia_online")
    once, thrice = (
        settings(images, model="mlp", attacks=names, rounds=8, queries=queries)
        for queries in (1, 3)
    )
    prepared = reference_audit.prepare(thrice)
    with progress.silent(1) as stages:
        said = reference_audit.train(thrice, prepared, stages).said
        plain = reference_audit.train(once, prepared, stages).said
    assert said.log_odds.shape == (*plain.log_odds.shape, 3)
    for signal, single in zip(said[:2], plain[:2], strict=True):
        np.testing.assert_array_equal(signal[..., 0], single)
        assert (signal[..., 1] != single).any(axis=1).all()
    np.testing.assert_array_equal(said.entropy, plain.entropy)

    def scores(said):
        dealt, records = prepared.dealt, prepared.records
        left = np.arange(2, len(dealt.held))
        seen = reference_attacks.shown(
            said, dealt.held, *reversed(records), 0, left, seed=0
        )
        return reference_attacks.scores(seen, names)

    one, three = scores(plain), scores(said)
    for name in names:
        same = name in names[:3]
        assert np.array_equal(one[name], three[name]) == same, name
    # By each form alone, and their mean.
    alone = [
        scores(said._replace(log_odds=said.log_odds[..., i]))["lira_online"]
        for i in range(3)
    ]
    np.testing.assert_allclose(three["lira_online"], np.mean(alone, axis=0))
    row = run(thrice).result["membership"]
    assert [r["attack"] for r in row] == list(names)


def test_more_forms_than_there_are_are_refused(data, images):
    with pytest.raises(errors.InputError, match="queries=2: .* a table's .* is 1"):
        reference_audit.prepare(settings(data, queries=2))
    with pytest.raises(errors.InputError, match="queries=10: .* accepted is 1 to 9"):
        reference_audit.prepare(settings(images, queries=10))


@pytest.mark.parametrize(
    ("changed", "named"),
    [
        ({"references": 2}, "references=2: accepted are 0 and even"),
        ({"references": 3}, "references=3: accepted are 0 and even"),
        ({"targets_in_pool": 7}, "targets_in_pool=7: accepted are 1 to 6"),
        ({"attacks": ("lyra",)}, "attacks=lyra: accepted are"),
    ],
)
def test_bad_input(data, changed, named):
    with pytest.raises(errors.InputError, match=named):
        reference_audit.prepare(settings(data, **changed))
