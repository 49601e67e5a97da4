"""The survey page, and the key to its answers.

Only its colors distinguish a real picture from a colorized one: both are scaled and encoded alike, carry no metadata,
have the same length in bytes, and random names. Only the key says which is which.
"""

from __future__ import annotations

import base64
import hashlib
import io
import json
import random
from dataclasses import dataclass
from typing import TYPE_CHECKING

from colorcli.files import replacing
from colorcli.pages import asset, open_page, render
from colorcli.pages.sheet import as_image, fit
from colorcli.turing.answers import KEY_FORMAT, RESULT_FORMAT
from colorcli.turing.design import REAL, default_practice, design

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from pathlib import Path

    from PIL import Image

    from colorcli.pages.sheet import PictureVersions
    from colorcli.turing.design import Design

TITLE = "Real or colored?"
DEFAULT_MAX_SIDE = 512

_QUALITY = 90
_DIGITS = 12  # length of random names


@dataclass(frozen=True)
class Survey:
    """A test: its pictures, and which of them each group of participants sees.

    Attributes:
        test: its name, a hash of its content.
        pictures: JPEG files by picture name.
        versions: (scene, version) by picture name, without the practice.
        practice: the names of the practice pictures of each group.
        solutions: "real" or "colored" for each practice picture.
        groups: the names of the test pictures of each group.
        gray: scenes that were skipped because their photograph has no color.
    """

    test: str
    pictures: Mapping[str, bytes]
    versions: Mapping[str, tuple[str, str]]
    practice: Sequence[Sequence[str]]
    solutions: Mapping[str, str]
    groups: Sequence[Sequence[str]]
    gray: Sequence[str]


def make_survey(
    rows: Iterable[PictureVersions],
    models: Sequence[str],
    *,
    practice: int | None,
    seed: int,
    max_side: int = DEFAULT_MAX_SIDE,
) -> Survey:
    """Encode pictures, and assign them to groups of participants.

    Args:
        rows: rows from `colorcli.pages.versions.versions`.
        models: the names of the colorized versions.
        practice: number of practice scenes; None for a fifth of all scenes, at most 10.
        seed: determines the practice scenes, who sees which version, and the order.
        max_side: longest side in pixels; larger pictures are scaled down.

    Raises:
        DataError: there are too few photographs in color.
    """
    gray: list[str] = []
    encoded: dict[tuple[str, str], bytes] = {}
    for row in rows:
        if not row.versions.keys() >= set(models):  # one of them failed, which is reported
            continue
        if "original" not in row.versions:
            gray.append(row.name)
            continue
        shown = {REAL: row.versions["original"], **{model: row.versions[model] for model in models}}
        jpegs = {version: _encode(as_image(image), max_side) for version, image in shown.items()}
        longest = max(map(len, jpegs.values()))
        for version, jpeg in jpegs.items():
            encoded[row.name, version] = _pad(jpeg, longest, f"{seed} {row.name} {version}")
    scenes = sorted({scene for scene, _ in encoded})
    count = default_practice(len(scenes)) if practice is None else practice
    return _anonymize(encoded, design(scenes, models, practice=count, seed=seed), seed, gray)


def _anonymize(encoded: Mapping[tuple[str, str], bytes], dealt: Design, seed: int, gray: Sequence[str]) -> Survey:
    """Assign random names to all pictures."""
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


def _encode(image: Image.Image, max_side: int) -> bytes:
    stream = io.BytesIO()
    fit(image.convert("RGB"), max_side).save(stream, "JPEG", quality=_QUALITY)
    return stream.getvalue()


def _pad(jpeg: bytes, length: int, seed: str) -> bytes:
    """Pad a file to a length: decoders ignore everything after the end of a JPEG."""
    return jpeg + random.Random(seed).randbytes(length - len(jpeg))  # noqa: S311 - nothing secret


def write_survey(survey: Survey, page: Path, key: Path, *, seconds: float, facts: Mapping[str, object]) -> None:
    """Write the page for participants, and the key for scoring their answers.

    Args:
        survey: the test.
        page: the HTML file.
        key: the JSON file.
        seconds: how long each picture is shown; 0 until it is answered.
        facts: how the test was made; the remaining fields of `Key`.

    Raises:
        UnwritableMedia: a file cannot be written.
    """
    pictures = {name: {"scene": scene, "version": version} for name, (scene, version) in survey.versions.items()}
    table = {"format": KEY_FORMAT, "test": survey.test, "seconds": seconds, **facts, "pictures": pictures}
    with replacing(key) as temporary:
        temporary.write_text(json.dumps(table, ensure_ascii=False, indent=1) + "\n", encoding="utf-8")
    with open_page(page, TITLE, style=asset("turing.css"), script=asset("turing.js")) as file:
        file.write(_body(survey, seconds))


def _body(survey: Survey, seconds: float) -> str:
    timing = f"each for {seconds:g} second{'' if seconds == 1 else 's'}" if seconds else "each until you have answered"
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
    values = {"count": practice + count, "timing": timing, "practice": practice, "survey": data}
    return render("turing.html", values)
