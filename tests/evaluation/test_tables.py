import pytest

from colorcli.evaluation.tables import Column, Comparison, Figure, Report, Section, Table, markdown

AUC = Column("auc", "AuC %", 1, "higher")
RMSE = Column("rmse", "RMSE", 2, "lower")
FID = Column("fid", "FID", 1, "lower", missing="There are no weights.")


def report(*tables, **more):
    return Report("photos", "colorcli evaluate a photos", {"a": "network at 256x256"}, {"torch": "2"}, tables, **more)


def table(rows, columns=(AUC, RMSE), sections=(), comparisons=()):
    return Table(
        "Photographs", columns, [Section("", "2 photographs", rows), *sections], comparisons, ["2 photographs"]
    )


ROWS = {
    "gray": {"auc": Figure(80.0, 79.04, 81.0), "rmse": Figure(30.0)},
    "a": {"auc": Figure(85.0, 84.0, 86.0), "rmse": Figure(20.0)},
    "b": {"auc": Figure(84.0, 83.0, 85.0), "rmse": Figure(10.0)},
    "original": {},
}


def test_a_cell_has_its_value_and_its_interval_if_it_has_one():
    lines = markdown(report(table(ROWS))).splitlines()
    assert lines[:3] == [
        "|  | AuC % | RMSE |",
        "| --- | ---: | ---: |",
        "| gray | 80.0 (79.0 to 81.0) | 30.00 |",
    ]
    assert lines[5] == "| original |  |  |"


def test_no_table_goes_without_its_set_protocol_versions_and_command():
    lines = markdown(report(table(ROWS))).splitlines()
    assert lines[-4:] == [
        "- photos: 2 photographs",
        "- a: network at 256x256",
        "- torch 2",
        "- `colorcli evaluate a photos`",
    ]


def test_a_column_without_figures_says_so_and_why():
    text = markdown(report(table(ROWS, [AUC, FID])))
    assert "| a | 85.0 (84.0 to 86.0) | not measured |" in text
    assert "- FID: not measured. There are no weights." in text


def test_what_is_left_out_is_told():
    text = markdown(report(table(ROWS), problems=["x.jpg: broken"], left_out=["g.png"]))
    assert "- left out because they are gray: g.png" in text
    assert "- left out because they cannot be read: 1" in text


def test_comparisons_have_a_table_of_their_own():
    found = Comparison("b", "a", "rmse", Figure(-10.0, -12.0, -8.0), 2, 2)
    text = markdown(report(table(ROWS, comparisons=[found])))
    assert "| b less a | RMSE | -10.00 (-12.00 to -8.00) | 2 of 2 |" in text


def test_several_tables_have_headings():
    text = markdown(report(table(ROWS), Table("Films", [RMSE], [Section("a.mp4", "9 frames", {})], (), ["1 film"])))
    assert "## Photographs" in text
    assert "### a.mp4: 9 frames" in text


def test_a_name_cannot_break_a_table():
    assert "| a\\|b |" in markdown(report(table({"a|b": {}})))


@pytest.mark.parametrize(("column", "best"), [(AUC, {"a"}), (RMSE, {"b"}), (Column("auc", "AuC"), set())])
def test_the_best_model_of_a_column_is_that_which_its_metric_says(column, best):
    shown = table(ROWS)
    assert shown.best(shown.sections[0], column) == best


def test_a_single_model_is_not_the_best_of_anything():
    alone = table({name: ROWS[name] for name in ("gray", "a")})
    assert alone.best(alone.sections[0], AUC) == set()


@pytest.mark.parametrize(("low", "high", "sure"), [(1, 2, True), (-2, -1, True), (-1, 1, False), (0, 1, False)])
def test_a_difference_is_sure_where_its_interval_leaves_out_0(low, high, sure):
    assert Figure(0.5, low, high).is_sure == sure


def test_a_figure_without_an_interval_is_not_sure():
    assert not Figure(0.5).has_interval
    assert not Figure(0.5).is_sure
