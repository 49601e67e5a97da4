import signal
import subprocess
import sys
import threading
import time

import pytest

from colorcli import Colorizer
from colorcli.errors import MissingDependency, PluginError, UsageError
from colorcli.isolation.guard import guard, install_command, one_line, stdout_to_stderr


class Sunset(Colorizer):
    name = "sunset"
    summary = "Warm."

    def build(self):
        raise NotImplementedError

    def predict(self, network, lightness):
        raise NotImplementedError


# Errors


def test_an_error_names_colorizer_and_method_and_keeps_its_cause():
    boom = OSError("no such shelf")
    with (
        pytest.raises(PluginError, match=r"^The colorizer sunset failed in build: OSError: no such shelf\.") as caught,
        guard(Sunset(), "build"),
    ):
        raise boom
    assert caught.value.__cause__ is boom
    assert "--debug" in caught.value.hint


@pytest.mark.parametrize("error", [SystemExit, SystemExit(0), KeyboardInterrupt, GeneratorExit, BaseException("odd")])
def test_no_exception_of_a_plugin_ends_the_program(error):
    with pytest.raises(PluginError, match="The colorizer sunset failed in predict"), guard(Sunset(), "predict"):
        raise error


def test_an_interrupt_in_a_thread_is_never_ctrl_c():
    found = []

    def work():
        try:
            with guard(Sunset(), "predict"):
                raise KeyboardInterrupt
        except BaseException as error:
            found.append(type(error))

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert found == [PluginError]


@pytest.mark.parametrize("work", ["time.sleep(30)", "while True: pass", "for _ in iter(int, 1): len('a')"])
def test_ctrl_c_interrupts_a_plugin(work):
    program = f"""
import time
from colorcli.isolation.guard import guard
from tests.isolation.test_guard import Sunset
print("ready", flush=True)
with guard(Sunset(), "predict"):
    {work}
"""
    process = subprocess.Popen(
        [sys.executable, "-c", program], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    assert process.stdout.readline() == "ready\n"
    time.sleep(0.3)
    process.send_signal(signal.SIGINT)
    try:
        _, errors = process.communicate(timeout=300)
    finally:
        process.kill()  # one that goes on would slow down all other tests
    assert errors.rstrip().endswith("KeyboardInterrupt")
    assert "PluginError" not in errors


def test_errors_for_the_user_and_those_that_may_pass_are_not_wrapped():
    with pytest.raises(UsageError, match="Not this one"), guard(Sunset(), "predict"):
        raise UsageError("Not this one.")
    lacking = guard(Sunset(), "predict", passing=lambda error: isinstance(error, MemoryError))
    with pytest.raises(MemoryError), lacking:
        raise MemoryError


# Missing modules


def test_a_missing_module_is_named_with_the_command_that_installs_it():
    missing = pytest.raises(MissingDependency, match="sunset needs the module nothing_of_that_name")
    with missing as caught, guard(Sunset(), "build"):
        import nothing_of_that_name.part  # noqa: F401
    assert caught.value.hint == "Install it: pip install nothing_of_that_name"


@pytest.fixture
def distribution(tmp_path, monkeypatch):
    """Install a distribution with requirements of many kinds."""
    info = tmp_path / "needy-1.0.dist-info"
    info.mkdir()
    needed = ["spandrel_extra_arches>=0.2,<1", "Open-Clip.Torch", "timm[all] (>=1.0) ; extra == 'big'"]
    lines = ["Metadata-Version: 2.1", "Name: needy", "Version: 1.0", *(f"Requires-Dist: {each}" for each in needed)]
    (info / "METADATA").write_text("\n".join(lines) + "\n")
    monkeypatch.syspath_prepend(tmp_path)


@pytest.mark.usefixtures("distribution")
@pytest.mark.parametrize(
    ("module", "command"),
    [
        ("spandrel_extra_arches.architectures", 'pip install "spandrel_extra_arches>=0.2,<1"'),
        ("open_clip_torch", "pip install Open-Clip.Torch"),
        ("timm.models", 'pip install "timm>=1.0"'),
        ("undeclared", "pip install undeclared"),
    ],
)
def test_the_command_installs_what_the_distribution_declares(module, command):
    assert install_command(module, "needy") == command


@pytest.mark.parametrize("distribution", ["", "not-installed"])
def test_without_a_distribution_the_module_is_named(distribution):
    assert install_command("timm.models", distribution) == "pip install timm"


# Standard output


def test_what_a_plugin_prints_goes_to_standard_error(capsys):
    with stdout_to_stderr():
        print("from the plugin")
        sys.stdout.write("and more\n")
    print("a result")
    captured = capsys.readouterr()
    assert captured.out == "a result\n"
    assert captured.err == "from the plugin\nand more\n"


def test_other_threads_keep_printing_to_standard_output(capsys):
    inside, printed = threading.Event(), threading.Event()

    def plugin():
        with stdout_to_stderr():
            inside.set()
            printed.wait(10)
            print("from the plugin")

    thread = threading.Thread(target=plugin)
    thread.start()
    inside.wait(10)
    print("a result")
    printed.set()
    thread.join()
    captured = capsys.readouterr()
    assert (captured.out, captured.err) == ("a result\n", "from the plugin\n")


def test_guards_may_be_nested_and_end_in_any_order(capsys):
    before = sys.stdout
    one, two = stdout_to_stderr(), stdout_to_stderr()
    one.__enter__()
    two.__enter__()
    one.__exit__(None, None, None)
    print("still inside")
    two.__exit__(None, None, None)
    assert sys.stdout is before
    assert capsys.readouterr().err == "still inside\n"


def test_plugin_code_cannot_close_standard_output(capsys):
    with stdout_to_stderr():
        sys.stdout.close()
    print("a result")
    assert capsys.readouterr().out == "a result\n"


# Descriptions


class Unprintable(Exception):
    def __str__(self):
        raise ZeroDivisionError


@pytest.mark.parametrize(
    ("error", "line"),
    [
        (ValueError("expected\n 8 rows."), "ValueError: expected 8 rows"),
        (Unprintable(), "Unprintable"),
        (ValueError("x" * 10**6), f"ValueError: {'x' * 500}"),
    ],
)
def test_an_error_is_described_in_a_line_whatever_it_says(error, line):
    assert one_line(error).removesuffix(" ").removesuffix(".").rstrip() == line
