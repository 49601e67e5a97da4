import os
import re
import subprocess
import sys
import threading

import pytest

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
    out, _ = running.communicate(timeout=60)
    reader.join()
    os.close(terminal)
    assert running.returncode == 0
    return b"".join(seen).decode(), (out or b"").decode()


def test_results_go_to_standard_output_where_only_standard_error_is_a_terminal():
    shown, out = run(subprocess.PIPE)
    assert out == "result 0\nresult 1\nresult 2\n"
    assert "result" not in shown


def test_results_stand_above_the_bar_where_both_are_a_terminal():
    shown, _ = run()
    for n in range(3):
        assert re.search(rf"(\n|\x1b\[2K)result {n}\r\n", shown)  # on a line of its own
    assert "colorizing" in shown


def test_the_bar_counts_and_notes_are_written_as_they_are():
    shown, _ = run(subprocess.PIPE)
    assert "3/3" in shown
    assert "a note on [bold] names" in shown


def test_no_terminal_sees_no_bar():
    done = subprocess.run([sys.executable, "-c", PROGRAM], capture_output=True, text=True, check=True)
    assert done.stdout == "result 0\nresult 1\nresult 2\n"
    assert done.stderr == "a note on [bold] names\n"
