"""The shots of a film as a table that people edit (CSV), and as an edit decision list (CMX 3600)."""

from __future__ import annotations

import csv
import io
import math
import re
from dataclasses import dataclass
from fractions import Fraction
from typing import TYPE_CHECKING

from colorcli.errors import UsageError
from colorcli.files import replacing, shown

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

COLUMNS = ("start", "end", "model", "strength", "reference")
MAX_SHOTS = 100_000
_MAX_BYTES = 1 << 24
_TIME = re.compile(r"(?:(?:(\d{1,4}):)?(\d{1,6}):)?(\d{1,9}(?:\.\d{1,9})?)")


@dataclass(frozen=True)
class Shot:
    """One row of the table.

    Attributes:
        start: where the shot begins, in seconds.
        end: where it ends.
        model: what colors it, such as "zhang" or "zhang.starter"; empty for the model of the run.
        strength: its amount of color, 0..1; None for that of the run.
        references: the file names of its stills.
    """

    start: Fraction
    end: Fraction
    model: str = ""
    strength: float | None = None
    references: tuple[str, ...] = ()


def clock_time(time: Fraction) -> str:
    """Write a time as 0:01:02.480, rounded up to milliseconds, so that the frame that begins then is on screen."""
    milliseconds = math.ceil(time * 1000)
    minutes, rest = divmod(milliseconds, 60_000)
    return f"{minutes // 60}:{minutes % 60:02}:{rest / 1000:06.3f}"


def write_shots(path: Path, shots: Sequence[Shot]) -> None:
    """Write the table.

    Raises:
        OSError: the file cannot be written.
    """
    text = io.StringIO(newline="")
    table = csv.writer(text)
    table.writerow(COLUMNS)
    for each in shots:
        strength = "" if each.strength is None else f"{each.strength:g}"
        table.writerow(
            [
                *(clock_time(each.start), clock_time(each.end), each.model, strength),
                ";".join(each.references),
            ]
        )
    with replacing(path) as temporary:
        temporary.write_text(text.getvalue(), encoding="utf-8", newline="")


def read_shots(path: Path) -> tuple[Shot, ...]:
    """Read the table, also as spreadsheets save it: with semicolons, a byte order mark, or its columns in any order.

    Raises:
        UsageError: the file cannot be read, or a row is wrong.
    """
    try:
        with path.open("rb") as file:
            whole = file.read(_MAX_BYTES + 1)
        text = whole.decode("utf-8-sig")
    except (OSError, ValueError) as error:
        raise UsageError(
            f"{shown(path)}: {getattr(error, 'strerror', None) or 'not a text file in UTF-8'}.",
            "Write such a file with colorcli film shots.",
        ) from error
    if len(whole) > _MAX_BYTES:
        raise UsageError(f"{shown(path)}: larger than {_MAX_BYTES >> 20} MB.", "Shorten it.")
    header = text.partition("\n")[0].lower()
    rows = csv.DictReader(io.StringIO(text.replace("\0", "")), delimiter=max(",;\t", key=header.count))
    names = {name.strip().lower(): name for name in rows.fieldnames or () if name}
    if not {"start", "end"} <= names.keys():
        raise UsageError(
            f"{shown(path)}: the first line must name the columns {', '.join(COLUMNS)}, got {header.strip()[:80]!r}.",
            "Write such a file with colorcli film shots.",
        )
    shots: list[Shot] = []
    try:
        for row in rows:
            cells = {key: str(row[name] or "").strip() for key, name in names.items()}
            if any(cells.values()):
                shots.append(_shot(cells, shots[-1] if shots else None, f"{shown(path)}, line {rows.line_num}"))
            if len(shots) > MAX_SHOTS:
                raise UsageError(f"{shown(path)}: more than {MAX_SHOTS} shots.", "Shorten it.")
    except csv.Error as error:
        raise UsageError(f"{shown(path)}, line {rows.line_num}: {error}.", "Correct that line.") from error
    if not shots:
        raise UsageError(f"{shown(path)}: it contains no shots.", "Write such a file with colorcli film shots.")
    return tuple(shots)


def _shot(cells: dict[str, str], before: Shot | None, where: str) -> Shot:
    start, end = (_time(cells[name], f"{where}: {name}") for name in ("start", "end"))
    if end <= start:
        raise UsageError(f"{where}: end must be after start, got {cells['start']} and {cells['end']}.", "Correct it.")
    if before is not None and start < before.end - Fraction(1, 1000):
        raise UsageError(f"{where}: the shot begins before the one above it ends.", "Correct its start.")
    strength = cells.get("strength", "").replace(",", ".")
    try:
        amount = float(strength) if strength else None
    except ValueError:
        amount = math.nan
    if amount is not None and not 0 <= amount <= 1:
        raise UsageError(f"{where}: strength must be between 0 and 1, got {strength!r}.", "Correct it.")
    named = (each.strip() for each in cells.get("reference", "").split(";"))
    return Shot(start, end, cells.get("model", ""), amount, tuple(each for each in named if each))


def _time(text: str, where: str) -> Fraction:
    try:
        return parse_time(text.replace(",", "."))
    except ValueError as error:
        raise UsageError(f"{where} {error}", "Correct it.") from None


def parse_time(text: str) -> Fraction:
    """Parse seconds, or hours, minutes and seconds: 90, 1:30, 1:02:03.5.

    Raises:
        ValueError: it is not a time; the message continues a sentence.
    """
    found = _TIME.fullmatch(text)
    if found is None:
        raise ValueError(f"must be a time such as 90, 1:30 or 1:02:03.5, got {text[:80]!r}.")
    hours, minutes, seconds = (Fraction(each or 0) for each in found.groups())
    return 3600 * hours + 60 * minutes + seconds


def write_edl(path: Path, shots: Sequence[Shot], frame_rate: Fraction, clip: str) -> None:
    """Write the shots as an edit decision list, with the timecodes of a film that begins at 00:00:00:00.

    Args:
        path: the file.
        shots: shots in order.
        frame_rate: frame rate of the film; timecodes count frames without dropping numbers.
        clip: the name of the film.

    Raises:
        OSError: the file cannot be written.
    """
    lines = [f"TITLE: {clip}", "FCM: NON-DROP FRAME", ""]
    for number, each in enumerate(shots, 1):
        span = f"{_timecode(each.start, frame_rate)} {_timecode(each.end, frame_rate)}"
        lines += [f"{number:03}  AX       V     C        {span} {span}", f"* FROM CLIP NAME: {clip}"]
        lines += [f"* COMMENT: {name}" for name in each.references]
    with replacing(path) as temporary:
        temporary.write_text("\n".join(lines) + "\n", encoding="utf-8")


def _timecode(time: Fraction, frame_rate: Fraction) -> str:
    second = round(frame_rate)
    seconds, frames = divmod(round(time * frame_rate), second)
    return f"{seconds // 3600:02}:{seconds // 60 % 60:02}:{seconds % 60:02}:{frames:02}"
