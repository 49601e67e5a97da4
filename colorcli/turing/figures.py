"""What can be said of counted answers: shares with their intervals, chi-square tests, and comparisons.

Every chi-square here has one degree of freedom and no correction for continuity, as in the papers; it is that of a
standard normal squared, so p = erfc(sqrt(chi-square / 2)).
"""

from __future__ import annotations

import math
import random
from dataclasses import dataclass
from statistics import NormalDist
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

CONFIDENCE = 0.95
LEAST_EXPECTED = 5  # answers in a cell; with fewer, a chi-square's p is not to be relied on
_Z = NormalDist().inv_cdf(0.5 + CONFIDENCE / 2)
_RESAMPLES = 2000


@dataclass(frozen=True)
class Share:
    """So many of so many answers: `hits` of `count`."""

    hits: int
    count: int

    @property
    def rate(self) -> float:
        """The share, 0..1; NaN of nothing."""
        return self.hits / self.count if self.count else math.nan

    @property
    def interval(self) -> tuple[float, float]:
        """Wilson's score interval for 95 %, 0..1 (Wilson 1927); all of 0..1 of nothing."""
        if not self.count:
            return 0.0, 1.0
        n, p, zz = self.count, self.rate, _Z**2
        middle = (p + zz / (2 * n)) / (1 + zz / n)
        reach = _Z / (1 + zz / n) * math.sqrt(p * (1 - p) / n + zz / (4 * n**2))
        return max(0.0, middle - reach), min(1.0, middle + reach)

    @property
    def against_half(self) -> ChiSquare | None:
        """Whether the share differs from 50 %, as if people guessed; None of nothing."""
        if not self.count:
            return None
        half = self.count / 2
        return ChiSquare(2 * (self.hits - half) ** 2 / half, enough=half >= LEAST_EXPECTED)


@dataclass(frozen=True)
class ChiSquare:
    """The outcome of a test with one degree of freedom."""

    value: float
    enough: bool = True  # answers, for its p to be relied on

    @property
    def p(self) -> float:
        """How often chance alone would give as large a value or a larger one."""
        return math.erfc(math.sqrt(self.value / 2))


def association(one: Share, other: Share) -> ChiSquare | None:
    """Test whether two shares differ: Pearson's chi-square of the 2x2 table, the square of the two-proportion z.

    Args:
        one: a row of the table, its hits and the rest.
        other: the other row.

    Returns:
        None where a row or a column of the table is empty, so that there is nothing to test.
    """
    a, b = one.hits, one.count - one.hits
    c, d = other.hits, other.count - other.hits
    rows, columns, total = (a + b, c + d), (a + c, b + d), a + b + c + d
    margins = math.prod(rows) * math.prod(columns)
    if not margins:
        return None
    return ChiSquare(total * (a * d - b * c) ** 2 / margins, enough=min(rows) * min(columns) / total >= LEAST_EXPECTED)


def difference(one: Share, other: Share) -> tuple[float, float, float]:
    """Give the difference of two shares and its 95 % interval, from Wilson's two (Newcombe 1998, method 10)."""
    (low, high), (other_low, other_high) = one.interval, other.interval
    delta = one.rate - other.rate
    down = math.hypot(one.rate - low, other_high - other.rate)
    up = math.hypot(high - one.rate, other.rate - other_low)
    return delta, delta - down, delta + up


def interval_by_person(shares: Sequence[Share]) -> tuple[float, float] | None:
    """Give the 95 % interval of the pooled share where people are drawn with replacement, each with all answers.

    Answers of one person resemble each other, which Wilson's interval does not know. Percentile bootstrap of 2,000
    draws, always the same ones.

    Args:
        shares: of each person.

    Returns:
        None for fewer than two people.
    """
    if len(shares) < 2:
        return None
    chance = random.Random(0)  # noqa: S311 - nothing secret
    rates = []
    for _ in range(_RESAMPLES):
        drawn = chance.choices(shares, k=len(shares))
        rates.append(sum(share.hits for share in drawn) / sum(share.count for share in drawn))
    rates.sort()
    tail = round((1 - CONFIDENCE) / 2 * _RESAMPLES)
    return rates[tail], rates[-tail - 1]


def holm(chances: Sequence[float]) -> list[float]:
    """Adjust the p of several tests, so that one in twenty times at most any is below 0.05 by chance (Holm 1979)."""
    adjusted = [0.0] * len(chances)
    reached = 0.0
    for rank, index in enumerate(sorted(range(len(chances)), key=chances.__getitem__)):
        reached = max(reached, min(1.0, (len(chances) - rank) * chances[index]))
        adjusted[index] = reached
    return adjusted
