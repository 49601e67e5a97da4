import gc
import os
import signal
import subprocess
import sys

import pytest

from colorcli.cli.process import imports_without_collection, let_threads_sleep


def run(program):
    return subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)


def test_the_process_ends_with_the_exit_code_after_its_exit_handlers_and_all_output():
    done = run("""
import atexit, sys, tempfile
import pytest

from colorcli.cli.process import exit_at_once
folder = tempfile.TemporaryDirectory()
atexit.register(print, "handler")
sys.stdout.write("out, ")
sys.stderr.write("err")
exit_at_once(3)
""")
    assert (done.returncode, done.stdout, done.stderr) == (3, "out, handler\n", "err")


def test_modules_are_not_taken_apart():
    done = run("""
import sys
import pytest

from colorcli.cli.process import exit_at_once
class Slow:
    def __del__(self): print("taken apart")
sys.modules["slow"] = Slow()
exit_at_once(0)
""")
    assert (done.returncode, done.stdout) == (0, "")


def test_garbage_is_collected_again_after_imports():
    with imports_without_collection():
        assert not gc.isenabled()
    assert gc.isenabled()


@pytest.mark.parametrize("chosen", ["PASSIVE", "ACTIVE"])
def test_threads_sleep_while_they_wait_unless_the_user_chose_otherwise(monkeypatch, chosen):
    monkeypatch.setattr(os, "environ", {} if chosen == "PASSIVE" else {"OMP_WAIT_POLICY": chosen})
    let_threads_sleep()
    assert os.environ == {"OMP_WAIT_POLICY": chosen}


@pytest.mark.skipif(os.name == "nt", reason="needs a POSIX shell")
@pytest.mark.parametrize(
    ("closed", "printed"), [("<&-", "result\n"), (">&-", ""), ("2>&-", "result\n"), ("<&- >&- 2>&-", "")]
)
def test_a_closed_stream_is_the_null_device(closed, printed, tmp_path):
    program = """
import os, sys

from colorcli.cli.process import open_missing_streams, reserve_stdout
open_missing_streams()
reserve_stdout()
assert sys.stdin.read() == ""
with open("file", "w") as file:
    print("result")
    print("message", file=sys.stderr)
    os.write(1, b"library")
sys.stdout.flush()
"""
    (tmp_path / "program.py").write_text(program)
    command = ["sh", "-c", f'"$0" program.py {closed} && cat file', sys.executable]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False, stdin=subprocess.DEVNULL)
    assert done.returncode == 0, done.stderr
    assert done.stdout == printed
    assert (tmp_path / "file").read_text() == ""


def test_commands_end_without_taking_modules_apart():
    done = run("""
import runpy, sys
class Slow:
    def __del__(self): print("taken apart")
sys.modules["slow"] = Slow()
sys.argv = ["colorcli", "plugins", "--nothing"]
runpy.run_module("colorcli", run_name="__main__")
""")
    assert (done.returncode, done.stdout) == (2, "")
    assert "No such option" in done.stderr


@pytest.mark.parametrize("when", ["before the command", "in an exit handler"])
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_before_or_after_the_command_ends_the_process_without_a_traceback(when, number):
    done = run(f"""
import atexit, os, sys
from colorcli import cli

def interrupt(*_):
    os.kill(os.getpid(), {number})
    raise SystemExit("the process went on")

if "{when}" == "in an exit handler":
    atexit.register(interrupt)
else:
    cli.main = interrupt
sys.argv = ["colorcli", "plugins"]
cli.program()
""")
    assert (done.returncode, done.stderr) == (128 + number, "")
