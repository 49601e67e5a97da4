"""Everything that can go wrong for a user, in one tree.

    ColorcliError                 exit code 1
    ├── UsageError                2   the command line or settings file asks for something impossible
    │   ├── ColorizerNotFound     2   no plugin provides that name
    │   └── NotTrainable          2   the colorizer has no such recipe
    ├── PluginError               1   a plugin breaks its contract
    │   └── MissingDependency     1   a plugin needs a module that is not installed
    ├── WeightsError              1
    │   ├── WeightsNotFound       1   nowhere to be had from here
    │   ├── WeightsCorrupt        1   not the file that the manifest promises
    │   └── LicenseNotAccepted    1   they may not be used for everything, and nobody has agreed to that
    ├── MediaError                1
    │   ├── UnreadableMedia       1
    │   ├── UnwritableMedia       1
    │   └── FfmpegMissing         1
    ├── DataError                 1   training or evaluation data that cannot be used
    └── DeviceError               1   no such device, or it ran out of memory for good

Library code raises these and never prints or exits; `colorcli.cli.main` is the one door that turns them into
a line, a hint and an exit code. Anything else that escapes is a bug of ours and shows its traceback.
"""

from collections.abc import Iterable
from typing import ClassVar


class ColorcliError(Exception):
    """A problem that the user can understand: what happened, and what to do next.

    Args:
        message: one sentence that names the thing, what was found and what was expected.
        hint: the next step, as a sentence or a command; empty where there is none.
    """

    exit_code: ClassVar[int] = 1

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint

    def __str__(self) -> str:
        return f"{self.message} {self.hint}" if self.hint else self.message


class UsageError(ColorcliError):
    """The command line or the settings file asks for something impossible."""

    exit_code = 2


class ColorizerNotFound(UsageError):
    """No plugin provides a colorizer of that name."""


class NotTrainable(UsageError):
    """The colorizer has no such recipe."""


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
    """The weights are neither here nor to be had from where the manifest says."""


class WeightsCorrupt(WeightsError):
    """A weights file is not the one that its manifest promises, or does not fit the network."""


class LicenseNotAccepted(WeightsError):
    """The license of weights forbids commercial use, or there is none, and the user has not accepted that."""


class MediaError(ColorcliError):
    """A picture or film cannot be read or written."""


class UnreadableMedia(MediaError):
    """A file is no picture or film that we can read."""


class UnwritableMedia(MediaError):
    """An output cannot be written."""


class FfmpegMissing(MediaError):
    """No ffmpeg is to be found."""


class DataError(ColorcliError):
    """Training or evaluation data cannot be used."""


class DeviceError(ColorcliError):
    """A device is not there, or ran out of memory for good."""


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """Say what may have been meant: the nearest of the known names, or all of them where none is near."""
    from difflib import get_close_matches

    names = sorted(known)
    near = get_close_matches(word, names, n=3)
    if near:
        return f"Did you mean {' or '.join(near)}?"
    return f"There is {', '.join(names)}." if names else "There is none here."
