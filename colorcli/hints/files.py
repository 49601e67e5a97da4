"""Files of hints: JSON and CSV with a row for each hint, and pictures of strokes; the hints of a run."""

from __future__ import annotations

import csv
import io
from collections import defaultdict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Annotated, Any, TypeAlias

import msgspec
from msgspec import Meta

from colorcli.documents import parse_json, read_text
from colorcli.errors import UsageError, did_you_mean
from colorcli.files import shown
from colorcli.hints.hint import Length, WrittenHint, parse_color, parse_time
from colorcli.validation import find_problems

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from pathlib import Path

    from colorcli.hints.hint import Hint

_MAX_BYTES = 16 * 2**20  # bytes
_MAX_PROBLEMS = 10  # problems that a message lists

_Length: TypeAlias = Annotated[
    Annotated[str, Meta(pattern=r"^\d+(\.\d+)?%?\Z", max_length=30)]
    | Annotated[int, Meta(ge=0, le=10**9)]
    | Annotated[float, Meta(ge=0, le=10**9)],
    Meta(description="pixels such as 120, or percent such as 30%"),
]


class _Row(msgspec.Struct):
    """A hint in a file."""

    x: _Length
    y: _Length
    color: str
    radius: _Length | None = None
    picture: str = ""
    time: str | int | float = ""


@dataclass(frozen=True)
class HintSet:
    """The hints of a run.

    Attributes:
        rows: hints by the name of their picture, as in the hint file; "" for hints without one.
    """

    rows: Mapping[str, tuple[WrittenHint, ...]] = field(default_factory=dict)

    def __bool__(self) -> bool:
        return any(self.rows.values())

    def of(self, picture: str) -> tuple[WrittenHint, ...]:
        """Return the hints for a picture.

        Args:
            picture: its path within its input folder, with slashes, or its name.
        """
        name = picture.rpartition("/")[2]
        return tuple(hint for key in dict.fromkeys(("", name, picture)) for hint in self.rows.get(key, ()))

    def check(self, pictures: Sequence[str]) -> None:
        """Check that every hint is for one of the pictures.

        Raises:
            UsageError: a picture that was named is not among them, or there are several for hints without a name.
        """
        if self.rows.get("") and len(pictures) > 1:
            raise UsageError(
                f"Hints without a picture's name are for a single picture, but there are {len(pictures)}.",
                "Name the picture of each hint in the column `picture` of a --hints file.",
            )
        known = {*pictures, *(picture.rpartition("/")[2] for picture in pictures)}
        for name in self.rows:
            if name and name not in known:
                raise UsageError(
                    f"Hints refer to {shown(name)}, which is not among the inputs.", did_you_mean(name, known)
                )


def gather(hints: Sequence[WrittenHint], files: Sequence[Path]) -> HintSet:
    """Gather the hints of a command line and of files.

    Raises:
        UsageError: a file cannot be read.
        UnreadableMedia: a picture of strokes cannot be read.
    """
    rows = defaultdict(list, {"": list(hints)})
    for path in files:
        for picture, found in read_hints(path).items():
            rows[picture] += found
    return HintSet({picture: tuple(found) for picture, found in rows.items()})


def read_hints(path: Path) -> dict[str, list[WrittenHint]]:
    """Read a file of hints.

    Args:
        path: JSON with a list of hints, CSV with a row for each, or a picture that is transparent except for strokes.

    Returns:
        The hints by the name of their picture, "" for those without one.

    Raises:
        UsageError: the file was not found, or is not one of these; the message has a line for each wrong field.
        UnreadableMedia: a picture of strokes cannot be read.
    """
    suffix = path.suffix.lower()
    if suffix not in {".json", ".csv"}:
        from colorcli.hints.strokes import read_strokes

        discs, size = read_strokes(path)
        return {"": [_written(disc, size) for disc in discs]}
    try:
        text = read_text(path, _MAX_BYTES)
        table = parse_json(text) if suffix == ".json" else list(_csv_rows(text))
    except OSError as error:
        raise UsageError(f"{shown(path)}: {error.strerror or error}.") from error
    except ValueError as error:
        raise UsageError(f"{shown(path)} is not a valid {suffix[1:].upper()} file: {error}.") from error
    return _parsed(path, table)


def _csv_rows(text: str) -> Iterable[dict[str, str]]:
    """Read rows without their empty fields; the separator is a comma or a semicolon."""
    header = text.partition("\n")[0]
    separator = ";" if ";" in header and "," not in header else ","
    try:
        for row in csv.DictReader(io.StringIO(text), delimiter=separator, strict=True):
            if None in row:
                raise ValueError(f"a row has more fields than the header: {len(row) - 1 + len(row[None])}")
            yield {key.strip(): value.strip() for key, value in row.items() if value and value.strip()}
    except csv.Error as error:
        raise ValueError(str(error)) from error


def _parsed(path: Path, table: Any) -> dict[str, list[WrittenHint]]:
    """Check rows, and sort their hints by picture."""
    if not isinstance(table, list):
        raise UsageError(f"{shown(path)} must be a list of hints, each with x, y and color.")
    problems = [
        problem for number, row in enumerate(table, 1) for problem in find_problems(row, _Row, f"hint {number}")
    ]
    found: dict[str, list[WrittenHint]] = defaultdict(list)
    for number, row in enumerate(table, 1) if not problems else ():
        try:
            found[row.get("picture", "")].append(_hint(msgspec.convert(row, _Row)))
        except UsageError as error:
            problems.append(f"hint {number}: {error}")
    if problems:
        shown_problems = problems[:_MAX_PROBLEMS]
        more = len(problems) - len(shown_problems)
        shown_problems += [f"and {more} more"] if more else []
        raise UsageError(f"Invalid hints in {shown(path)}:\n" + "\n".join(f"  {each}" for each in shown_problems))
    return dict(found)


def _hint(row: _Row) -> WrittenHint:
    return WrittenHint(
        _length(row.x),
        _length(row.y),
        parse_color(row.color),
        None if row.radius is None else _length(row.radius),
        None if row.time == "" else parse_time(str(row.time)),
    )


def _length(value: str | float) -> Length:
    return Length.parse(value) if isinstance(value, str) else Length(float(value), percent=False)


def _written(disc: Hint, size: tuple[int, int]) -> WrittenHint:
    """Write a placed hint in percent, so that it fits a picture of any size and these proportions."""
    x, y, radius = (Length(share * 100, percent=True) for share in (disc.x, disc.y, disc.radius))
    return WrittenHint(x, y, disc.rgb, radius, drawn_on=size)
