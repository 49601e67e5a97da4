"""What the answers of all participants come to, as Markdown and JSON, never without how they came about."""

from __future__ import annotations

import json
import math
from collections import defaultdict
from dataclasses import dataclass
from itertools import combinations
from typing import TYPE_CHECKING, Any

from colorcli.turing.design import REAL
from colorcli.turing.figures import Share, association, difference, holm, interval_by_person

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from colorcli.errors import DataError
    from colorcli.turing.answers import Key, Result
    from colorcli.turing.figures import ChiSquare

_DEFINITIONS = (
    "Fooling rate: of the pictures that a model colored, the share that was taken for real. Some papers print the "
    "share of wrong answers to all pictures instead.",
    "95 %: Wilson's score interval, as if all answers were independent; by person: bootstrap, people drawn with "
    "replacement, which knows that answers of one person resemble each other. Where the second is much wider, so is "
    "what is known, and every p here is too small.",
    "Chi-squares have 1 degree of freedom and no correction for continuity. Against 50 %: as if people guessed, which "
    "also depends on how readily they say real; against real: whether colored pictures are taken for real less often "
    "than real ones, Pearson's of the 2x2 table.",
)


@dataclass(frozen=True)
class Tally:
    """Answers to the pictures of one kind: how many were taken for real, by everybody and by each person."""

    all: Share
    persons: Sequence[Share]

    @property
    def by_person(self) -> tuple[float, float] | None:
        """The 95 % interval of the share, people being drawn; None for fewer than two people."""
        return interval_by_person(self.persons)


@dataclass(frozen=True)
class Report:
    """A test that was scored.

    Attributes:
        key: of the test.
        participants: how many people's answers count.
        real: answers to real photographs.
        models: answers to what each model colored, by its name.
        problems: files that were left out, and why.
    """

    key: Key
    participants: int
    real: Tally
    models: Mapping[str, Tally]
    problems: Sequence[DataError]

    @property
    def colored(self) -> Share:
        """Answers to all colored pictures."""
        return Share(sum(each.all.hits for each in self.models.values()), self._count_of_colored)

    @property
    def _count_of_colored(self) -> int:
        return sum(each.all.count for each in self.models.values())

    @property
    def wrong(self) -> Share:
        """Wrong answers to all pictures, real and colored."""
        real = self.real.all
        return Share(real.count - real.hits + self.colored.hits, real.count + self.colored.count)

    def comparisons(self) -> list[dict[str, Any]]:
        """Compare the fooling rates of every two models: difference, its interval, chi-square, p, and Holm's p."""
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
        """Write the tables, what they mean and how they came about.

        Args:
            command: the one that makes this report.
        """
        parts = [self._contingency(), self._by_model(), *([self._compared()] if len(self.models) > 1 else [])]
        return "\n\n".join([*parts, "\n".join(f"- {line}" for line in self._protocol(command))])

    def _contingency(self) -> str:
        wrong = self.wrong
        rows = [
            ["", "taken for real", "taken for colored", "answers"],
            ["---", "---:", "---:", "---:"],
            ["real", *_cells(self.real.all)],
            *([name, *_cells(tally.all)] for name, tally in self.models.items()),
            *([["all colored", *_cells(self.colored)]] if len(self.models) > 1 else []),
        ]
        return f"{_table(rows)}\n\nWrong answers: {wrong.hits} of {wrong.count}, {_percent(wrong.rate)}."

    def _by_model(self) -> str:
        heading = ["", "fooling rate", "95 %", "95 % by person", "χ² against 50 %", "p", "χ² against real", "p"]
        rows = [heading, ["---", *["---:"] * 7]]
        for name, tally in self.models.items():
            against_half, against_real = tally.all.against_half, association(tally.all, self.real.all)
            rate = [_percent(tally.all.rate), _between(tally.all.interval), _between(tally.by_person)]
            rows.append([name, *rate, *_figures(against_half), *_figures(against_real)])
        return _table(rows)

    def _compared(self) -> str:
        rows = [["", "difference", "95 %", "χ²", "p", "p (Holm)"], ["---", *["---:"] * 5]]
        for row in self.comparisons():
            delta = f"{100 * row['difference']:+.1f}"
            figures = [_number(row["chi_square"]), _chance(row["p"]), _chance(row.get("p_holm"))]
            rows.append([" less ".join(row["models"]), delta, _between(tuple(row["interval"])), *figures])
        return _table(rows)

    def _protocol(self, command: str) -> list[str]:
        key = self.key
        shown = f"shown for {key.seconds:g} s" if key.seconds else "shown until answered"
        counts = (
            f"{_counted(self.participants, 'participant')}, {_counted(self.wrong.count, 'answer')}"
            + (f", {_counted(len(self.problems), 'file')} left out" if self.problems else "")
            + f"; test {key.test}: {len({scene for scene, _ in key.versions.values()})} scenes of {key.data}, at most "
            f"{key.max_side} pixels a side, each {shown}, one picture at a time, to each person real or colored"
        )
        few = self._too_few()
        return [
            counts,
            *([f"Too few answers for the p of a chi-square (5 expected in a cell): {', '.join(few)}"] if few else []),
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
        """Write all of it as JSON: shares and intervals from 0 to 1; what cannot be told is null."""
        models = {
            name: {
                **_shared(tally),
                "against_half": _tested(tally.all.against_half),
                "against_real": _tested(association(tally.all, self.real.all)),
            }
            for name, tally in self.models.items()
        }
        told = {
            "test": self.key.test,
            "participants": self.participants,
            "answers": self.wrong.count,
            "wrong": {"count": self.wrong.hits, "rate": _finite(self.wrong.rate)},
            "real": _shared(self.real),
            "models": models,
            "comparisons": self.comparisons(),
            "left_out": [error.message for error in self.problems],
            "seconds": self.key.seconds,
            "data": self.key.data,
            "made_with": dict(self.key.models),
            "made_by": self.key.made_by,
            "made_with_command": self.key.command,
            "command": command,
        }
        return json.dumps(told, ensure_ascii=False, indent=2)


def report_of(key: Key, results: Sequence[Result], problems: Sequence[DataError]) -> Report:
    """Count the answers of all participants by what the pictures were."""
    persons: dict[str, list[Share]] = defaultdict(list)
    for result in results:
        taken: dict[str, list[bool]] = defaultdict(list)
        for picture, real in result.answers.items():
            taken[key.versions[picture][1]].append(real)
        for version, each in taken.items():
            persons[version].append(Share(sum(each), len(each)))
    tallies = {version: _tally(persons[version]) for version in (REAL, *key.models)}
    return Report(key, len(results), tallies.pop(REAL), tallies, problems)


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
    return ["", ""] if test is None else [_number(test.value), _chance(test.p)]


def _number(value: float | None) -> str:
    return "" if value is None else f"{value:.2f}"


def _chance(p: float | None) -> str:
    if p is None:
        return ""
    return "< 0.0001" if p < 0.0001 else f"{p:.4f}"


def _percent(rate: float) -> str:
    return f"{100 * rate:.1f} %" if math.isfinite(rate) else ""


def _between(interval: Sequence[float] | None) -> str:
    return "" if interval is None else f"{100 * interval[0]:.1f} to {100 * interval[1]:.1f}"


def _table(rows: Sequence[Sequence[str]]) -> str:
    return "\n".join(f"| {' | '.join(row)} |" for row in rows)
