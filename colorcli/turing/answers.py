"""Read what comes back: the key of a test, and the result files of participants, which may be damaged or misplaced."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import msgspec
from msgspec import Meta

from colorcli.documents import read_json
from colorcli.errors import DataError
from colorcli.media import shown
from colorcli.turing.design import REAL
from colorcli.validation import find_problems

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

KEY_FORMAT = "colorcli turing key 1"
RESULT_FORMAT = "colorcli turing result 1"
_ANSWERS = (REAL, "colored")


class ShownPicture(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A picture of a test: a scene, and which version of it."""

    scene: str
    version: str


class Key(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What the pictures of a test show, and how it was made: the key file.

    Attributes:
        format: `KEY_FORMAT`.
        test: name of the test.
        seconds: how long each picture was shown; 0 until it was answered.
        models: a description of the model behind each colorized version.
        max_side: longest side of a picture, in pixels.
        data: name of the set of photographs.
        made_by: versions of the packages.
        command: the command that made the test.
        pictures: pictures by name.
    """

    format: str
    test: str
    seconds: Annotated[float, Meta(ge=0, description="a number of seconds from 0")]
    models: dict[str, str]
    max_side: Annotated[int, Meta(ge=1, description="a positive integer")]
    data: str
    made_by: str
    command: str
    pictures: dict[str, ShownPicture]


@dataclass(frozen=True)
class Result:
    """The answers of one participant: for each picture by name, whether it was taken for real."""

    participant: str
    answers: Mapping[str, bool]


def read_key(path: Path) -> Key:
    """Read a key that `write_survey` wrote.

    Raises:
        DataError: the file cannot be read or is not a key; every wrong field is named.
    """
    table = _read(path)
    if table.get("format", KEY_FORMAT) != KEY_FORMAT:
        raise DataError(
            f"{shown(path)} is not the key of a Turing test.", "The key of PAGE.html is beside it: PAGE.key.json."
        )
    if problems := find_problems(table, Key, ""):
        raise DataError("\n".join([f"{shown(path)} is not a valid key:", *problems]))
    return msgspec.convert(table, Key)


def find_key(results: Iterable[Path]) -> Path:
    """Find the key in the folders of the results, in their parent folders, or in the current folder.

    Raises:
        DataError: no key or several keys were found.
    """
    folders = {folder for result in results for folder in (result.parent, result.parent.parent)} | {Path()}
    found = sorted({path.resolve() for folder in folders for path in folder.glob("*.key.json")})
    if len(found) != 1:
        several = f"Found {len(found)} keys near the results: {', '.join(map(shown, found))}."
        raise DataError(
            several if found else "No *.key.json found near the results.", "Pass the page's key with --key."
        )
    return found[0]


def find_results(paths: Iterable[Path]) -> list[Path]:
    """List result files: the given files, and *.json (except keys) and *.txt in the given folders.

    Raises:
        DataError: no file was found.
    """
    found: list[Path] = []
    for path in paths:
        inside = sorted(path.iterdir()) if path.is_dir() else [path]
        found += [each for each in inside if each == path or each.suffix in {".json", ".txt"}]
    found = [each for each in found if not each.name.endswith(".key.json")]
    if not found:
        raise DataError("No results found.", "Pass the files that participants sent back.")
    return list(dict.fromkeys(found))


def read_results(paths: Iterable[Path], key: Key) -> tuple[list[Result], list[DataError]]:
    """Read result files, and return the results and an error for each file that is skipped.

    If a participant sent two files, the first counts.
    """
    results: dict[str, tuple[Result, Path]] = {}
    problems: list[DataError] = []
    for path in paths:
        try:
            result = read_result(path, key)
            if result.participant in results:
                earlier, where = results[result.participant]
                same = "with the same answers" if earlier.answers == result.answers else "with other answers"
                raise DataError(
                    f"{shown(path)}: participant {result.participant!r} is already in {shown(where)}, {same}."
                )
            results[result.participant] = result, path
        except DataError as error:
            problems.append(error)
    return [result for result, _ in results.values()], problems


def read_result(path: Path, key: Key) -> Result:
    """Read the result file of a participant.

    Raises:
        DataError: the file cannot be read, is damaged, or belongs to another test.
    """
    table = _read(path)
    name = shown(path)
    if table.get("format") != RESULT_FORMAT:
        raise DataError(f"{name} is not the result of a Turing test.")
    if table.get("test") != key.test:
        raise DataError(f"{name} belongs to the test {table.get('test')}, but the key belongs to {key.test}.")
    participant, given = table.get("participant"), table.get("answers")
    if not isinstance(participant, str) or not participant or not isinstance(given, list) or not given:
        raise DataError(f"{name}: the participant or the answers are missing.")
    answers: dict[str, bool] = {}
    scenes: set[str] = set()
    for number, each in enumerate(given, 1):
        picture, answer = (each.get("picture"), each.get("answer")) if isinstance(each, dict) else (None, None)
        if not isinstance(picture, str) or picture not in key.pictures or answer not in _ANSWERS:
            expected = "a picture of this test and one of real, colored"
            raise DataError(f"{name}: answer {number} must have {expected}, got {json.dumps(each)}.")
        scene = key.pictures[picture].scene
        if scene in scenes:
            raise DataError(f"{name}: answer {number} is for a scene that was already answered.")
        scenes.add(scene)
        answers[picture] = answer == REAL
    return Result(participant, answers)


def _read(path: Path) -> dict[str, Any]:
    try:
        table = read_json(path)
    except OSError as error:
        raise DataError(f"{shown(path)} cannot be read: {error.strerror or error}.") from None
    except ValueError as error:
        raise DataError(f"{shown(path)} is not valid JSON: {error}.") from None
    if not isinstance(table, dict):
        raise DataError(f"{shown(path)} must contain a JSON object.")
    return table
