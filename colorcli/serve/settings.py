"""How to color a picture, as requests specify it in JSON."""

from __future__ import annotations

from typing import Annotated, TypeVar

import msgspec

from colorcli.errors import UsageError
from colorcli.validation import find_problems

Settings = TypeVar("Settings", bound=msgspec.Struct)

MAX_SETTINGS_BYTES = 256 * 1024  # bytes of JSON; a thousand hints need 30 KiB


class ModelSettings(msgspec.Struct, frozen=True, kw_only=True):
    """What photographs and films have in common.

    Attributes:
        model: COLORIZER or COLORIZER.TAG; empty for the server's default.
        strength: factor for the chroma, 0..1.
        options: options of the colorizer, by name, as `-p` sets them.
    """

    model: Annotated[str, msgspec.Meta(max_length=200, description="the name of a model")] = ""
    strength: Annotated[float, msgspec.Meta(ge=0, le=1, description="a number from 0 to 1")] = 1.0
    options: dict[str, bool | int | float | str] = {}


class ColoringSettings(ModelSettings, frozen=True, kw_only=True):
    """What `colorcli run` has options for.

    Attributes:
        seed: seed of a sampled coloring, as `--samples 1 --seed N` draws it; None for the usual one.
        recolor: recolor a picture that is already in color; otherwise it is returned as it is.
        hints: colors of places, as `--hint` takes them: `30%,45%=#b03020`.
        format: format of the file, such as `png`; None for that of the picture.
    """

    seed: Annotated[int, msgspec.Meta(ge=0, le=2**32 - 1)] | None = None
    recolor: bool = False
    hints: Annotated[list[str], msgspec.Meta(max_length=1000, description="a list of up to 1,000 texts")] = []
    format: Annotated[str, msgspec.Meta(max_length=20)] | None = None


class PlaceSettings(ColoringSettings, frozen=True, kw_only=True):
    """Settings, and a place in the upright picture.

    Attributes:
        x: horizontal position, 0..1 from the left.
        y: vertical position, 0..1 from the top.
    """

    x: Annotated[float, msgspec.Meta(ge=0, le=1, description="a number from 0 to 1")]
    y: Annotated[float, msgspec.Meta(ge=0, le=1, description="a number from 0 to 1")]


class Moment(msgspec.Struct, frozen=True, kw_only=True):
    """A time in a film.

    Attributes:
        time: time in the film, in seconds.
    """

    time: Annotated[float, msgspec.Meta(ge=0, le=10**6, description="seconds")]


class ReferenceSettings(ColoringSettings, frozen=True, kw_only=True):
    """How a frame is colored that is kept as a reference of its shot.

    Attributes:
        time: time of the frame, in seconds.
    """

    time: Annotated[float, msgspec.Meta(ge=0, le=10**6, description="seconds")]


class FilmRunSettings(ModelSettings, frozen=True, kw_only=True):
    """How to color a film.

    Attributes:
        overwrite: replace an existing output.
    """

    overwrite: bool = False


def parse_settings(content: bytes | str, kind: type[Settings]) -> Settings:
    """Read settings from JSON.

    Args:
        content: a JSON object; empty for the defaults.
        kind: the settings that are expected.

    Raises:
        UsageError: it is not valid JSON, or a field is unknown or has a wrong value; every one of them is named.
    """
    if len(content) > MAX_SETTINGS_BYTES:
        raise UsageError(f"The settings must have at most {MAX_SETTINGS_BYTES:,} bytes, got {len(content):,}.")
    try:
        table = msgspec.json.decode(content or b"{}")
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError) as error:
        raise UsageError(f"The settings are not valid JSON: {error}.") from None
    if problems := find_problems(table, kind, "settings"):
        raise UsageError(f"{'; '.join(problems)}.")
    return msgspec.convert(table, kind)
