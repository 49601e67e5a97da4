import subprocess
import sys

import pytest

from colorcli.media.films.lock import locked

HOLD = """
import sys
from pathlib import Path
from colorcli.media.films.lock import locked

with locked(Path(sys.argv[1])) as owned:
    print(owned, flush=True)
    sys.stdin.read()
"""


def test_a_lock_is_held_until_its_end_and_leaves_no_file(tmp_path):
    path = tmp_path / "lock"
    with locked(path) as first:
        with locked(path) as second:
            assert (first, second) == (True, False)
        assert path.exists()
    assert not path.exists()
    with locked(path) as again:
        assert again


def test_a_killed_process_releases_its_lock(tmp_path):
    path = tmp_path / "lock"
    with subprocess.Popen([sys.executable, "-c", HOLD, path], stdin=-1, stdout=-1, text=True) as other:
        assert other.stdout.readline() == "True\n"
        with locked(path) as owned:
            assert not owned
        other.kill()
    with locked(path) as owned:
        assert owned


def test_a_folder_that_does_not_exist_is_an_error(tmp_path):
    with pytest.raises(FileNotFoundError), locked(tmp_path / "nowhere" / "lock"):
        pass
