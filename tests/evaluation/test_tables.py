import pytest

from colorcli.evaluation.tables import Column, Figure, Section, Table

AUC = Column("auc", "AuC %", 1, "higher")
RMSE = Column("rmse", "RMSE", 2, "lower")


ROWS = {
    "gray": {"auc": Figure(80.0), "rmse": Figure(30.0)},
    "a": {"auc": Figure(85.0), "rmse": Figure(20.0)},
    "b": {"auc": Figure(84.0), "rmse": Figure(10.0)},
    "original": {},
}


def table(rows):
    return Table("Photographs", (AUC, RMSE), [Section("", "2 photographs", rows)], (), ["2 photographs"])


@pytest.mark.parametrize(("column", "best"), [(AUC, {"a"}), (RMSE, {"b"}), (Column("auc", "AuC"), set())])
def test_the_metric_determines_the_best_model_of_a_column(column, best):
    shown = table(ROWS)
    assert shown.best(shown.sections[0], column) == best


def test_a_single_model_is_not_marked_as_best():
    alone = table({name: ROWS[name] for name in ("gray", "a")})
    assert alone.best(alone.sections[0], AUC) == set()


@pytest.mark.parametrize(
    ("interval", "excluded"), [((1, 2), True), ((-2, -1), True), ((-1, 1), False), ((0, 1), False), (None, False)]
)
def test_an_interval_excludes_zero_if_it_lies_on_one_side_of_it(interval, excluded):
    assert Figure(0.5, interval).excludes_zero == excluded
