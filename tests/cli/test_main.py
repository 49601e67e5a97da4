import importlib.metadata
import os
import subprocess
import sys

import click
import pytest

from colorcli.cli import colorcli, main
from colorcli.errors import ColorcliError, UsageError

HEAVY = {"torch", "torchvision", "numpy", "PIL", "rich", "huggingface_hub", "safetensors", "lightning_fabric"}


@pytest.fixture
def fails(monkeypatch):
    """A command that raises what it is told to."""

    def command(error):
        @click.command()
        def fail():
            raise error

        monkeypatch.setitem(colorcli.commands, "fail", fail)
        return ["fail"]

    return command


def colorcli_process(*args, **keywords):
    return subprocess.run([sys.executable, "-m", "colorcli", *args], capture_output=True, check=False, **keywords)


@pytest.mark.parametrize("command", [[], *([name] for name in colorcli.commands)], ids=str)
def test_help_imports_nothing_that_is_slow(command):
    program = f"""
import sys
from colorcli.cli import main
assert main({[*command, "--help"]!r}) == 0
print(sorted({HEAVY!r} & set(sys.modules)), file=sys.stderr)
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.startswith("Usage: colorcli")
    assert done.stderr.strip() == "[]"


def test_every_command_says_what_it_does():
    assert all(command.get_short_help_str() for command in colorcli.commands.values())


def test_the_version_is_that_of_the_distribution(capsys):
    assert main(["--version"]) == 0
    assert capsys.readouterr().out == f"colorcli {importlib.metadata.version('colorcli')}\n"


def test_an_error_is_one_line_and_a_hint_on_stderr(fails, capsys):
    assert main(fails(ColorcliError("The sky is green.", "Look up."))) == 1
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err == "error: The sky is green.\nhint: Look up.\n"


def test_an_error_without_a_hint_is_one_line(fails, capsys):
    assert main(fails(ColorcliError("The sky is green."))) == 1
    assert capsys.readouterr().err == "error: The sky is green.\n"


def test_the_exit_code_is_that_of_the_error(fails):
    assert main(fails(UsageError("No."))) == 2


@pytest.mark.parametrize("args", [["--nothing"], ["nothing"], ["models", "--nothing"], ["models", "nothing"]])
def test_a_wrong_command_line_exits_with_2_and_points_at_the_help(args, capsys):
    assert main(args) == 2
    captured = capsys.readouterr()
    assert captured.err.startswith("error: ")
    assert "--help` shows" in captured.err
    assert captured.out == ""


def test_without_a_command_the_help_is_shown(capsys):
    assert main([]) == 2
    assert "Commands:" in capsys.readouterr().err


def test_an_error_that_we_did_not_foresee_keeps_its_traceback(fails):
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


def test_what_a_command_returns_or_exits_with_is_the_exit_code(monkeypatch):
    @click.command()
    @click.pass_context
    def leave(ctx):
        ctx.exit(3)

    monkeypatch.setitem(colorcli.commands, "leave", leave)
    assert main(["leave"]) == 3


@pytest.mark.skipif(os.name == "nt", reason="needs a shell with pipes")
@pytest.mark.parametrize("command", ["models", "plugins"])
def test_a_reader_who_leaves_early_is_no_error(command):
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


def test_settings_come_from_the_file_that_is_named(tmp_path, capsys):
    file = tmp_path / "mine.toml"
    file.write_text("[plugins]\njson = true\n")
    assert main(["--settings", str(file), "plugins"]) == 0
    assert capsys.readouterr().out.startswith("[")


def test_a_wrong_setting_exits_with_2(tmp_path, capsys):
    file = tmp_path / "mine.toml"
    file.write_text("[plugin]\n")
    assert main(["--settings", str(file), "plugins"]) == 2
    assert capsys.readouterr().err == (
        f"error: {file}: there is no command 'plugin' to set.\nhint: Did you mean plugins?\n"
    )
