"""What comes back: the key of a test, and the result files of participants, to which anything may have happened."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from colorcli.errors import DataError
from colorcli.media import shown
from colorcli.turing.design import REAL

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

KEY_FORMAT = "colorcli turing key 1"
RESULT_FORMAT = "colorcli turing result 1"
_ANSWERS = (REAL, "colored")


@dataclass(frozen=True)
class Key:
    """What the pictures of a test are, and how it was made.

    Attributes:
        test: what the test is called.
        versions: a picture's name to its (scene, version).
        models: the name of each colored version to what it was made with.
        seconds: how long each picture was shown; 0 for until it was answered.
        max_side: the most pixels that a side of a picture has.
        data: the name of the set of photographs.
        made_by: versions of the packages.
        command: the one that made the test.
    """

    test: str
    versions: Mapping[str, tuple[str, str]]
    models: Mapping[str, str]
    seconds: float
    max_side: int
    data: str
    made_by: str
    command: str


@dataclass(frozen=True)
class Result:
    """The answers of one participant: a picture's name to whether it was taken for real."""

    participant: str
    answers: Mapping[str, bool]


def read_key(path: Path) -> Key:
    """Read a key that `write_survey` wrote.

    Raises:
        DataError: it cannot be read, or is none.
    """
    told = _read(path)
    try:
        if told["format"] != KEY_FORMAT:
            raise DataError(f"{shown(path)}: this is no key of a Turing test.", "The page's is beside it, *.key.json.")
        return Key(
            test=str(told["test"]),
            versions={name: (str(each["scene"]), str(each["version"])) for name, each in told["pictures"].items()},
            models={str(name): str(made) for name, made in told["models"].items()},
            seconds=float(told["seconds"]),
            max_side=int(told["max_side"]),
            data=str(told["data"]),
            made_by=str(told["made_by"]),
            command=str(told["command"]),
        )
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise DataError(f"{shown(path)}: this key is damaged ({type(error).__name__}: {error}).") from None


def find_key(results: Iterable[Path]) -> Path:
    """Find the key that lies in the folder of the results, or in the one above, or in this one.

    Raises:
        DataError: there is none, or there are several.
    """
    from pathlib import Path

    folders = {folder for result in results for folder in (result.parent, result.parent.parent)} | {Path()}
    found = sorted({path.resolve() for folder in folders for path in folder.glob("*.key.json")})
    if len(found) != 1:
        several = f"There are {len(found)} keys near the results: {', '.join(map(shown, found))}."
        raise DataError(
            several if found else "There is no *.key.json near the results.", "Say with --key which is the page's."
        )
    return found[0]


def find_results(paths: Iterable[Path]) -> list[Path]:
    """Give the files, and those in the folders, that may be results: *.json but keys, and texts that were pasted.

    Raises:
        DataError: there are none.
    """
    found: list[Path] = []
    for path in paths:
        inside = sorted(path.iterdir()) if path.is_dir() else [path]
        found += [each for each in inside if each == path or each.suffix in {".json", ".txt"}]
    found = [each for each in found if not each.name.endswith(".key.json")]
    if not found:
        raise DataError("There are no results here.", "Give the files that participants sent.")
    return list(dict.fromkeys(found))


def read_results(paths: Iterable[Path], key: Key) -> tuple[list[Result], list[DataError]]:
    """Read result files; what is wrong with those that cannot count is given back beside them.

    Of two files of one participant the first counts.
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
                    f"{shown(path)}: participant {result.participant!r} is in {shown(where)} already, {same}."
                )
            results[result.participant] = result, path
        except DataError as error:
            problems.append(error)
    return [result for result, _ in results.values()], problems


def read_result(path: Path, key: Key) -> Result:
    """Read the result file of a participant.

    Raises:
        DataError: it cannot be read, is damaged, or belongs to another test.
    """
    told = _read(path)
    name = shown(path)
    if told.get("format") != RESULT_FORMAT:
        raise DataError(f"{name}: this is no result of a Turing test.")
    if told.get("test") != key.test:
        raise DataError(f"{name}: this is of the test {told.get('test')}, and the key is of the test {key.test}.")
    participant, given = told.get("participant"), told.get("answers")
    if not isinstance(participant, str) or not participant or not isinstance(given, list) or not given:
        raise DataError(f"{name}: the participant or the answers are missing.")
    answers: dict[str, bool] = {}
    scenes: set[str] = set()
    for number, each in enumerate(given, 1):
        picture, answer = (each.get("picture"), each.get("answer")) if isinstance(each, dict) else (None, None)
        if not isinstance(picture, str) or picture not in key.versions or answer not in _ANSWERS:
            raise DataError(f"{name}: answer {number} is {json.dumps(each)}, which is none to a picture of this test.")
        scene, _ = key.versions[picture]
        if scene in scenes:
            raise DataError(f"{name}: answer {number} is to a scene that was answered before.")
        scenes.add(scene)
        answers[picture] = answer == REAL
    return Result(participant, answers)


def _read(path: Path) -> dict[str, Any]:
    try:
        told = json.loads(path.read_text(encoding="utf-8-sig"))
    except OSError as error:
        raise DataError(f"{shown(path)}: it cannot be read ({error.strerror or error}).") from None
    except ValueError as error:
        raise DataError(f"{shown(path)}: this is no JSON, or a part of it only ({error}).") from None
    if not isinstance(told, dict):
        raise DataError(f"{shown(path)}: this is no JSON object.")
    return told
