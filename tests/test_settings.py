import click
import pytest

from colorcli.errors import UsageError
from colorcli.settings import read_settings


@click.group()
def commands():
    """Stand for the command line."""


@commands.command()
@click.option("--model")
@click.option("--batch-size", type=click.IntRange(1, 64))
@click.option("--strength", type=float)
@click.option("--format", "output_format", type=click.Choice(["png", "jpeg"]))
@click.option("--overwrite", is_flag=True)
@click.option("-p", "--parameter", "parameters", multiple=True)
def run(**options):
    """Stand for a command."""
    return options


@pytest.fixture(autouse=True)
def nowhere(tmp_path, monkeypatch):
    """An empty current folder, and no settings of the user's own."""
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    monkeypatch.setattr(click, "get_app_dir", lambda name: str(tmp_path / "home" / name))
    return tmp_path


def read(folder, text):
    file = folder / "colorcli.toml"
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text, encoding="utf-8")
    return read_settings(commands, file)


def run_with(default_map, *args):
    return commands.main(["run", *args], default_map=default_map, standalone_mode=False)


def test_settings_become_the_defaults_of_the_command(tmp_path):
    settings = read(
        tmp_path,
        """
        [run]
        model = "zhang"
        batch-size = 8
        strength = 1
        format = "png"
        overwrite = true
        parameter = ["temperature=0.2", "hue=1"]
        """,
    )
    assert run_with(settings) == {
        "model": "zhang",
        "batch_size": 8,
        "strength": 1.0,
        "output_format": "png",
        "overwrite": True,
        "parameters": ("temperature=0.2", "hue=1"),
    }


def test_the_command_line_goes_before_the_settings(tmp_path):
    settings = read(tmp_path, '[run]\nmodel = "zhang"\nbatch_size = 8')
    options = run_with(settings, "--batch-size", "2")
    assert (options["model"], options["batch_size"]) == ("zhang", 2)


def test_the_current_folder_goes_before_the_users_own(nowhere):
    assert read_settings(commands) == {}
    read(nowhere / "home" / "colorcli", '[run]\nmodel = "theirs"')
    assert read_settings(commands) == {"run": {"model": "theirs"}}
    read(nowhere / "here", '[run]\nmodel = "ours"')
    assert read_settings(commands) == {"run": {"model": "ours"}}


WRONG = {
    "an unknown section": ("[rnu]\nmodel = 'zhang'", "there is no command 'rnu'", "Did you mean run?"),
    "an unknown key": ("[run]\nbatchsize = 8", r"\[run\]: there is no option 'batchsize'", "batch-size"),
    "the name inside of an option": ("[run]\noutput_format = 'png'", "no option 'output_format'", "format"),
    "a key outside of a section": ("model = 'zhang'", "there is no command 'model'", ""),
    "a command without a section": ("run = 'zhang'", "run stands outside of a section", r"[run]"),
    "text for a number": ("[run]\nbatch-size = '8'", "batch-size is '8', where a whole number was expected", ""),
    "a number for text": ("[run]\nmodel = 8", "model is 8, where text was expected", ""),
    "a number for a truth": ("[run]\noverwrite = 1", "overwrite is 1, where true or false was expected", ""),
    "one for a list": ("[run]\nparameter = 'a=1'", "parameter is 'a=1', where a list was expected", ""),
    "a number in a list of text": ("[run]\nparameter = [1]", "parameter is 1, where text was expected", ""),
    "out of bounds": ("[run]\nbatch-size = 65", "batch-size: 65 is not in the range", ""),
    "none of the choices": ("[run]\nformat = 'gif'", "format: 'gif' is not one of", ""),
    "no TOML": ("[run", "cannot be read", ""),
}


@pytest.mark.parametrize(("text", "message", "hint"), WRONG.values(), ids=WRONG)
def test_a_wrong_setting_is_an_error_that_names_the_file_and_what_was_meant(tmp_path, text, message, hint):
    with pytest.raises(UsageError, match=message) as caught:
        read(tmp_path, text)
    assert str(tmp_path / "colorcli.toml") in caught.value.message
    assert hint in caught.value.hint


def test_a_file_that_is_not_text_is_an_error(tmp_path):
    (tmp_path / "colorcli.toml").write_bytes(b"\xff\xfe")
    with pytest.raises(UsageError, match="cannot be read"):
        read_settings(commands, tmp_path / "colorcli.toml")
