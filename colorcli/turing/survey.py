"""The page that asks, and the key to its answers.

Nothing but its colors tells a real picture from a colored one: both are scaled and encoded alike, carry no metadata,
are of the same length, and have names that mean nothing. Which is which is in the key alone.
"""

from __future__ import annotations

import base64
import hashlib
import io
import json
import random
from dataclasses import dataclass
from string import Template
from typing import TYPE_CHECKING

from PIL import Image

from colorcli.files import replacing
from colorcli.pages import asset, open_page
from colorcli.pages.sheet import as_image
from colorcli.turing.answers import KEY_FORMAT, RESULT_FORMAT
from colorcli.turing.design import REAL, default_practice, design

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from pathlib import Path

    from colorcli.pages.sheet import Row
    from colorcli.turing.design import Design

TITLE = "Real or colored?"
DEFAULT_SECONDS = 1.0  # as in Zhang 2016
DEFAULT_MAX_SIDE = 512

_QUALITY = 90
_DIGITS = 12  # of names that mean nothing
_HINT = "Check the disk and its permissions, or choose another folder."


@dataclass(frozen=True)
class Survey:
    """A test: its pictures, and what each group of participants sees of them.

    Attributes:
        test: what it is called, a digest of all that is in it.
        pictures: name to JPEG.
        versions: name to (scene, version), for all but the practice.
        practice: for each group the names of the pictures of the practice.
        solutions: what the pictures of the practice are: real or colored.
        groups: for each group the names of the pictures of the test.
        gray: scenes that were left out because their photograph has no color.
    """

    test: str
    pictures: Mapping[str, bytes]
    versions: Mapping[str, tuple[str, str]]
    practice: Sequence[Sequence[str]]
    solutions: Mapping[str, str]
    groups: Sequence[Sequence[str]]
    gray: Sequence[str]


def make_survey(
    rows: Iterable[Row], models: Sequence[str], *, practice: int | None, seed: int, max_side: int = DEFAULT_MAX_SIDE
) -> Survey:
    """Encode pictures, and deal them to groups of participants.

    Args:
        rows: of `colorcli.pages.versions.versions`.
        models: the names of the versions that are colored.
        practice: how many scenes are for practice; None for a fifth, at most 10.
        seed: decides which, who sees what, and in which order.
        max_side: larger pictures are scaled down to it.

    Raises:
        DataError: there are too few photographs in color.
    """
    gray: list[str] = []
    encoded: dict[tuple[str, str], bytes] = {}
    for row in rows:
        if "original" not in row.versions:
            gray.append(row.name)
            continue
        shown = {REAL: row.versions["original"], **{model: row.versions[model] for model in models}}
        jpegs = {version: _encoded(as_image(image), max_side) for version, image in shown.items()}
        longest = max(map(len, jpegs.values()))
        for version, jpeg in jpegs.items():
            encoded[row.name, version] = _lengthened(jpeg, longest, f"{seed} {row.name} {version}")
    scenes = sorted({scene for scene, _ in encoded})
    count = default_practice(len(scenes)) if practice is None else practice
    dealt = design(scenes, models, practice=count, seed=seed)
    return _named(encoded, dealt, seed, gray)


def _named(encoded: Mapping[tuple[str, str], bytes], dealt: Design, seed: int, gray: Sequence[str]) -> Survey:
    """Give everything names that mean nothing."""
    names = {
        pair: hashlib.sha256(f"{seed} {pair}".encode() + jpeg).hexdigest()[:_DIGITS] for pair, jpeg in encoded.items()
    }
    for_practice = {pair for group in dealt.practice for pair in group}
    groups = [[names[pair] for pair in group] for group in dealt.groups]
    return Survey(
        test=hashlib.sha256(json.dumps([seed, groups]).encode()).hexdigest()[:_DIGITS],
        pictures={name: encoded[pair] for pair, name in sorted(names.items(), key=lambda item: item[1])},
        versions={name: pair for pair, name in names.items() if pair not in for_practice},
        practice=[[names[pair] for pair in group] for group in dealt.practice],
        solutions={names[scene, version]: REAL if version == REAL else "colored" for scene, version in for_practice},
        groups=groups,
        gray=gray,
    )


def _encoded(image: Image.Image, max_side: int) -> bytes:
    scale = min(1.0, max_side / max(image.size))
    size = (max(1, round(image.width * scale)), max(1, round(image.height * scale)))
    stream = io.BytesIO()
    image.convert("RGB").resize(size, Image.Resampling.LANCZOS).save(stream, "JPEG", quality=_QUALITY)
    return stream.getvalue()


def _lengthened(jpeg: bytes, length: int, seed: str) -> bytes:
    """Make a file as long as another: what follows the end of a JPEG is of no meaning to any decoder."""
    return jpeg + random.Random(seed).randbytes(length - len(jpeg))  # noqa: S311 - nothing secret


def write_survey(survey: Survey, page: Path, key: Path, *, seconds: float, facts: Mapping[str, object]) -> None:
    """Write the page for participants and the key for whoever scores their results.

    Args:
        survey: the test.
        page: the HTML file.
        key: the JSON file.
        seconds: how long each picture is shown; 0 for until it is answered.
        facts: what the key tells of how the test was made, as `Key` has it.

    Raises:
        UnwritableMedia: the disk refuses.
    """
    pictures = {name: {"scene": scene, "version": version} for name, (scene, version) in survey.versions.items()}
    told = {"format": KEY_FORMAT, "test": survey.test, "seconds": seconds, **facts, "pictures": pictures}
    with replacing(key, _HINT) as temporary:
        temporary.write_text(json.dumps(told, ensure_ascii=False, indent=1) + "\n", encoding="utf-8")
    with open_page(page, TITLE, style=asset("turing.css"), script=asset("turing.js")) as file:
        file.write(_body(survey, seconds))


def _body(survey: Survey, seconds: float) -> str:
    shown = f"each for {seconds:g} second{'' if seconds == 1 else 's'}" if seconds else "each until you have answered"
    practice = len(survey.practice[0])
    count = len(survey.groups[0])
    data = {
        "format": RESULT_FORMAT,
        "test": survey.test,
        "seconds": seconds,
        "practice": survey.practice,
        "solutions": survey.solutions,
        "groups": survey.groups,
        "pictures": {name: base64.b64encode(jpeg).decode("ascii") for name, jpeg in survey.pictures.items()},
    }
    return Template(asset("turing.html")).substitute(
        count=practice + count,
        shown=shown,
        practice=f" For practice, you are told after the first {practice} whether you were right." if practice else "",
        survey=json.dumps(data),
    )
