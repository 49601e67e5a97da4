"""colorcli.toml in, the defaults of the command line out.

    [run]
    model = "zhang"
    batch-size = 8

Sections are commands, keys are their long options, with `-` or `_`. What the command line says goes before it.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from colorcli.errors import UsageError, did_you_mean

FILE = "colorcli.toml"
_KINDS: dict[type[click.ParamType[Any]], tuple[type, ...]] = {
    click.types.BoolParamType: (bool,),
    click.types.IntParamType: (int,),
    click.types.FloatParamType: (int, float),
}
_WORDS = {(bool,): "true or false", (int,): "a whole number", (int, float): "a number", (str,): "text"}


def read_settings(commands: click.Group, path: Path | None = None) -> dict[str, Any]:
    """Read the settings file, checked against the commands, in the shape of click's `default_map`.

    Args:
        commands: the group whose commands and options may be named.
        path: the file; where None, colorcli.toml of the current folder, else of the user's configuration folder
            (`click.get_app_dir("colorcli")`), else none.

    Raises:
        UsageError: the file cannot be read, is not TOML, or has an unknown section or key or a value of the wrong
            type; the message names the file, the hint the nearest known name.
    """
    path = path or _find()
    if path is None:
        return {}
    import tomllib

    try:
        settings = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise UsageError(f"{path} cannot be read: {error}.") from error
    return {name: _section(path, commands, name, table) for name, table in settings.items()}


def _find() -> Path | None:
    candidates = (Path(FILE), Path(click.get_app_dir("colorcli"), FILE))
    return next((path for path in candidates if path.is_file()), None)


def _section(path: Path, commands: click.Group, name: str, table: object) -> dict[str, Any]:
    command = commands.commands.get(name)
    if command is None:
        raise UsageError(f"{path}: there is no command {name!r} to set.", did_you_mean(name, commands.commands))
    if not isinstance(table, dict):
        raise UsageError(f"{path}: {name} stands outside of a section.", f"Write [{name}], and its options below.")
    options = _options(command)
    section = {}
    for key, value in table.items():
        where = f"{path}, [{name}]"
        option = options.get(key.replace("_", "-"))
        if option is None:
            raise UsageError(f"{where}: there is no option {key!r}.", did_you_mean(key, options))
        section[str(option.name)] = _checked(where, key, value, option)
    return section


def _options(command: click.Command) -> dict[str, click.Option]:
    """By long name without the dashes."""
    return {
        flag.removeprefix("--"): param
        for param in command.params
        if isinstance(param, click.Option) and not param.is_eager
        for flag in param.opts
        if flag.startswith("--")
    }


def _checked(where: str, key: str, value: object, option: click.Option) -> object:
    if not option.multiple:
        return _checked_value(where, key, value, option)
    if not isinstance(value, list):
        raise UsageError(f"{where}: {key} is {value!r}, where a list was expected.")
    return [_checked_value(where, key, item, option) for item in value]


def _checked_value(where: str, key: str, value: object, option: click.Option) -> object:
    kinds = next((kinds for base, kinds in _KINDS.items() if isinstance(option.type, base)), (str,))
    if type(value) not in kinds:
        raise UsageError(f"{where}: {key} is {value!r}, where {_WORDS[kinds]} was expected.")
    try:
        option.type.convert(value, option, None)  # bounds and choices
    except click.BadParameter as error:
        raise UsageError(f"{where}: {key}: {error.message}") from error
    return value
