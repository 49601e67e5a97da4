"""Reading defaults for the command line from colorcli.toml.

    [run]
    model = "zhang"
    batch-size = 8

Sections are commands; keys are their long options, with `-` or `_`. The command line takes precedence.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from colorcli.documents import read_toml
from colorcli.errors import UsageError, did_you_mean

FILE = "colorcli.toml"
# Options that decide what is written where, who may reach this computer, or which computers it works with, or that
# agree to something for the user.
USERS_OWN = frozenset(
    {
        "output",
        "overwrite",
        "report",
        "sheet",
        "html",
        "into",
        "accept-license",
        "host",
        "allow-host",
        "token",
        "films",
        "on",
    }
)
_MAX_PROBLEMS = 20  # problems that a message lists
_KINDS: dict[type[click.ParamType[Any]], tuple[type, ...]] = {
    click.types.BoolParamType: (bool,),
    click.types.IntParamType: (int,),
    click.types.FloatParamType: (int, float),
}
_WORDS = {(bool,): "true or false", (int,): "an integer", (int, float): "a number", (str,): "text"}


def read_settings(commands: click.Group, path: Path | None, *, trusted: bool = True) -> dict[str, Any]:
    """Read the settings file, check it against the commands, and return it as click's `default_map`.

    Args:
        commands: the group of the commands that may be configured.
        path: the file; no settings if None.
        trusted: whether the user wrote or named the file. A file that lies in the current folder may come from
            whoever packed the folder, and must not have the keys in USERS_OWN.

    Raises:
        UsageError: the file cannot be read, is not valid TOML, or has unknown sections or keys, wrong values, or keys
            that are not allowed there; the message names the file and has a line for each of them.
    """
    if path is None:
        return {}
    try:
        settings = read_toml(path)
    except (OSError, ValueError) as error:
        raise UsageError(f"Cannot read {path}: {error}.") from error
    problems: list[str] = []
    defaults = {}
    for name, table in settings.items():
        if len(problems) < _MAX_PROBLEMS:  # each suggestion takes time, too
            defaults[name] = _section(commands, name, table, problems)
    if not trusted:
        problems += [
            f"{name}.{key} is not allowed in the current folder, only in {candidates()[1]} or with --settings"
            for name, section in settings.items()
            for key in (section if isinstance(section, dict) else ())
            if key.replace("_", "-") in USERS_OWN
        ]
    if problems:
        more = ["and more"] if len(problems) >= _MAX_PROBLEMS else []
        listed = "\n".join(f"  {problem}" for problem in (*problems[:_MAX_PROBLEMS], *more))
        raise UsageError(f"Invalid settings in {path}:\n{listed}")
    return defaults


def find_settings() -> Path | None:
    """Find the settings file: the first of the candidates that exists, or None."""
    return next((path for path in candidates() if path.is_file()), None)


def is_users_own(path: Path | None) -> bool:
    """Check whether a settings file is the one in the user's configuration folder."""
    own = candidates()[1]
    return path is not None and own.is_file() and path.resolve() == own.resolve()


def candidates() -> tuple[Path, Path]:
    """Return where the settings file may be: in the current folder, or else in the user's configuration folder."""
    return Path(FILE), Path(click.get_app_dir("colorcli"), FILE)


def _section(commands: click.Group, name: str, table: object, problems: list[str]) -> dict[str, Any]:
    """Return the defaults in a section, and add what is wrong with it to the problems."""
    command = commands.commands.get(name)
    if command is None:
        problems.append(f"[{name}] is not a command. {did_you_mean(name, commands.commands)}")
        return {}
    if not isinstance(table, dict):
        problems.append(f"{name} must be a section: write [{name}] and its options below")
        return {}
    options = _options(command)
    section = {}
    for key, value in table.items():
        if len(problems) >= _MAX_PROBLEMS:
            break
        option = options.get(key.replace("_", "-"))
        if option is None:
            problems.append(f"{name}.{key} is not an option. {did_you_mean(key, options)}")
        else:
            section[str(option.name)] = value
            problems += _value_problems(f"{name}.{key}", value, option)
    return section


def _options(command: click.Command) -> dict[str, click.Option]:
    """Return the options of a command by their long names, without the dashes."""
    return {
        flag.removeprefix("--"): param
        for param in command.params
        if isinstance(param, click.Option) and not param.is_eager
        for flag in param.opts
        if flag.startswith("--")
    }


def _value_problems(key: str, value: object, option: click.Option) -> list[str]:
    if not option.multiple:
        return _item_problems(key, value, option)
    if not isinstance(value, list):
        return [f"{key} must be a list, got {value!r}"]
    return [problem for index, item in enumerate(value) for problem in _item_problems(f"{key}[{index}]", item, option)]


def _item_problems(key: str, value: object, option: click.Option) -> list[str]:
    kinds = next((kinds for base, kinds in _KINDS.items() if isinstance(option.type, base)), (str,))
    if type(value) not in kinds:
        return [f"{key} must be {_WORDS[kinds]}, got {value!r}"]
    try:
        option.type.convert(value, option, None)  # bounds and choices
    except click.BadParameter as error:
        return [f"{key}: {error.message.rstrip('.')}"]
    return []
