import click
import pytest

from colorcli.cli import main
from colorcli.errors import UsageError
from colorcli.settings import USERS_OWN, find_settings, is_users_own, read_settings


@click.group()
def commands():
    """A group in place of the command line."""


@commands.command()
@click.option("--model")
@click.option("--batch-size", type=click.IntRange(1, 64))
@click.option("--strength", type=float)
@click.option("--format", "output_format", type=click.Choice(["png", "jpeg"]))
@click.option("--overwrite", is_flag=True)
@click.option("-p", "--parameter", "parameters", multiple=True)
def run(**options):
    """A command."""
    return options


@pytest.fixture(autouse=True)
def nowhere(tmp_path, monkeypatch):
    """An empty current folder, and no settings of the user."""
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


def test_the_command_line_takes_precedence_over_settings(tmp_path):
    settings = read(tmp_path, '[run]\nmodel = "zhang"\nbatch_size = 8')
    options = run_with(settings, "--batch-size", "2")
    assert (options["model"], options["batch_size"]) == ("zhang", 2)


def test_the_current_folder_takes_precedence_over_the_users_settings(nowhere):
    assert read_settings(commands, find_settings()) == {}
    read(nowhere / "home" / "colorcli", '[run]\nmodel = "theirs"')
    assert read_settings(commands, find_settings()) == {"run": {"model": "theirs"}}
    read(nowhere / "here", '[run]\nmodel = "ours"')
    assert read_settings(commands, find_settings()) == {"run": {"model": "ours"}}


WRONG = {
    "an unknown section": ("[rnu]\nmodel = 'zhang'", "[rnu] is not a command. Did you mean run?"),
    "an unknown key": ("[run]\nbatchsize = 8", "run.batchsize is not an option. Did you mean batch-size?"),
    "a parameter's name": ("[run]\noutput_format = 'png'", "run.output_format is not an option. Did you mean format?"),
    "a key outside a section": ("model = 'zhang'", "[model] is not a command."),
    "a command without a section": ("run = 'zhang'", "run must be a section: write [run]"),
    "text for a number": ("[run]\nbatch-size = '8'", "run.batch-size must be an integer, got '8'"),
    "a number for text": ("[run]\nmodel = 8", "run.model must be text, got 8"),
    "a number for a flag": ("[run]\noverwrite = 1", "run.overwrite must be true or false, got 1"),
    "text for a list": ("[run]\nparameter = 'a=1'", "run.parameter must be a list, got 'a=1'"),
    "a number in a list of text": ("[run]\nparameter = ['a', 1]", "run.parameter[1] must be text, got 1"),
    "a value out of bounds": ("[run]\nbatch-size = 65", "run.batch-size: 65 is not in the range"),
    "an unknown choice": ("[run]\nformat = 'gif'", "run.format: 'gif' is not one of"),
}


@pytest.mark.parametrize(("text", "problem"), WRONG.values(), ids=WRONG)
def test_a_wrong_setting_is_an_error_that_names_the_file_and_the_key(tmp_path, text, problem):
    with pytest.raises(UsageError) as caught:
        read(tmp_path, text)
    first, line = caught.value.message.splitlines()
    assert first == f"Invalid settings in {tmp_path / 'colorcli.toml'}:"
    assert line.startswith(f"  {problem}")


def test_every_wrong_setting_has_a_line(tmp_path):
    with pytest.raises(UsageError) as caught:
        read(tmp_path, "[run]\nmodel = 8\nbatchsize = 8\noverwrite = 'yes'\n[rnu]\n")
    assert len(caught.value.message.splitlines()) == 5


@pytest.mark.parametrize("content", [b"[run", b"\xff\xfe", b"a = " + b"[" * 100_000], ids=["cut", "binary", "deep"])
def test_a_file_that_is_not_toml_is_an_error(tmp_path, content):
    (tmp_path / "colorcli.toml").write_bytes(content)
    with pytest.raises(UsageError, match=r"Cannot read .*colorcli\.toml"):
        read_settings(commands, tmp_path / "colorcli.toml")


UNTRUSTED = [
    "output = '/'",
    "overwrite = true",
    "report = 'a.html'",
    "accept-license = true",
    "accept_license = true",
    "sheet = 'x'",
    "host = '0.0.0.0'",
    "allow-host = ['evil.example']",
    "token = 'known-to-a-stranger'",
    "films = '/'",
    "on = 'ray://evil.example:6379'",
]


@commands.command()
@click.option("--output")
@click.option("--overwrite", is_flag=True)
@click.option("--report")
@click.option("--sheet")
@click.option("--accept-license", is_flag=True)
@click.option("--host")
@click.option("--allow-host", multiple=True)
@click.option("--token")
@click.option("--films")
@click.option("--on")
def paint(**options):
    """A command that writes."""


@pytest.mark.parametrize("setting", UNTRUSTED)
def test_the_current_folder_cannot_decide_what_is_written_or_accepted_or_which_computers_take_part(nowhere, setting):
    text = f"[paint]\n{setting}"
    here = nowhere / "here" / "colorcli.toml"
    here.write_text(text)
    with pytest.raises(UsageError, match=r"paint\.\S+ is not allowed in the current folder"):
        read_settings(commands, find_settings(), trusted=is_users_own(find_settings()))
    assert read_settings(commands, here, trusted=True)["paint"]  # --settings FILE


@pytest.mark.parametrize("setting", UNTRUSTED)
def test_the_users_own_settings_may_set_everything(nowhere, setting):
    read(nowhere / "home" / "colorcli", f"[paint]\n{setting}")
    assert is_users_own(find_settings())
    assert read_settings(commands, find_settings(), trusted=is_users_own(find_settings()))["paint"]


def test_a_command_says_which_settings_it_uses(nowhere, capsys):
    (nowhere / "here" / "colorcli.toml").write_text("[models]\njson = true\n")
    assert main(["models"]) == 0
    out, err = capsys.readouterr()
    assert out.startswith(("[", "{"))
    assert err == "note: using the defaults for models in colorcli.toml\n"
    assert main(["plugins"]) == 0
    assert "colorcli.toml" not in capsys.readouterr().err


def test_a_command_does_not_obey_a_strangers_folder(nowhere, capsys):
    (nowhere / "here" / "colorcli.toml").write_text("[run]\noverwrite = true\noutput = '..'\n")
    assert main(["run", "a.jpg"]) == 2
    error = capsys.readouterr().err
    assert "run.overwrite is not allowed in the current folder" in error
    assert "run.output is not allowed in the current folder" in error


def test_no_option_that_writes_a_file_is_open_to_a_strangers_folder():
    from colorcli.cli import colorcli

    writing = {
        flag.removeprefix("--")
        for command in colorcli.commands.values()
        for option in command.params
        if isinstance(option, click.Option) and isinstance(option.type, click.Path) and not option.type.exists
        for flag in option.opts
        if flag.startswith("--")
    }
    assert "into" in writing
    assert writing <= USERS_OWN


def test_many_problems_are_not_all_listed(nowhere):
    with pytest.raises(UsageError) as error:
        read(nowhere / "here", "".join(f"[a{number}]\n" for number in range(20_000)))
    assert len(str(error.value).splitlines()) == 22
    assert str(error.value).endswith("and more")
