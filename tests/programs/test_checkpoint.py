import contextlib
import dataclasses
import errno
import pathlib
import resource
import shutil
import subprocess
import sys
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from absl import logging

from jaxprivacy import errors
from jaxprivacy.data import Dataset
from jaxprivacy.federated import simulate
from jaxprivacy.programs import checkpoint, chunks as chunks_lib
from jaxprivacy.studies import gan_attack, provenance
from jaxprivacy.studies.settings import GanSettings
from tests.launch import launched


class Walk(NamedTuple):
    place: jax.Array  # (3,)
    steps: jax.Array  # ()
    nothing: tuple


def walk(scale):
    """A random walk: its state and its log depend on every round before."""

    def init(key, params):
        return Walk(params + jax.random.normal(key, params.shape), jnp.int32(0), ())

    def round_(key, state, index):
        step = scale * jax.random.normal(jax.random.fold_in(key, index), (3,))
        place = jnp.sin(3 * state.place) + step
        logged = {"index": index, "right": place > 0, "norm": jnp.sum(place**2)}
        return Walk(place, state.steps + 1, ()), logged

    def rounds(key, state, indices):
        return jax.lax.scan(lambda carry, i: round_(key, carry, i), state, indices)

    return simulate.Simulation(init, rounds)


COMPILED = chunks_lib.runner(walk)


class Stopped(Exception):
    """What a run that is interrupted ends with."""


def run(rounds, kept=None, chunks=None):
    """Runs the walk, or so many chunks of it; returns what it gave and what it ran."""
    shares, ran = [], []

    def advance(share):
        shares.append(share)
        if len(shares) == chunks:
            raise Stopped

    def counted(scale, key, state, indices):
        if not isinstance(indices, jax.core.Tracer):  # That only asks for shapes.
            ran.extend(indices.tolist())
        return COMPILED.rounds(scale, key, state, indices)

    compiled = COMPILED._replace(rounds=counted)
    key, params = jax.random.key(5), jnp.zeros(3)
    given = chunks_lib.run_rounds(
        compiled, 0.5, tuple(jax.random.split(key)), params, rounds, advance, kept
    )
    assert sum(shares) == pytest.approx(1)
    return given, ran


def assert_same_bits(found, expected):
    assert jax.tree.structure(found) == jax.tree.structure(expected)
    for a, b in zip(jax.tree.leaves(found), jax.tree.leaves(expected), strict=True):
        a, b = np.asarray(a), np.asarray(b)
        assert (a.shape, a.dtype, a.tobytes()) == (b.shape, b.dtype, b.tobytes())


def files(folder):
    return {p: p.read_bytes() for p in folder.rglob("*") if p.is_file()}


@pytest.fixture
def kept(tmp_path):
    return checkpoint.checkpoint(tmp_path / "run", "folder")


@pytest.fixture
def place(tmp_path):
    return tmp_path / "new" / "kept"


def interrupted(folder, identity):
    """A study of which one run is finished and another one interrupted."""
    with pytest.raises(Stopped):
        with checkpoint.study(str(folder), identity) as study:
            run(1, study("gan"))
            run(20, study("mlp"), 3)


def test_what_is_saved_is_restored_to_the_bit(kept):
    tree = (
        Walk(np.float32([-0.0, np.nan, 1e-45]), np.int32(7), ()),
        {
            "flags": np.array([[True], [False]]),
            "table": {"a": np.arange(3, dtype=np.uint8)},
        },
    )
    tree = jax.tree.map(np.asarray, tree)
    kept.save(4, tree)
    done, found = kept.restore(lambda done: jax.eval_shape(lambda: tree))
    assert done == 4
    assert_same_bits(found, tree)


def test_nothing_is_restored_where_nothing_was_saved(kept, tmp_path):
    assert kept.restore(lambda done: 0) is None
    assert list(tmp_path.iterdir()) == []


def test_only_the_newest_is_kept(kept, tmp_path):
    for done in (2, 4, 10):
        kept.save(done, {"a": np.arange(done)})
    assert [path.name for path in (tmp_path / "run").iterdir()] == ["10"]
    done, found = kept.restore(lambda done: {"a": np.zeros(done, int)})
    assert done == 10
    np.testing.assert_array_equal(found["a"], np.arange(10))


@pytest.mark.parametrize("chunks", [1, 2, 9, 10])
def test_a_run_goes_on_to_the_same_numbers(chunks, kept):
    with pytest.raises(Stopped):
        run(20, kept, chunks)
    (given, ran), (expected, _) = run(20, kept), run(20)
    assert ran == list(range(2 * chunks, 20))
    assert_same_bits(given, expected)
    # What differs in these is compiled anew.
    for a, b in zip(given[0][:2], expected[0][:2], strict=True):
        assert (a.sharding, a.committed) == (b.sharding, b.committed)


def test_a_run_of_many_chunks_is_saved_ten_times(kept):
    saved = []
    run(13, kept._replace(save=lambda done, tree: saved.append(done)))
    assert len(saved) == chunks_lib.MOST_SAVES
    assert saved[-1] == 13


def test_a_save_that_was_cut_off_is_ignored(kept, tmp_path):
    with pytest.raises(Stopped):
        run(20, kept, 3)
    cut = tmp_path / "run" / "7.orbax-checkpoint-tmp"
    shutil.copytree(tmp_path / "run" / "6", cut)
    next(path for path in files(cut)).unlink()
    given, ran = run(20, kept)
    assert ran == list(range(6, 20))
    assert_same_bits(given, run(20)[0])
    assert not cut.exists()


def emptied(step):
    for file in files(step):
        file.write_bytes(b"")


def without_files(step):
    shutil.rmtree(step)
    step.mkdir()


def of_other_arrays(step):
    shutil.rmtree(step)
    checkpoint.checkpoint(step.parent, "").save(int(step.name), {"a": np.zeros(2)})


@pytest.mark.parametrize("harm", [emptied, without_files, of_other_arrays])
def test_a_damaged_checkpoint_is_refused_and_left_alone(harm, place):
    interrupted(place, {"seed": 0})
    harm(place / "runs" / "mlp" / "6")
    before = files(place)
    with pytest.raises(errors.InputError) as refused:
        with checkpoint.study(str(place), {"seed": 0}) as study:
            run(20, study("mlp"))
    line = str(refused.value)
    assert line.startswith(f"checkpoint={place}: mlp cannot be restored")
    assert "accepted is another folder" in line and "\n" not in line
    assert files(place) == before


def test_a_study_goes_on_and_leaves_nothing_at_the_end(place):
    identity = {"mlp_widths": (3, 4), "learning_rate": 0.1, "model": None}
    interrupted(place, identity)
    steps = {str(p.relative_to(place / "runs")) for p in place.glob("runs/*/*")}
    assert steps == {"gan/1", "mlp/6"}
    with checkpoint.study(str(place), identity) as study:
        gan, ran_gan = run(1, study("gan"))
        mlp, ran_mlp = run(20, study("mlp"))
    assert (ran_gan, ran_mlp) == ([], list(range(6, 20)))
    assert_same_bits(gan, run(1)[0])
    assert_same_bits(mlp, run(20)[0])
    assert not place.exists()


def test_settings_at_fault_leave_nothing(place, tmp_path):
    with pytest.raises(errors.InputError, match="diverges"):
        with checkpoint.study(str(place), {}) as study:
            run(1, study("gan"))
            raise errors.InputError("diverges")
    assert list(tmp_path.iterdir()) == []


def test_no_folder_no_checkpoint(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with checkpoint.study("", {}) as study:
        assert study("gan") is None
    assert list(tmp_path.iterdir()) == []


ACCEPTED = "accepted is another folder, or the same flags and code as before"


def assert_refused(folder, identity, *said, accepted=ACCEPTED):
    """The study is refused in one line, and nothing is written."""
    before = files(folder.parent)
    with pytest.raises(errors.InputError) as refused:
        with checkpoint.study(str(folder), identity):
            raise AssertionError("accepted")
    line = str(refused.value)
    assert line.startswith(f"checkpoint={folder}: ") and "\n" not in line
    assert all(word in line for word in (*said, accepted)), line
    assert files(folder.parent) == before


@pytest.mark.parametrize(
    ("identity", "said"),
    [
        ({"seed": 1, "rounds": 20, "jax": "1"}, "another seed;"),
        ({"seed": 0, "rounds": 30, "jax": "2"}, "another rounds, jax;"),
        ({"seed": 0, "rounds": 20}, "another jax;"),
        ({"seed": 0, "rounds": 20, "jax": "1", "new": None}, "another new;"),
    ],
)
def test_another_study_is_refused(identity, said, place):
    interrupted(place, {"seed": 0, "rounds": 20, "jax": "1"})
    assert_refused(place, identity, said)


@pytest.mark.parametrize("text", ["", "{", "[]", "null", "\0\xff"])
def test_an_unreadable_study_is_called_damaged(text, place):
    interrupted(place, {"seed": 0})
    (place / "study.json").write_bytes(text.encode("latin-1"))
    said = "study.json is damaged; accepted is another folder"
    assert_refused(place, {"seed": 0}, said, accepted="this one emptied")


def test_a_second_process_is_refused(place):
    with checkpoint.study(str(place), {"seed": 0}):
        other = place.parent / "missing" / ".." / place.name
        with pytest.raises(errors.InputError, match="another run writes there"):
            with checkpoint.study(str(other), {"seed": 0}):
                raise AssertionError("accepted")
    assert not place.parent.exists()


def test_paths_with_two_dots(tmp_path, monkeypatch):
    (tmp_path / "sub").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "sub")
    monkeypatch.chdir(tmp_path / "link")
    for folder in ("missing/../kept", "../other/../kept"):
        with pytest.raises(Stopped):
            with checkpoint.study(folder, {}) as study:
                run(20, study("mlp"), 3)
        with checkpoint.study(folder, {}) as study:
            assert run(20, study("mlp"))[1] == list(range(6, 20))
    assert sorted(path.name for path in tmp_path.iterdir()) == ["link", "sub"]
    assert files(tmp_path) == {}


@contextlib.contextmanager
def no_file_above(size):
    """A limit of the system, which ends writing as a full disk does."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def test_what_cannot_be_saved_leaves_the_step_before(kept, tmp_path, capfd):
    kept.save(1, {"a": np.arange(3)})
    before = files(tmp_path)
    with pytest.raises(checkpoint.NotSaved, match="^File too large$"):
        with no_file_above(50_000):
            kept.save(2, {"a": np.random.default_rng(0).random(50_000)})
    assert files(tmp_path) == before
    assert capfd.readouterr() == ("", "")
    assert kept.restore(lambda done: {"a": np.zeros(3, int)})[0] == 1


def test_a_full_disk_costs_the_checkpoint_and_not_the_run(place, monkeypatch, capsys):
    def full(*arguments, **options):
        raise OSError(errno.ENOSPC, "No space left on device")

    with checkpoint.study(str(place), {"seed": 0}) as study:
        monkeypatch.setattr(checkpoint.jax, "device_get", full)
        given, ran = run(20, study("mlp"))
        monkeypatch.undo()
    assert ran == list(range(20))
    assert_same_bits(given, run(20)[0])
    lines = capsys.readouterr().err.splitlines()
    assert lines[0] == (
        f"warning: checkpoint={place}: the state after 2 rounds cannot be saved (No "
        "space left on device); the run goes on"
    )
    assert len(lines) == chunks_lib.MOST_SAVES
    assert not place.exists()


def test_a_disk_that_is_full_from_the_start(place, tmp_path, monkeypatch):
    write = pathlib.Path.write_text

    def full(path, text):
        write(path, text[:5])
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(pathlib.Path, "write_text", full)
    with pytest.raises(errors.InputError, match="cannot be used .No space left"):
        with checkpoint.study(str(place), {"seed": 0}):
            raise AssertionError("accepted")
    assert list(tmp_path.iterdir()) == []


def test_a_folder_of_other_files_is_refused(place):
    place.mkdir(parents=True)
    (place / "thesis.txt").write_text("words")
    assert_refused(place, {"seed": 0}, "no study.json")


def test_a_file_is_refused(place):
    place.parent.mkdir()
    place.write_text("words")
    assert_refused(place, {"seed": 0}, "cannot be used")
    with pytest.raises(errors.InputError, match="cannot be used"):
        with checkpoint.study(str(place / "below"), {}):
            raise AssertionError("accepted")


def test_files_of_others_stay_when_the_study_is_complete(place, tmp_path):
    with checkpoint.study(str(place), {"seed": 0}) as study:
        run(1, study("gan"))
        (place / "thesis.txt").write_text("words")
    assert files(tmp_path) == {place / "thesis.txt": b"words"}


def test_what_an_end_at_any_moment_leaves_is_no_hindrance(place, tmp_path):
    # The first start ended before study.json was complete,
    place.mkdir(parents=True)
    (place / checkpoint.PARTIAL).write_text("{")
    interrupted(place, {"seed": 0})
    # and the next one while the runs were being removed.
    (place / "runs").rename(place / checkpoint.REMOVED)
    shutil.rmtree(place / checkpoint.REMOVED / "gan")
    with checkpoint.study(str(place), {"seed": 0}) as study:
        assert run(20, study("mlp"))[1] == list(range(20))
    assert files(tmp_path) == {}


def test_the_fingerprint_is_of_values_shapes_types_and_labels():
    x, y = np.arange(8, dtype=np.float32).reshape(2, 2, 2), np.array([0, 1])
    dataset = Dataset("made up", x, y, 2)
    others = [
        dataset,
        dataset._replace(x=x + np.float32(1e-3)),
        dataset._replace(x=x.reshape(2, 4)),
        dataset._replace(x=x.view(np.int32)),
        dataset._replace(y=y[::-1]),
    ]
    assert len({provenance.fingerprint(other) for other in others}) == 5
    copied = Dataset("another name", np.asfortranarray(x), y.copy(), 2)
    assert provenance.fingerprint(copied) == provenance.fingerprint(dataset)


def test_a_study_is_told_by_its_settings_data_and_versions(place):
    rng = np.random.default_rng(0)
    x = rng.random((60, 8, 8, 1), np.float32)
    dataset = Dataset("made up", x, np.arange(60) % 3, 3)
    settings = GanSettings(target_class=1)
    prepared = gan_attack.prepare_seats(settings, dataset)

    def opened(settings, prepared):
        return gan_attack.checkpoints(settings, prepared, str(place))

    with pytest.raises(Stopped), opened(settings, prepared):
        raise Stopped
    other = dataclasses.replace(settings, seed=1, epsilon_per_parameter=2.0)
    with pytest.raises(errors.InputError, match="another epsilon_per_parameter, seed;"):
        opened(other, prepared).__enter__()
    changed = prepared._replace(dataset=dataset._replace(x=1 - x))
    with pytest.raises(errors.InputError, match="another content_of_data;"):
        opened(settings, changed).__enter__()
    with opened(settings, prepared):
        pass
    assert not place.exists()


def test_the_terminal_stays_clean(kept, capfd, caplog):
    verbosity = logging.get_verbosity()
    logging.set_verbosity(logging.INFO)
    try:
        with pytest.raises(Stopped):
            run(20, kept, 3)
        run(20, kept)
        assert logging.get_verbosity() == logging.INFO
    finally:
        logging.set_verbosity(verbosity)
    assert (caplog.messages, capfd.readouterr()) == ([], ("", ""))


def test_orbax_is_imported_when_it_is_needed():
    code = (
        "import sys, jaxprivacy.studies.gan_attack; "
        "print('orbax' in sys.modules, 'orbax.checkpoint' in sys.modules)"
    )
    command = [sys.executable, "-c", code]
    done = subprocess.run(  # noqa: S603
        command, capture_output=True, text=True, cwd=launched.ROOT
    )
    assert (done.returncode, done.stdout.split()) == (0, ["False"] * 2), done.stderr
