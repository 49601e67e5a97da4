from colorcli.evaluation.markdown import to_markdown
from colorcli.evaluation.tables import Column, Comparison, Figure, Report, Section, Table

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
    "gray": {"auc": Figure(80.0, (79.04, 81.0)), "rmse": Figure(30.0)},
    "a": {"auc": Figure(85.0, (84.0, 86.0)), "rmse": Figure(20.0)},
    "b": {"auc": Figure(84.0, (83.0, 85.0)), "rmse": Figure(10.0)},
    "original": {},
}


def test_a_cell_has_its_value_and_its_interval_if_it_has_one():
    lines = to_markdown(report(table(ROWS))).splitlines()
    assert lines[:3] == [
        "|  | AuC % | RMSE |",
        "| --- | ---: | ---: |",
        "| gray | 80.0 (79.0 to 81.0) | 30.00 |",
    ]
    assert lines[5] == "| original |  |  |"


def test_a_table_comes_with_its_set_its_protocol_versions_and_command():
    lines = to_markdown(report(table(ROWS))).splitlines()
    assert lines[-4:] == [
        "- photos: 2 photographs",
        "- a: network at 256x256",
        "- torch 2",
        "- `colorcli evaluate a photos`",
    ]


def test_a_column_without_figures_gives_the_reason():
    text = to_markdown(report(table(ROWS, [AUC, FID])))
    assert "| a | 85.0 (84.0 to 86.0) | not measured |" in text
    assert "- FID: not measured. There are no weights." in text


def test_skipped_files_are_reported():
    text = to_markdown(report(table(ROWS), problems=["x.jpg: broken"], gray=["g.png"]))
    assert "- Skipped because they are gray: g.png" in text
    assert "- Skipped because they cannot be read: 1" in text


def test_comparisons_have_their_own_table():
    found = Comparison("b", "a", "rmse", Figure(-10.0, (-12.0, -8.0)), 2, 2)
    text = to_markdown(report(table(ROWS, comparisons=[found])))
    assert "| b minus a | RMSE | -10.00 (-12.00 to -8.00) | 2 of 2 |" in text


def test_several_tables_have_headings():
    text = to_markdown(report(table(ROWS), Table("Films", [RMSE], [Section("a.mp4", "9 frames", {})], (), ["1 film"])))
    assert "## Photographs" in text
    assert "### a.mp4: 9 frames" in text


def test_a_name_cannot_break_a_table():
    assert "| a\\|b |" in to_markdown(report(table({"a|b": {}})))
