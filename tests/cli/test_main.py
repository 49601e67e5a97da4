import errno
import importlib.metadata
import os
import platform
import re
import signal
import subprocess
import sys
import threading
import tomllib

import click
import pytest
from PIL import Image

from colorcli.cli import colorcli, main
from colorcli.cli.messages import report_error
from colorcli.errors import ColorcliError, UsageError

HEAVY = {  # each takes milliseconds at least; --help takes about as long as the import of click
    *(
        "torch",
        "torchvision",
        "numpy",
        "PIL",
        "cv2",
        "av",
        "rich",
        "huggingface_hub",
        "safetensors",
        "lightning_fabric",
    ),
    *(
        "pluggy",
        "msgspec",
        "jinja2",
        "tomli_w",
        "tomllib",
        "asyncio",
        "email",
        "http",
        "ssl",
        "urllib.request",
        "json",
    ),
    *("hashlib", "logging", "subprocess", "tempfile", "importlib.metadata"),
    *("colorcli.colorizer", "colorcli.jobs", "colorcli.weights"),
}


@pytest.fixture
def fails(monkeypatch):
    """A command that raises a given exception."""

    def command(error):
        @click.command()
        def fail():
            raise error

        monkeypatch.setitem(colorcli.commands, "fail", fail)
        return ["fail"]

    return command


def colorcli_process(*args, **keywords):
    return subprocess.run([sys.executable, "-m", "colorcli", *args], capture_output=True, check=False, **keywords)


def test_help_imports_nothing_that_is_slow():
    commands = [[], *([name] for name in colorcli.commands)]
    program = f"""
import sys
from colorcli.cli import main
for command in {commands!r}:
    assert main([*command, "--help"]) == 0
    print(*command, *sorted({HEAVY!r} & set(sys.modules)), file=sys.stderr)
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.count("Usage: colorcli") == len(commands)
    assert done.stderr.splitlines() == [" ".join(command) for command in commands]


def test_every_command_has_a_short_help_that_fits_on_a_line_of_80_columns():
    groups = [colorcli, *(each for each in colorcli.commands.values() if isinstance(each, click.Group))]
    for group in groups:
        widest = max(map(len, group.commands))
        for command in group.commands.values():
            assert command.get_short_help_str(80 - widest - 6)
            assert not command.get_short_help_str(80 - widest - 6).endswith("..."), command.name


def test_the_version_names_what_a_bug_report_needs(capsys):
    assert main(["--version"]) == 0
    ours, torch, python, device = capsys.readouterr().out.splitlines()
    assert ours == f"colorcli {importlib.metadata.version('colorcli')}"
    assert torch == f"torch {importlib.metadata.version('torch')}"
    assert python == f"Python {platform.python_version()}"
    assert re.fullmatch(r"device: (cpu|mps|cuda) in (fp32|bf16|fp16)", device)


def test_an_error_is_one_line_and_a_hint_on_stderr(fails, capsys):
    assert main(fails(ColorcliError("The sky is green.", "Look up."))) == 1
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err == "error: The sky is green.\nhint: Look up.\n"


def test_a_hint_is_printed_once_in_each_run(monkeypatch, capsys):
    @click.command()
    def fails():
        for name in ("a", "b"):
            report_error(ColorcliError(f"{name} is broken.", "Mend it."))
        report_error(ColorcliError("c is missing.", "Find it."))

    monkeypatch.setitem(colorcli.commands, "fails", fails)
    expected = "error: a is broken.\nhint: Mend it.\nerror: b is broken.\nerror: c is missing.\nhint: Find it.\n"
    for _ in range(2):
        assert main(["fails"]) == 0
        assert capsys.readouterr().err == expected


@pytest.mark.skipif(os.name == "nt", reason="Windows keeps the current folder")
def test_a_current_folder_that_was_removed_is_an_error(tmp_path, monkeypatch, capsys):
    (tmp_path / "gone").mkdir()
    monkeypatch.chdir(tmp_path / "gone")
    (tmp_path / "gone").rmdir()
    assert main(["models"]) == 1
    assert capsys.readouterr().err == "error: The current folder was removed.\nhint: Change to another one: cd ~\n"


def test_an_error_without_a_hint_is_one_line(fails, capsys):
    assert main(fails(ColorcliError("The sky is green."))) == 1
    assert capsys.readouterr().err == "error: The sky is green.\n"


def test_the_exit_code_is_that_of_the_error(fails):
    assert main(fails(UsageError("No."))) == 2


@pytest.mark.parametrize("args", [["--nothing"], ["models", "--nothing"], ["models", "nothing", "nothing"]])
def test_a_wrong_command_line_exits_with_2_and_points_to_the_help(args, capsys):
    assert main(args) == 2
    captured = capsys.readouterr()
    assert captured.err.startswith("error: ")
    assert re.search(r"hint: Run `colorcli( models)? --help` for usage\.", captured.err)
    assert captured.out == ""


@pytest.mark.parametrize(
    ("command", "name"),
    [
        (["train", "zhang", "photos", "--recipe", "starter"], "best.safetensors"),
        (["paper", "edinburgh", "photos"], "page.html"),
        (["plugins", "new", "night-sky"], "night-sky.zip"),
    ],
)
def test_a_name_of_a_file_is_refused_for_a_folder(command, name, capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert main([*command, "-o", name]) == 2
    assert f"must be a folder, got '{name}', which is the name of a file." in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("word", "answer"),
    [
        ("modles", "error: Command not found: modles.\nhint: Did you mean models"),
        ("xyz", "error: Command not found: xyz.\nhint: Available: bench, "),
        ("photo.jpg", "error: File, folder or command not found: photo.jpg.\n"),
        ("photos/", "error: File, folder or command not found: photos/.\n"),
    ],
)
def test_a_word_that_is_neither_a_command_nor_a_file_is_an_error(word, answer, capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert main([word]) == 2
    assert capsys.readouterr().err.startswith(answer)


@pytest.mark.parametrize("url", ["https://example.org/a.jpg", "http://localhost/a.png", "ftp://host/film.mp4"])
def test_a_url_in_the_place_of_a_command_is_an_input_that_has_to_be_downloaded(url, capsys):
    assert main([url, "--offline", "--model", "zhang.starter"]) == 1
    assert f"{url} is a URL, not a file.\nhint: Download it first" in capsys.readouterr().err


@pytest.mark.parametrize("options", [[], ["--json"]])
def test_files_and_folders_in_the_place_of_a_command_are_colorized(options, capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "photos").mkdir()
    Image.linear_gradient("L").resize((60, 80)).save("photos/a.png")
    Image.linear_gradient("L").resize((60, 80)).save("b.png")
    assert main(["photos", "b.png", "--dry-run", *options]) == 0
    assert len(capsys.readouterr().out.splitlines()) == 2


def test_a_command_wins_over_a_file_of_the_same_name(capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "models").mkdir()
    assert main(["models"]) == 0
    assert "zhang" in capsys.readouterr().out


def test_without_a_command_the_help_is_shown(capsys):
    assert main([]) == 2
    assert "Commands:" in capsys.readouterr().err


def test_an_unexpected_error_keeps_its_traceback(fails):
    with pytest.raises(ZeroDivisionError):
        main(fails(ZeroDivisionError()))
    with pytest.raises(EOFError):
        main(fails(EOFError()))


def test_debug_shows_the_traceback_of_an_error(fails, capsys, monkeypatch):
    command = fails(ColorcliError("The sky is green."))
    main(command)
    assert "Traceback" not in capsys.readouterr().err
    main(["--debug", *command])
    assert "Traceback" in capsys.readouterr().err
    monkeypatch.setenv("COLORCLI_DEBUG", "1")
    main(command)
    assert "Traceback" in capsys.readouterr().err


def test_ctrl_c_exits_with_130_and_one_line(fails, capsys):
    assert main(fails(KeyboardInterrupt())) == 130
    assert capsys.readouterr().err.strip() == "Interrupted."


@pytest.mark.parametrize("name", ["SIGINT", "SIGTERM", "SIGHUP"])
def test_a_signal_that_ends_programs_exits_like_ctrl_c(name, monkeypatch, capsys):
    number = getattr(signal, name)
    before = signal.getsignal(number)

    @click.command()
    def wait():
        os.kill(os.getpid(), number)
        threading.Event().wait(10)

    monkeypatch.setitem(colorcli.commands, "wait", wait)
    assert main(["wait"]) == 128 + number
    assert capsys.readouterr().err.strip() == "Interrupted."
    assert signal.getsignal(number) is before


def test_an_ignored_signal_stays_ignored(monkeypatch):
    """`nohup colorcli run photos/` survives the end of its terminal."""

    @click.command()
    def go_on():
        os.kill(os.getpid(), signal.SIGHUP)

    monkeypatch.setitem(colorcli.commands, "go-on", go_on)
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        assert main(["go-on"]) == 0
    finally:
        signal.signal(signal.SIGHUP, before)


def test_a_second_signal_ends_a_command_that_hangs_and_removes_its_temporary_files(tmp_path):
    program = """
import sys, threading, click
from pathlib import Path
from colorcli.cli import colorcli, main
from colorcli.files import replacing

@click.command()
def hang():
    with replacing(Path("target")) as temporary:
        temporary.write_bytes(b"half")
        try:
            print("ready", flush=True)
            threading.Event().wait(60)
        finally:
            print("stopping", flush=True)
            while True:
                threading.Event().wait(60)

colorcli.add_command(hang)
sys.exit(main(["hang"]))
"""
    running = subprocess.Popen(
        [sys.executable, "-c", program], cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    for line in ("ready", "stopping"):
        assert running.stdout.readline().strip() == line
        running.send_signal(signal.SIGINT)
    _, err = running.communicate(timeout=300)
    assert (running.returncode, err) == (130, "")
    assert list(tmp_path.iterdir()) == []


def test_the_exit_code_is_what_a_command_returns_or_exits_with(monkeypatch):
    @click.command()
    @click.pass_context
    def leave(ctx):
        ctx.exit(3)

    monkeypatch.setitem(colorcli.commands, "leave", leave)
    assert main(["leave"]) == 3


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="needs /dev/full")  # noqa: PTH110
@pytest.mark.parametrize("unbuffered", ["", "1"])
@pytest.mark.parametrize("command", [["models"], ["plugins", "--json"], ["--help"]], ids=" ".join)
def test_a_full_disk_behind_standard_output_is_an_error_and_not_a_traceback(command, unbuffered, monkeypatch):
    monkeypatch.setenv("PYTHONUNBUFFERED", unbuffered)
    with open("/dev/full", "w") as full:  # noqa: PTH123
        done = subprocess.run(
            [sys.executable, "-m", "colorcli", *command], stdout=full, stderr=subprocess.PIPE, text=True, check=False
        )
    assert done.stderr == (
        "error: standard output: No space left on device.\nhint: Free some space, or write to another place.\n"
    )
    assert done.returncode == 1


@pytest.mark.parametrize(
    ("error", "message"),
    [
        (PermissionError(errno.EACCES, "Permission denied", "locked/a.jpg"), "locked/a.jpg: Permission denied."),
        (OSError(errno.EIO, "Input/output error", "disk/a.jpg"), "disk/a.jpg: Input/output error."),
        (OSError(errno.ENAMETOOLONG, "File name too long", "a\nb"), "'a\\nb': File name too long."),
    ],
)
def test_a_file_that_the_system_refuses_is_an_error_that_names_it(fails, capsys, error, message):
    command = fails(error)
    assert main(command) == 1
    assert capsys.readouterr().err == f"error: {message}\n"
    assert main(["--debug", *command]) == 1
    assert "Traceback" in capsys.readouterr().err


@pytest.mark.skipif(os.name == "nt", reason="needs a shell with pipes")
@pytest.mark.parametrize("command", ["models", "plugins"])
def test_a_reader_that_closes_the_pipe_early_is_not_an_error(command):
    read, write = os.pipe()
    os.close(read)
    done = subprocess.run(
        [sys.executable, "-m", "colorcli", command], stdout=write, stderr=subprocess.PIPE, check=False
    )
    os.close(write)
    assert done.stderr == b""
    assert done.returncode == 1


def test_settings_come_from_the_file_in_the_current_folder(tmp_path):
    (tmp_path / "colorcli.toml").write_text("[plugins]\njson = true\n")
    assert colorcli_process("plugins", cwd=tmp_path).stdout.startswith(b"[")


def test_settings_come_from_the_given_file(tmp_path, capsys):
    file = tmp_path / "mine.toml"
    file.write_text("[plugins]\njson = true\n")
    assert main(["--settings", str(file), "plugins"]) == 0
    assert capsys.readouterr().out.startswith("[")


def test_a_wrong_setting_exits_with_2(tmp_path, capsys):
    file = tmp_path / "mine.toml"
    file.write_text("[plugin]\n")
    assert main(["--settings", str(file), "plugins"]) == 2
    assert capsys.readouterr().err == (
        f"error: Invalid settings in {file}:\n  [plugin] is not a command. Did you mean plugins?\n"
    )


def test_settings_show_prints_the_file_in_use_and_what_it_sets(tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    assert main(["settings", "show"]) == 0
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.startswith("note: no settings file found. Defaults can be set in ")
    (tmp_path / "colorcli.toml").write_text('[run]\nmodel = "zhang.starter"\nstrength = 0.9\n')
    assert main(["settings", "show"]) == 0
    out = capsys.readouterr().out
    assert out.splitlines()[0] == f"# {tmp_path / 'colorcli.toml'}"
    assert tomllib.loads(out) == {"run": {"model": "zhang.starter", "strength": 0.9}}
    (tmp_path / "mine.toml").write_text('[run]\nmodel = "iizuka"\n')
    assert main(["--settings", "mine.toml", "settings", "show"]) == 0
    assert tomllib.loads(capsys.readouterr().out) == {"run": {"model": "iizuka"}}
