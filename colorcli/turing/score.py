"""The score of a Turing test as Markdown and JSON, always with its protocol."""

from __future__ import annotations

import json
import math
from collections import defaultdict
from dataclasses import dataclass
from itertools import combinations
from typing import TYPE_CHECKING, Any

from colorcli.evaluation.markdown import bullets, table
from colorcli.turing.design import REAL
from colorcli.turing.figures import Share, association, difference, holm, interval_by_person

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from colorcli.errors import DataError
    from colorcli.turing.answers import Key, Result
    from colorcli.turing.figures import ChiSquare

_DEFINITIONS = (
    "Fooling rate: the share of a model's pictures that were taken for real. Some papers report the share of wrong "
    "answers to all pictures instead.",
    "95 %: Wilson's score interval, which treats all answers as independent. By person: bootstrap over people, which "
    "accounts for the correlation between one person's answers. If the latter is much wider, trust it; then every p "
    "here is too small.",
    "χ²: 1 degree of freedom, no continuity correction. Against 50 %: whether people guess, which also depends on how "
    "readily they answer real. Against real: whether colorized pictures are taken for real less often than real ones "
    "(Pearson, 2x2 table).",
)


@dataclass(frozen=True)
class Tally:
    """Answers to one kind of picture: the share taken for real, by all people and by each person."""

    all: Share
    persons: Sequence[Share]

    @property
    def by_person(self) -> tuple[float, float] | None:
        """The 95 % interval of the share from resampling people; None for fewer than two people."""
        return interval_by_person(self.persons)


@dataclass(frozen=True)
class Score:
    """The score of a test.

    Attributes:
        key: key of the test.
        participants: number of people whose answers count.
        real: answers to real photographs.
        models: answers to the pictures of each model, by its name.
        problems: an error for each file that was skipped.
    """

    key: Key
    participants: int
    real: Tally
    models: Mapping[str, Tally]
    problems: Sequence[DataError]

    @property
    def colored(self) -> Share:
        """Answers to all colorized pictures."""
        return Share(sum(each.all.hits for each in self.models.values()), self._count_of_colored)

    @property
    def _count_of_colored(self) -> int:
        return sum(each.all.count for each in self.models.values())

    @property
    def wrong(self) -> Share:
        """Wrong answers to all pictures, real and colorized."""
        real = self.real.all
        return Share(real.count - real.hits + self.colored.hits, real.count + self.colored.count)

    def comparisons(self) -> list[dict[str, Any]]:
        """Compare the fooling rates of each pair of models: difference, interval, chi-square, p, and Holm's p."""
        rows: list[dict[str, Any]] = []
        for one, other in combinations(self.models, 2):
            shares = self.models[one].all, self.models[other].all
            test = association(*shares)
            if all(share.count for share in shares):
                delta, low, high = difference(*shares)
                rows.append({"models": [one, other], "difference": delta, "interval": [low, high], **_tested(test)})
        tested = [row for row in rows if row["p"] is not None]
        for row, p in zip(tested, holm([row["p"] for row in tested]), strict=True):
            row["p_holm"] = p
        return rows

    def markdown(self, command: str) -> str:
        """Write the tables, their definitions and the protocol.

        Args:
            command: the command that makes this report.
        """
        parts = [self._contingency(), self._by_model(), *([self._comparisons()] if len(self.models) > 1 else [])]
        return "\n\n".join([*parts, bullets(self._protocol(command))])

    def _contingency(self) -> str:
        wrong = self.wrong
        rows = [
            ["real", *_cells(self.real.all)],
            *([name, *_cells(tally.all)] for name, tally in self.models.items()),
            *([["all colored", *_cells(self.colored)]] if len(self.models) > 1 else []),
        ]
        counts = table(["", "taken for real", "taken for colored", "answers"], rows)
        return f"{counts}\n\nWrong answers: {wrong.hits} of {wrong.count}, {_percent(wrong.rate)}."

    def _by_model(self) -> str:
        heading = ["", "fooling rate", "95 %", "95 % by person", "χ² against 50 %", "p", "χ² against real", "p"]
        rows = []
        for name, tally in self.models.items():
            against_half, against_real = tally.all.against_half, association(tally.all, self.real.all)
            rate = [_percent(tally.all.rate), _between(tally.all.interval), _between(tally.by_person)]
            rows.append([name, *rate, *_figures(against_half), *_figures(against_real)])
        return table(heading, rows)

    def _comparisons(self) -> str:
        rows = []
        for row in self.comparisons():
            delta = f"{100 * row['difference']:+.1f}"
            figures = [_number(row["chi_square"]), _p_value(row["p"]), _p_value(row.get("p_holm"))]
            rows.append([" minus ".join(row["models"]), delta, _between(tuple(row["interval"])), *figures])
        return table(["", "difference", "95 %", "χ²", "p", "p (Holm)"], rows)

    def _protocol(self, command: str) -> list[str]:
        key = self.key
        timing = f"shown for {key.seconds:g} s" if key.seconds else "shown until answered"
        scenes = len({picture.scene for picture in key.pictures.values()})
        counts = (
            f"{_counted(self.participants, 'participant')}, {_counted(self.wrong.count, 'answer')}"
            + (f", {_counted(len(self.problems), 'file')} skipped" if self.problems else "")
            + f"; test {key.test}: {scenes} scenes of {key.data}, at most {key.max_side} pixels a side, {timing}, one "
            "picture at a time, each scene once per person, real or colorized"
        )
        few = self._too_few()
        return [
            counts,
            *([f"Too few answers for a reliable p (below 5 expected in a cell): {', '.join(few)}"] if few else []),
            *(f"{name}: {made}" for name, made in key.models.items()),
            key.made_by,
            f"`{key.command}`",
            f"`{command}`",
            *_DEFINITIONS,
        ]

    def _too_few(self) -> list[str]:
        tests = {
            name: [tally.all.against_half, association(tally.all, self.real.all)]
            for name, tally in self.models.items()
        }
        return [name for name, each in tests.items() if any(test is None or not test.enough for test in each)]

    def json(self, command: str) -> str:
        """Write everything as JSON: shares and intervals in 0..1; what cannot be computed is null."""
        models = {
            name: {
                **_shared(tally),
                "against_half": _tested(tally.all.against_half),
                "against_real": _tested(association(tally.all, self.real.all)),
            }
            for name, tally in self.models.items()
        }
        score = {
            "test": self.key.test,
            "participants": self.participants,
            "answers": self.wrong.count,
            "wrong": {"count": self.wrong.hits, "rate": _finite(self.wrong.rate)},
            "real": _shared(self.real),
            "models": models,
            "comparisons": self.comparisons(),
            "skipped": [error.message for error in self.problems],
            "seconds": self.key.seconds,
            "data": self.key.data,
            "made_with": dict(self.key.models),
            "made_by": self.key.made_by,
            "made_with_command": self.key.command,
            "command": command,
        }
        return json.dumps(score, ensure_ascii=False, indent=2)


def score(key: Key, results: Sequence[Result], problems: Sequence[DataError]) -> Score:
    """Count the answers of all participants for real pictures and for each model."""
    persons: dict[str, list[Share]] = defaultdict(list)
    for result in results:
        taken: dict[str, list[bool]] = defaultdict(list)
        for picture, real in result.answers.items():
            taken[key.pictures[picture].version].append(real)
        for version, each in taken.items():
            persons[version].append(Share(sum(each), len(each)))
    tallies = {version: _tally(persons[version]) for version in (REAL, *key.models)}
    return Score(key, len(results), tallies.pop(REAL), tallies, problems)


def _tally(persons: Sequence[Share]) -> Tally:
    return Tally(Share(sum(each.hits for each in persons), sum(each.count for each in persons)), persons)


# Figures in JSON and in Markdown


def _shared(tally: Tally) -> dict[str, Any]:
    by_person = tally.by_person
    return {
        "taken_for_real": tally.all.hits,
        "answers": tally.all.count,
        "rate": _finite(tally.all.rate),
        "interval": list(tally.all.interval),
        "interval_by_person": None if by_person is None else list(by_person),
    }


def _tested(test: ChiSquare | None) -> dict[str, Any]:
    if test is None:
        return {"chi_square": None, "p": None, "enough": False}
    return {"chi_square": test.value, "p": test.p, "enough": test.enough}


def _finite(value: float) -> float | None:
    return value if math.isfinite(value) else None


def _counted(count: int, what: str) -> str:
    return f"{count} {what}{'' if count == 1 else 's'}"


def _cells(share: Share) -> list[str]:
    return [str(share.hits), str(share.count - share.hits), str(share.count)]


def _figures(test: ChiSquare | None) -> list[str]:
    return ["", ""] if test is None else [_number(test.value), _p_value(test.p)]


def _number(value: float | None) -> str:
    return "" if value is None else f"{value:.2f}"


def _p_value(p: float | None) -> str:
    if p is None:
        return ""
    return "< 0.0001" if p < 0.0001 else f"{p:.4f}"


def _percent(rate: float) -> str:
    return f"{100 * rate:.1f} %" if math.isfinite(rate) else ""


def _between(interval: Sequence[float] | None) -> str:
    return "" if interval is None else f"{100 * interval[0]:.1f} to {100 * interval[1]:.1f}"
