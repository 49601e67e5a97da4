"""Options that belong together, given to a command as one typed object."""

from __future__ import annotations

import functools
from dataclasses import fields
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    Command = TypeVar("Command", bound=Callable[..., object])


def option_group(
    parameter: str, group: type[Any], options: Sequence[Callable[[Any], Any]]
) -> Callable[[Command], Callable[..., object]]:
    """Add options to a command, and pass their values to it as one object.

    Args:
        parameter: the name of the command's parameter that gets the object.
        group: a dataclass that has a field for each option, of the option's name; further fields keep their defaults.
        options: decorators made by `click.option`, in the order of `--help`.
    """
    names = [field.name for field in fields(group)]

    def decorate(command: Command) -> Callable[..., object]:
        @functools.wraps(command)
        def grouped(*args: object, **values: object) -> object:
            chosen = group(**{name: values.pop(name) for name in names if name in values})
            return command(*args, **values, **{parameter: chosen})

        return functools.reduce(lambda decorated, option: option(decorated), reversed(options), grouped)

    return decorate
