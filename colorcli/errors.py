"""The errors that users see, in one tree.

    ColorcliError                 exit code 1
    ├── UsageError                2   the command line or the settings file is wrong
    │   ├── ColorizerNotFound     2   no plugin provides the colorizer
    │   └── NotTrainable          2   the colorizer does not have the recipe
    ├── PluginError               1   a plugin breaks its contract
    │   └── MissingDependency     1   a plugin needs a module that is not installed
    ├── WeightsError              1
    │   ├── WeightsNotFound       1   the weights are not available
    │   ├── WeightsCorrupt        1   the file is damaged, or is not the one in the manifest
    │   └── LicenseNotAccepted    1   the license is restricted and has not been accepted
    ├── MediaError                1
    │   ├── UnreadableMedia       1
    │   ├── UnwritableMedia       1
    │   │   └── OutputExists      1   another file, or an output of other settings, is in the place of an output
    │   └── FfmpegMissing         1
    ├── DataError                 1   training or evaluation data cannot be used
    ├── DeviceError               1   a device is not available, or ran out of memory
    └── ClusterError              1   a cluster cannot be reached, or its workers end again and again

Library code raises these and never prints or exits; `colorcli.cli.main` turns them into a line, a hint and an exit
code. Any other exception is a bug in colorcli and shows its traceback.
"""

from collections.abc import Iterable
from typing import ClassVar


class ColorcliError(Exception):
    """A problem that the user can solve: what happened, and what to do next.

    Args:
        message: a sentence that names the thing, what was expected and what was found.
        hint: the next step, as a sentence or a command; empty if none.
    """

    exit_code: ClassVar[int] = 1

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint

    def __str__(self) -> str:
        return f"{self.message} {self.hint}" if self.hint else self.message


class UsageError(ColorcliError):
    """The command line or the settings file is wrong."""

    exit_code = 2


class ColorizerNotFound(UsageError):
    """No plugin provides a colorizer of this name."""


class NotTrainable(UsageError):
    """The colorizer does not have the recipe."""


class PluginError(ColorcliError):
    """A plugin breaks its contract: it does not import, a method raises, or a name or field is not allowed."""


class MissingDependency(PluginError):
    """A plugin needs a module that is not installed.

    Colorcli raises it for every ModuleNotFoundError in a plugin. A plugin raises it itself to give its own hint:
    `raise MissingDependency("sunset needs spandrel.", "pip install 'colorcli-sunset[spandrel]'")`.
    """


class WeightsError(ColorcliError):
    """Weights cannot be used."""


class WeightsNotFound(WeightsError):
    """The weights are neither on this machine nor available from the place in the manifest."""


class WeightsCorrupt(WeightsError):
    """A weights file is damaged, is not the one in its manifest, or does not fit the network."""


class LicenseNotAccepted(WeightsError):
    """The license of the weights is missing or restricts their use, and the user has not accepted it."""


class MediaError(ColorcliError):
    """A picture or film cannot be read or written."""


class UnreadableMedia(MediaError):
    """A file is not a picture or film that colorcli can read."""


class UnwritableMedia(MediaError):
    """An output cannot be written."""


class OutputExists(UnwritableMedia):
    """The place of an output is taken by another file, or by an output made with other settings."""


class FfmpegMissing(MediaError):
    """ffmpeg was not found."""


class DataError(ColorcliError):
    """Training or evaluation data cannot be used."""


class DeviceError(ColorcliError):
    """A device is not available, or ran out of memory."""


class ClusterError(ColorcliError):
    """A cluster cannot be reached, or its workers end again and again."""


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """Suggest the closest of the known names, or list all of them if none is close."""
    from difflib import get_close_matches

    names = sorted(known)
    near = get_close_matches(word, names, n=3)
    if near:
        return f"Did you mean {' or '.join(near)}?"
    return f"Available: {', '.join(names)}." if names else "None are available."
