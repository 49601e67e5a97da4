import os
import re
import subprocess
import sys
import threading

import pytest

from colorcli.cli.progress import Progress

pty = pytest.importorskip("pty")

PROGRAM = """
from colorcli.cli.progress import Progress
with Progress("colorizing", 3) as progress:
    for n in range(3):
        progress.result(f"result {n}")
        progress.advance()
    progress.note("a note on [bold] names")
"""


def run(stdout=None):
    """Run the program on a terminal; return what it wrote there, and to standard output where that is elsewhere."""
    terminal, theirs = pty.openpty()
    running = subprocess.Popen([sys.executable, "-c", PROGRAM], stdout=stdout or theirs, stderr=theirs)
    os.close(theirs)
    seen = []

    def read():
        try:
            while part := os.read(terminal, 65536):
                seen.append(part)
        except OSError:  # how Linux says that the other side is closed
            pass

    reader = threading.Thread(target=read)
    reader.start()
    out, _ = running.communicate(timeout=300)
    reader.join()
    os.close(terminal)
    assert running.returncode == 0
    return b"".join(seen).decode(), (out or b"").decode()


def test_results_go_to_standard_output_if_only_standard_error_is_a_terminal():
    shown, out = run(subprocess.PIPE)
    assert out == "result 0\nresult 1\nresult 2\n"
    assert "result" not in shown


def test_results_are_printed_above_the_bar_if_both_are_a_terminal():
    shown, _ = run()
    for n in range(3):
        assert re.search(rf"(\n|\x1b\[2K)result {n}\r\n", shown)  # on a line of its own
    assert "colorizing" in shown


def test_the_bar_counts_and_notes_are_not_interpreted_as_markup():
    shown, _ = run(subprocess.PIPE)
    assert "3/3" in shown
    assert "a note on [bold] names" in shown


def test_without_a_terminal_there_is_no_bar():
    done = subprocess.run([sys.executable, "-c", PROGRAM], capture_output=True, text=True, check=True)
    assert done.stdout == "result 0\nresult 1\nresult 2\n"
    assert done.stderr == "a note on [bold] names\n"


class Seconds:
    """A clock that a test moves."""

    def __init__(self):
        self.now = 0.0

    def __call__(self):
        return self.now


def log_of(capsys, *, unit="pictures/s", total=100, done=0, quiet=False, seconds=10, items=30):
    clock = Seconds()
    with Progress("colorizing", total, done, unit, quiet=quiet, clock=clock) as progress:
        for _ in range(items):
            clock.now += seconds
            progress.advance()
    return capsys.readouterr().err.splitlines()


def test_a_log_gets_a_line_every_minute(capsys):
    assert log_of(capsys) == [
        "colorizing: 6 of 100, 0.1 pictures/s, about 16 min left",
        "colorizing: 12 of 100, 0.1 pictures/s, about 15 min left",
        "colorizing: 18 of 100, 0.1 pictures/s, about 14 min left",
        "colorizing: 24 of 100, 0.1 pictures/s, about 13 min left",
        "colorizing: 30 of 100, 0.1 pictures/s, about 12 min left",
    ]


def test_a_log_of_a_short_run_has_no_progress(capsys):
    assert log_of(capsys, items=5) == []


def test_a_slow_item_gets_one_line_and_not_many(capsys):
    assert log_of(capsys, seconds=600, items=2) == [
        "colorizing: 1 of 100, 0.002 pictures/s, about 16 h 30 min left",
        "colorizing: 2 of 100, 0.002 pictures/s, about 16 h 20 min left",
    ]


def test_items_done_before_count_but_not_for_the_rate(capsys):
    assert log_of(capsys, done=40, items=6) == ["colorizing: 46 of 100, 0.1 pictures/s, about 9 min left"]


def test_a_log_without_a_total_has_no_time_left(capsys):
    assert log_of(capsys, total=None, unit="fps", items=6) == ["colorizing: 6, 0.1 fps"]


def test_downloads_are_counted_in_megabytes(capsys):
    clock = Seconds()
    progress = Progress("zhang.eccv16", 128_000_000, unit="bytes", clock=clock)
    progress.advance(count=0)
    clock.now = 64
    progress.advance(count=64_000_000)
    progress.stop()
    assert capsys.readouterr().err == "zhang.eccv16: 64.0 MB of 128.0 MB, 1.0 MB/s, about 1 min left\n"


def test_quiet_has_no_progress_but_notes(capsys):
    assert log_of(capsys, quiet=True) == []
    with Progress("colorizing", 1, quiet=True) as progress:
        progress.note("error: a.jpg")
    assert capsys.readouterr().err == "error: a.jpg\n"
