"""Commands that also have subcommands, whose names take the place of the first argument."""

from __future__ import annotations

from typing import Any

import click


class CommandWithSubcommands(click.Command):
    """A command that does something by itself, and has subcommands: `train COLORIZER ...` and `train report ...`.

    Attributes:
        commands: the subcommands by name.
    """

    def __init__(self, *arguments: Any, **settings: Any) -> None:
        super().__init__(*arguments, **settings)
        self.commands: dict[str, click.Command] = {}

    def subcommand(self, command: click.Command) -> click.Command:
        """Add a subcommand; a decorator above `click.command`."""
        self.commands[str(command.name)] = command
        return command

    def make_context(
        self, info_name: str | None, args: list[str], parent: click.Context | None = None, **extra: Any
    ) -> click.Context:
        """Parse the arguments of the command, or of the subcommand that they start with."""
        if args and args[0] in self.commands:
            return self.commands[args[0]].make_context(f"{info_name} {args[0]}", args[1:], parent, **extra)
        return super().make_context(info_name, args, parent, **extra)
