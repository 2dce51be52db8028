"""White-box membership inference from flags to report, on settings of seconds."""

import json
from unittest import mock

import jax
import numpy as np
import pytest

from jaxprivacy.attacks import whitebox
from jaxprivacy.evaluation.membership import null_holds
from jaxprivacy.models import targets
from jaxprivacy.studies import attack_training, target_files
from tests.launch import contract, launched

RNG = np.random.default_rng(3)
TINY = (
    "--model=mlp",
    "--mlp_widths=16,8",
    "--rounds=12",
    "--batch_size=16",
    "--learning_rate=0.3",
    "--attack_epochs=4",  # Two chunks of one size: one program.
    "--gradient_kernels=2",
)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    with launched.compiled_fast():
        yield tmp_path_factory.mktemp("whitebox")


@pytest.fixture(scope="module")
def study(folder):
    """Runs a study, checks that it succeeds and what it leaves, and returns it."""
    file = folder / "<b>&table.npz"
    # Labels of noise: what the target gets right, it has seen.
    x = RNG.normal(size=(400, 12)).astype(np.float32)
    np.savez(file, x=x, y=RNG.integers(0, 4, 400))

    def run(name, *arguments):
        with launched.small_attacks():
            status = launched.run(
                "whitebox",
                f"--data=npz:{file}",
                f"--out={folder / name}",
                f"--compilation_cache={folder / 'cache'}",
                *TINY,
                *arguments,
            )
        assert status == 0
        text = (folder / name / "result.json").read_text()
        contract.check(text)
        page = (folder / name / "report.html").read_text()
        assert "<b>&table" not in page
        return json.loads(text)

    return run


# Attacks that are not run on an untrained model: another one stands for them.
LEFT_OUT = ("black_box", "shadow")


def attacks(result):
    return [row["attack"] for row in result["membership"]]


@pytest.fixture(scope="module")
def standalone(study):
    return study(
        "standalone",
        "--rounds=80",
        "--supervision=supervised,unsupervised,shadow",
        "--shadows=3",
        "--layers=all",
        "--gradients=-1",
    )


def test_every_supervision_has_its_rows(standalone):
    assert attacks(standalone) == [
        "loss_threshold",
        "confidence",
        "gradient_norm",
        "gradient_norm",  # of the last layer alone
        "white_box",
        "black_box",
        "unsupervised",
        "shadow",
    ]
    assert {row["setting"] for row in standalone["membership"]} == {"standalone"}


def test_a_target_that_learned_by_heart_is_found_out(standalone):
    assert standalone["target"]["train_accuracy"] > 0.9
    assert standalone["target"]["test_accuracy"] < 0.5
    loss, *_ = standalone["membership"]
    assert loss["auc"]["low"] > 0.7


def test_each_attack_has_its_null_check_and_it_holds(standalone):
    null = standalone["null_checks"]
    untrained = [row["attack"] for row in null if row.get("target") == "untrained"]
    assert untrained == [row for row in attacks(standalone) if row not in LEFT_OUT]
    others = [row["attack"] for row in null if "target" not in row]
    assert others == attacks(standalone)
    assert all(null_holds(row) for row in null)
    assert all(0.5 < row["detectable_auc"] < 1 for row in null)


def test_a_planted_leak_is_found(standalone):
    rule, trained = standalone["positive_controls"]
    assert (rule["attack"], trained["attack"]) == ("loss_threshold", "white_box")
    assert rule["planted"] == pytest.approx(0.7, abs=0.01)
    # So few records may miss it at 99.9 %; what they find must not contradict it.
    assert rule["found"] is not False and rule["detectable_auc"] > 0.7
    assert rule["auc"]["low"] <= rule["planted"] <= rule["auc"]["high"]


def test_gains_are_over_outputs_alone(standalone):
    for row in standalone["membership"]:
        sees_outputs = row["attack"] in ("loss_threshold", "confidence", "black_box")
        idle = False in (row["trained"], row.get("learned"))
        assert ("over_outputs" in row) != (sees_outputs or idle)


def test_the_result_says_how_many_copies_were_left_out(standalone):
    told = {
        name: standalone["data"][name] for name in ("copies_left_out", "copies_kept")
    }
    assert told == {"copies_left_out": 0, "copies_kept": False}


def test_pairs_of_layers_and_gradients(study, folder):
    """Which attacks there are; none is trained."""
    learned = []

    def train(fit, key, features, members, non_members, advance, **options):
        learned.append((len(members.train), len(non_members.train)))
        scores = RNG.normal(size=whitebox.count(features))
        return attack_training.Trained(scores, True)

    with mock.patch.object(attack_training, "train_attack", train):
        result = study(
            "pairs",
            "--layers=-1",
            "--layers=none",
            "--layers=Dense_0,-2",
            "--gradients=none",
            "--gradients=-1",
            "--gradients=all",
            "--noblack_box",
            "--nonull_checks",
            "--attack_members=20,30",
            "--attack_non_members=20",
        )
    assert learned == [(size, 20) for size in (20, 30) for _ in range(3)]
    rows = [row for row in result["membership"] if row["attack"] == "white_box"]
    seen = [(row["layers"], row["gradients"], row["attack_members"]) for row in rows]
    pairs = [("-1", "none"), ("none", "-1"), ("Dense_0,-2", "all")]
    assert seen == [(*pair, size) for size in (20, 30) for pair in pairs]
    assert result["null_checks"] == []


def test_the_federated_attacks(study):
    """Of each kind one; tests/studies/test_whitebox_settings.py has all cases."""
    result = study(
        "federated",
        "--setting=federated",
        "--participants=3",
        "--members_per_participant=60",
        "--attacker=global,local",
        "--mode=gradient_ascent,isolating",
        "--observed_rounds=2",
        "--observed_rounds=4,6",
        "--ascent_rate=0.05,0.1",
        "--gradients=-1",
        "--noblack_box",
    )
    rows = [row for row in result["membership"] if row["attack"] == "white_box"]
    cases = list(dict.fromkeys((row["attacker"], row["mode"]) for row in rows))
    assert cases == [
        ("global", "gradient_ascent"),
        ("global", "isolating"),
        ("local", "gradient_ascent"),
    ]
    assert [row["observed_rounds"] for row in rows] == [[6, 12], [4, 6]] * 3
    for row in rows:
        active = row["mode"].endswith("gradient_ascent")
        assert (row.get("ascent_rate") in (0.05, 0.1)) == active
    assert len(result["targets"]) == 3
    for row in result["targets"]:
        assert ("victim_test_accuracy" in row) == (row["attacker"] == "global")
    checked = [row for row in result["null_checks"] if "target" not in row]
    assert len(checked) == len(result["membership"])
    untrained = [row for row in result["null_checks"] if "target" in row]
    assert {row["attacker"] for row in untrained} == {"global", "local"}
    assert all(null_holds(row) for row in result["null_checks"])


@pytest.mark.slow
def test_fine_tuning_tells_three_kinds_apart(study, folder):
    result = study(
        "finetune", "--setting=finetune", "--fine_tuning_rounds=10", "--gradients=-1"
    )
    pairs = [r["pair"] for r in result["membership"] if r["attack"] == "white_box"]
    assert pairs == ["base / fine-tuning", "base / fresh", "fine-tuning / fresh"]
    (target,) = result["targets"]
    assert target["base_train_accuracy"] > target["base_test_accuracy"]
    assert [row["attack"] for row in result["three_way"]] == ["white_box", "black_box"]
    kinds = ["base", "fine-tuning", "fresh"]
    for row in result["three_way"]:
        assert row["kinds"] == kinds
        assert {sum(counts) for counts in row["confusion"]} == {
            result["membership"][0]["members"]
        }
    page = (folder / "finetune" / "report.html").read_text()
    assert "taken for fine-tuning" in page
    checked = [row["pair"] for row in result["null_checks"] if "target" not in row]
    assert checked == [row["pair"] for row in result["membership"]]
    untrained = [r["pair"] for r in result["null_checks"] if "target" in r]
    assert list(dict.fromkeys(untrained)) == pairs
    assert all(null_holds(row) for row in result["null_checks"])


KEPT = (
    "--nonull_checks",
    "--noblack_box",
    "--gradients=-1",
    "--feature_memory=0.00001",  # What attacks take is computed batch by batch.
)


@pytest.fixture(scope="module")
def kept(study, folder):
    """A study that keeps its target, in its own format and in the one to hand on."""
    places = f"--targets={folder / 'targets'}", f"--export_target={folder / 'target'}"
    return study("first", *KEPT, *places)


def test_kept_targets_are_not_trained_again(study, kept, folder):
    before = sorted((folder / "targets").rglob("*"))
    second = study("second", *KEPT, f"--targets={folder / 'targets'}", "--overwrite")
    assert sorted((folder / "targets").rglob("*")) == before
    assert kept["target"] == second["target"]
    assert kept["membership"] == second["membership"]


@pytest.mark.slow
def test_kept_shadows_are_not_trained_again(study, folder):
    options = (
        f"--targets={folder / 'trained'}",
        "--nonull_checks",
        "--noblack_box",
        "--supervision=shadow",
        "--shadows=3",
        "--layers=-1",
        "--gradients=none",
    )
    first = study("shadows", *options)
    before = files(folder / "trained")
    # The target and its shadows, each after its last round.
    assert len({name.split("/")[0] for name in before if "/12/" in name}) == 2
    second = study("shadows_again", *options)
    assert files(folder / "trained") == before
    assert first["membership"] == second["membership"]


def files(folder):
    """The names of all files below a folder, and when each was written."""
    found = [path for path in folder.rglob("*") if path.is_file()]
    return {f"{p.relative_to(folder)} {p.stat().st_mtime_ns}" for p in found}


def test_an_exported_target_is_imported(study, kept, folder, capsys):
    target = folder / "target"
    told = "--members_per_participant=200"  # what it is by default
    second = study("imported", f"--import_target={target}", told, *KEPT)
    assert kept["membership"] == second["membership"]
    assert kept["target"] == pytest.approx(second["target"])
    status = launched.run(
        "whitebox",
        f"--data=npz:{folder / '<b>&table.npz'}",
        f"--out={folder / 'others'}",
        f"--import_target={target}",
        "--compilation_cache=",
        "--members_per_participant=190",
        *TINY,
        *KEPT,
    )
    assert status == 2
    error = capsys.readouterr().err
    assert "another members ['200 records, " in error
    assert "(asked for: ['190 records, " in error


def test_an_imported_target_that_overflows_is_refused(kept, folder, capsys):
    """Finite weights whose outputs are none: the attacks would end in a traceback."""
    target, huge = folder / "target", folder / "huge"
    description = json.loads((target / target_files.DESCRIPTION).read_text())
    network = targets.build("mlp", (12,), 4, widths=(16, 8))
    shapes = jax.eval_shape(network.init, jax.random.key(0))
    params = jax.tree.map(lambda a: np.full(a.shape, 3e38, np.float32), shapes)
    target_files.save(str(huge), params, description)
    capsys.readouterr()
    status = launched.run(
        "whitebox",
        f"--data=npz:{folder / '<b>&table.npz'}",
        f"--out={folder / 'overflowed'}",
        f"--import_target={huge}",
        "--compilation_cache=",
        "--nonull_checks",
        *TINY,
    )
    line = capsys.readouterr().err.splitlines()[-1]
    assert status == 2
    assert line.startswith(f"error: --import_target={huge}: its outputs or gradients")
    assert "accepted are" in line


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        (("--layers=-9",), "--layers=-9: accepted are all, none, numbers"),
        (("--layers=none", "--gradients=none"), "nothing is seen"),
        (("--model=alexnet",), "--model=alexnet: the data is a table"),
        (("--members_per_participant=399",), "--members_per_participant=399"),
        (("--evaluation_records=300",), "--evaluation_records=300"),
        (("--mode=gradient_ascent",), "--mode=gradient_ascent"),
        (("--import_target=nowhere",), "--import_target=nowhere"),
        (("--export_target={folder}",), "holds something already"),
        (("--participants=two",), "--participants=two: accepted are integers"),
        (("--participants=" + "9" * 5000,), "999: accepted are integers"),
        (("--ascent_rate=fast",), "--ascent_rate=fast: accepted are numbers"),
        (("--layers=-1", "--layers=Dense_2"), "two attacks see the same"),
        (
            ("--import_target=net.pth", "--members_per_participant=100"),
            "--import_target=net.pth: with --model=mlp on records of 12",
        ),
    ],
)
def test_bad_input(folder, study, capsys, arguments, named):
    out = folder / "refused"
    status = launched.run(
        "whitebox",
        f"--data=npz:{folder / '<b>&table.npz'}",
        f"--out={out}",
        "--compilation_cache=",
        *(argument.format(folder=folder) for argument in arguments),
    )
    error = capsys.readouterr().err.strip().splitlines()[-1]
    assert status == 2
    assert error.startswith("error: ")
    assert named in error
    assert "accepted" in error
    assert not out.exists()


def test_a_rate_at_which_training_diverges_is_left_out(study):
    result = study(
        "diverged",
        "--setting=federated",
        "--participants=2",
        "--members_per_participant=60",
        "--mode=gradient_ascent",
        "--ascent_rate=1e38,0.05",
        "--momentum=0.9",
        "--gradients=-1",
        "--noblack_box",
        "--nonull_checks",
    )
    rates = {row["ascent_rate"] for row in result["membership"]}
    assert rates == {0.05}
