from unittest import mock

import pytest

from jaxprivacy.commands import common
from tests.launch import launched


@pytest.fixture(scope="module")
def one_device():
    """JAX is in use by now, and its devices are what they are."""
    with mock.patch.object(common, "use_every_core"):
        yield


@pytest.fixture
def refused(tmp_path, capsys, monkeypatch):
    """Runs a script, checks that it ends in one line and leaves nothing behind.

    Returns the line on stderr.
    """
    monkeypatch.chdir(tmp_path)

    def run(*arguments, script="audit"):
        before = sorted(tmp_path.rglob("*"))
        status = launched.run(
            script, "--out=out/here", "--compilation_cache=", *arguments
        )
        out, err = capsys.readouterr()
        assert (status, out) == (2, "")
        assert err.endswith("\n") and len(err.splitlines()) == 1, err
        assert err.startswith("error: ") and "Traceback" not in err
        assert sorted(tmp_path.rglob("*")) == before
        return err

    return run
