"""A hint: the color that a place of a picture has. Imports nothing heavy."""

from __future__ import annotations

import re
from dataclasses import dataclass
from fractions import Fraction
from typing import TYPE_CHECKING

from colorcli.errors import UsageError

if TYPE_CHECKING:
    from typing import TypeAlias

RGB: TypeAlias = "tuple[int, int, int]"
DEFAULT_RADIUS = 0.01

_NUMBER = r"\d+(?:\.\d+)?"
_LENGTH = rf"{_NUMBER}%?"
_TIME = r"(?:\d+:){0,2}\d+(?:\.\d+)?"
_HINT = re.compile(
    rf"\s*(?P<x>{_LENGTH})\s*,\s*(?P<y>{_LENGTH})\s*(?:@(?P<time>{_TIME}))?\s*=\s*(?P<color>[^@]+?)\s*(?:@(?P<radius>{_LENGTH}))?\s*"
)
_EXAMPLE = "Write X,Y=COLOR in pixels or percent, such as 120,340=#b03020 or 30%,45%=navy@2%."


@dataclass(frozen=True)
class Hint:
    """The color of a disc in a picture.

    Attributes:
        x: horizontal position of its center, as a fraction of the upright picture's width, 0..1 from the left.
        y: vertical position of its center, as a fraction of the height, 0..1 from the top.
        rgb: sRGB, 0..255 each. Only its hue and chroma count: the lightness is the picture's own.
        radius: radius as a fraction of the longer side, 0..1; the place at the center is always included.

    Raises:
        UsageError: a value is out of bounds.
    """

    x: float
    y: float
    rgb: RGB
    radius: float = DEFAULT_RADIUS

    @classmethod
    def parse(cls, text: str, size: tuple[int, int]) -> Hint:
        """Read a hint as it is written on the command line: `120,340=#b03020` or `30%,45%=navy@2%`.

        Args:
            text: the hint.
            size: width and height of the upright picture, in pixels.

        Raises:
            UsageError: the text is something else, or the place is outside the picture.
        """
        return WrittenHint.parse(text).placed(*size)

    def __post_init__(self) -> None:
        for name, value in (("x", self.x), ("y", self.y), ("radius", self.radius)):
            if not 0 <= value <= 1:
                raise UsageError(f"The {name} of a hint must be between 0 and 1, got {value:g}.")
        if len(self.rgb) != 3 or not all(isinstance(each, int) and 0 <= each <= 255 for each in self.rgb):
            raise UsageError(f"The color of a hint must be three integers from 0 to 255, got {self.rgb!r}.")

    def __str__(self) -> str:
        radius = "" if self.radius == DEFAULT_RADIUS else f"@{self.radius * 100:.6g}%"
        return f"{self.x * 100:.6g}%,{self.y * 100:.6g}%={hex_color(self.rgb)}{radius}"


def hex_color(rgb: RGB) -> str:
    """Write a color as `#b03020`."""
    return "#{:02x}{:02x}{:02x}".format(*rgb)


@dataclass(frozen=True)
class Length:
    """A position or a length as people write it: `120` pixels, or `30%`."""

    value: float
    percent: bool

    @classmethod
    def parse(cls, text: str) -> Length:
        """Read `120` or `30%`.

        Raises:
            ValueError: the text is neither.
        """
        if not re.fullmatch(_LENGTH, text):
            raise ValueError(text)
        return cls(float(text.removesuffix("%")), text.endswith("%"))

    def position(self, side: int) -> float:
        """Return a position as a fraction of a side; pixels are counted from 0, and their centers are meant."""
        return self.value / 100 if self.percent else (self.value + 0.5) / side

    def share(self, side: int) -> float:
        """Return a length as a fraction of a side."""
        return self.value / 100 if self.percent else self.value / side

    def __str__(self) -> str:
        return f"{self.value:.8g}{'%' if self.percent else ''}"


@dataclass(frozen=True)
class WrittenHint:
    """A hint as people write it, before the size of its picture is known: in pixels or percent.

    Attributes:
        x: horizontal position of its center, from the left.
        y: vertical position of its center, from the top.
        rgb: sRGB, 0..255 each.
        radius: None for the default; percent are of the longer side.
        seconds: time in the film, in seconds; None for a hint for a picture.
        drawn_on: width and height of the picture that it was drawn on, whose proportions are then required.
    """

    x: Length
    y: Length
    rgb: RGB
    radius: Length | None = None
    seconds: Fraction | None = None
    drawn_on: tuple[int, int] | None = None

    @classmethod
    def parse(cls, text: str) -> WrittenHint:
        """Read `120,340=#b03020`, `30%,45%=navy@2%`, or for a film `120,340@0:12=#b03020`.

        Raises:
            UsageError: the text is something else.
        """
        found = _HINT.fullmatch(text)
        if not found:
            raise UsageError(f"A hint must be X,Y=COLOR, got {text!r}.", _EXAMPLE)
        radius, time = found["radius"], found["time"]
        return cls(
            Length.parse(found["x"]),
            Length.parse(found["y"]),
            parse_color(found["color"]),
            Length.parse(radius) if radius else None,
            parse_time(time) if time else None,
        )

    def placed(self, width: int, height: int) -> Hint:
        """Place the hint in a picture of a size.

        Raises:
            UsageError: it is outside the picture, or was drawn on one of other proportions.
        """
        if self.drawn_on and not _have_same_proportions(self.drawn_on, (width, height)):
            drawn = " x ".join(map(str, self.drawn_on))
            raise UsageError(
                f"The strokes were painted on {drawn} pixels, but the picture has {width} x {height}.",
                "Paint them on a transparent layer of the picture's own size.",
            )
        x, y = self.x.position(width), self.y.position(height)
        if x > 1 or y > 1:
            raise UsageError(
                f"The hint {self.x},{self.y} is outside the picture, which is {width} x {height} pixels.",
                "Pixels are counted from 0 at the top left of the upright picture.",
            )
        radius = DEFAULT_RADIUS if self.radius is None else self.radius.share(max(width, height))
        return Hint(x, y, self.rgb, min(radius, 1.0))

    def __str__(self) -> str:
        time = "" if self.seconds is None else f"@{float(self.seconds):.12g}"
        radius = "" if self.radius is None else f"@{self.radius}"
        return f"{self.x},{self.y}{time}={hex_color(self.rgb)}{radius}"


def parse_color(text: str) -> RGB:
    """Read a color as in CSS: `#b03020`, `#b32`, `rgb(176, 48, 32)` or a name such as `navy`.

    Raises:
        UsageError: the text is something else.
    """
    from PIL import ImageColor

    try:
        red, green, blue, *alpha = ImageColor.getrgb(text.strip())
    except ValueError:
        alpha = [0]
    if alpha and alpha != [255]:
        raise UsageError(f"A color must be like #b03020, or a name such as navy, got {text!r}.")
    return red, green, blue


def parse_time(text: str) -> Fraction:
    """Read a time: `12`, `0:12.5` or `1:02:03`, in seconds.

    Raises:
        UsageError: the text is something else.
    """
    if not re.fullmatch(_TIME, text):
        raise UsageError(f"A time must be seconds, M:SS or H:MM:SS, got {text!r}.")
    seconds = Fraction(0)
    for part in text.split(":"):
        seconds = seconds * 60 + Fraction(part)
    return seconds


def _have_same_proportions(size: tuple[int, int], other: tuple[int, int]) -> bool:
    """Return whether one size is the other scaled, up to rounding to whole pixels."""
    (width, height), (other_width, other_height) = size, other
    return abs(width * other_height - height * other_width) <= max(*size, *other)
