"""The statistics, against SciPy's, and against the tables of a paper's tables."""

import math

import numpy as np
import pytest

from colorcli.turing.figures import ChiSquare, Share, association, difference, holm, interval_by_person
from tests.documentation import ROOT, read

stats = pytest.importorskip("scipy.stats")  # comes with scikit-image

COUNTS = [(0, 1), (0, 40), (1, 3), (7, 20), (20, 40), (596, 1248), (40, 40)]


@pytest.mark.parametrize(("hits", "count"), COUNTS)
def test_the_interval_is_wilsons(hits, count):
    expected = stats.binomtest(hits, count).proportion_ci(method="wilson")
    assert Share(hits, count).interval == pytest.approx((expected.low, expected.high), abs=1e-12)


def test_a_share_of_no_answers_is_undefined():
    nothing = Share(0, 0)
    assert math.isnan(nothing.rate)
    assert nothing.interval == (0, 1)
    assert nothing.against_half is None
    assert association(nothing, Share(3, 4)) is None


@pytest.mark.parametrize(("hits", "count"), COUNTS)
def test_the_chi_square_against_half_is_that_of_two_equal_cells(hits, count):
    expected = stats.chisquare([hits, count - hits])
    test = Share(hits, count).against_half
    assert (test.value, test.p) == pytest.approx((expected.statistic, expected.pvalue))


@pytest.mark.parametrize(("one", "other"), [((7, 20), (11, 19)), ((725, 1248), (598, 1248)), ((1, 9), (8, 9))])
def test_the_chi_square_of_two_shares_is_pearsons_without_correction(one, other):
    rows = [[hits, count - hits] for hits, count in (one, other)]
    expected = stats.chi2_contingency(rows, correction=False)
    test = association(Share(*one), Share(*other))
    assert (test.value, test.p) == pytest.approx((expected.statistic, expected.pvalue))
    assert test.enough == (np.min(expected.expected_freq) >= 5)


def test_a_table_with_an_empty_column_has_no_chi_square():
    assert association(Share(5, 5), Share(9, 9)) is None
    assert association(Share(0, 5), Share(0, 9)) is None


def test_a_chi_square_of_few_answers_is_marked_unreliable():
    assert not Share(4, 9).against_half.enough
    assert Share(4, 10).against_half.enough


def test_the_interval_of_a_difference_is_newcombes():
    # His table II, (a): 56 of 70 less 48 of 80 is 0.2, from 0.0524 to 0.3339
    assert difference(Share(56, 70), Share(48, 80)) == pytest.approx((0.2, 0.0524, 0.3339), abs=5e-5)


def test_correlated_answers_of_one_person_widen_the_interval():
    mixed = [Share(5, 10)] * 20
    of_one_mind = [Share(10, 10), Share(0, 10)] * 10
    assert interval_by_person(mixed) == (0.5, 0.5)
    low, high = interval_by_person(of_one_mind)
    wilson = Share(100, 200).interval
    assert low < wilson[0]
    assert high > wilson[1]
    assert interval_by_person(of_one_mind) == (low, high)
    assert (high - low) / 2 == pytest.approx(1.96 * 0.5 / math.sqrt(20), rel=0.15)


def test_one_person_has_no_interval_by_person():
    assert interval_by_person([Share(3, 10)]) is None


def test_holm_adjusts_every_p_by_how_many_are_as_large():
    assert holm([0.04, 0.01, 0.03]) == pytest.approx([0.06, 0.03, 0.06])
    assert holm([0.5, 0.9]) == [1.0, 1.0]
    assert holm([]) == []


# "Attaining Context Awareness in Image Colourisation" (Edinburgh), tables 5, 7, 8, 9 and section 4.2.2:
# real photographs taken for real, colored ones taken for real (of 1,248 each), and what is printed of them.
TABLES = {
    "5, ensemble in YUV": (715, 596, 19.4022, 45.23),
    "7, ensemble in LAB": (725, 598, 26.147, 44.91),
    "8, baseline in LAB": (694, 579, 22.7519, 45.39),
    "9, baseline in YUV": (740, 630, 19.5781, 45.59),
}


def shares(table):
    real, colored, _, _ = TABLES[table]
    return Share(real, 1248), Share(colored, 1248)


@pytest.mark.parametrize("table", TABLES)
def test_the_papers_fooling_rate_is_the_share_of_wrong_answers_to_all_pictures(table):
    real, colored = shares(table)
    wrong = (real.count - real.hits + colored.hits) / 2496
    assert round(100 * wrong, 2) == TABLES[table][3]
    assert abs(100 * colored.rate - TABLES[table][3]) > 0.9  # which is not how many colored pictures fooled people


@pytest.mark.paper("edinburgh", "chi-squares")
def test_the_papers_chi_square_is_that_of_the_2x2_table_where_it_follows_from_its_counts():
    found = {table: round(association(*shares(table)).value, 4) for table in TABLES}
    assert found["9, baseline in YUV"] == TABLES["9, baseline in YUV"][2]
    # Printed for the baseline in LAB (table 8); it follows from table 5.
    assert found["5, ensemble in YUV"] == TABLES["8, baseline in LAB"][2]
    # These follow from no table, neither as this test nor as the one-sample test that the text describes.
    assert (found["7, ensemble in LAB"], found["8, baseline in LAB"]) == (25.9414, 21.2024)
    every = [association(*shares(t)).value for t in TABLES]
    every += [share.against_half.value for t in TABLES for share in shares(t)]
    for printed in (19.4022, 26.147):
        assert min(abs(chi_square - printed) for chi_square in every) > 0.1


def test_the_p_that_the_paper_prints_follows_from_the_chi_square_that_it_prints():
    assert round(ChiSquare(19.4022).p, 6) == 0.000011  # which is not below 0.00001, as the same sentence has it


def test_only_one_of_the_papers_four_models_differs_from_chance_against_one_half():
    ps = [round(shares(table)[1].against_half.p, 3) for table in TABLES]
    assert ps == [0.113, 0.141, 0.011, 0.734]


def test_the_table_in_the_documentation_is_computed_from_the_papers_counts():
    page = read(ROOT / "docs" / "evaluating.md")
    for table, (_, _, printed, fooled) in TABLES.items():
        real, colored = shares(table)
        half = colored.against_half
        row = [
            f"{table} | {fooled} % | {100 * colored.rate:.2f} %",
            f"{printed} | {association(real, colored).value:.4f}",
            f"{half.value:.2f}, {half.p:.3f}",
        ]
        assert f"| {' | '.join(row)} |" in page
