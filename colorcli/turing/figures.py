"""Statistics of counted answers: shares with confidence intervals, chi-square tests, and comparisons.

As in the papers, every chi-square has one degree of freedom and no continuity correction. It is the square of a
standard normal variable, so p = erfc(sqrt(chi-square / 2)).
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
MIN_EXPECTED = 5  # answers in a cell; with fewer, the p of a chi-square is unreliable
_Z = NormalDist().inv_cdf(0.5 + CONFIDENCE / 2)
_RESAMPLES = 2000


@dataclass(frozen=True)
class Share:
    """A share of answers: `hits` of `count`."""

    hits: int
    count: int

    @property
    def rate(self) -> float:
        """The share, 0..1; NaN without answers."""
        return self.hits / self.count if self.count else math.nan

    @property
    def interval(self) -> tuple[float, float]:
        """Wilson's 95 % score interval (Wilson 1927), 0..1; the whole range without answers."""
        if not self.count:
            return 0.0, 1.0
        n, p, zz = self.count, self.rate, _Z**2
        middle = (p + zz / (2 * n)) / (1 + zz / n)
        reach = _Z / (1 + zz / n) * math.sqrt(p * (1 - p) / n + zz / (4 * n**2))
        return max(0.0, middle - reach), min(1.0, middle + reach)

    @property
    def against_half(self) -> ChiSquare | None:
        """Test against 50 %, as if people guessed; None without answers."""
        if not self.count:
            return None
        half = self.count / 2
        return ChiSquare(2 * (self.hits - half) ** 2 / half, enough=half >= MIN_EXPECTED)


@dataclass(frozen=True)
class ChiSquare:
    """The result of a test with one degree of freedom; `enough` says whether there are enough answers for its p."""

    value: float
    enough: bool = True

    @property
    def p(self) -> float:
        """The probability that chance alone gives a value at least as large."""
        return math.erfc(math.sqrt(self.value / 2))


def association(one: Share, other: Share) -> ChiSquare | None:
    """Test whether two shares differ: Pearson's chi-square of the 2x2 table, the square of the two-proportion z.

    Args:
        one: the first row of the table: hits and misses.
        other: the second row.

    Returns:
        None if a row or a column of the table is empty, so that there is nothing to test.
    """
    a, b = one.hits, one.count - one.hits
    c, d = other.hits, other.count - other.hits
    rows, columns, total = (a + b, c + d), (a + c, b + d), a + b + c + d
    margins = math.prod(rows) * math.prod(columns)
    if not margins:
        return None
    return ChiSquare(total * (a * d - b * c) ** 2 / margins, enough=min(rows) * min(columns) / total >= MIN_EXPECTED)


def difference(one: Share, other: Share) -> tuple[float, float, float]:
    """Compute the difference of two shares and its 95 % interval, from Wilson's (Newcombe 1998, method 10)."""
    (low, high), (other_low, other_high) = one.interval, other.interval
    delta = one.rate - other.rate
    down = math.hypot(one.rate - low, other_high - other.rate)
    up = math.hypot(high - one.rate, other.rate - other_low)
    return delta, delta - down, delta + up


def interval_by_person(shares: Sequence[Share]) -> tuple[float, float] | None:
    """Compute the 95 % interval of the pooled share by resampling people, each with all of their answers.

    A person's answers are correlated, which Wilson's interval ignores. Percentile bootstrap with 2,000 resamples and a
    fixed seed.

    Args:
        shares: share of each person.

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


def holm(p_values: Sequence[float]) -> list[float]:
    """Adjust the p of several tests, to limit the chance that any of them is below 0.05 to 5 % (Holm 1979)."""
    adjusted = [0.0] * len(p_values)
    largest = 0.0
    for rank, index in enumerate(sorted(range(len(p_values)), key=p_values.__getitem__)):
        largest = max(largest, min(1.0, (len(p_values) - rank) * p_values[index]))
        adjusted[index] = largest
    return adjusted
