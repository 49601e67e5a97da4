import csv

import pytest
from PIL import Image

from colorcli.errors import UsageError
from colorcli.training.report import draw, read_runs, to_csv, to_markdown

LOG = """step,epoch,loss,value
1,0,loss,4
2,0,loss,2
2,0,validation loss,3
2,0,validation other,9
3,1,loss,2
4,1,loss,1
4,1,validation loss,{last}
4,1,validation other,8
4,1,test loss,2.75
"""


def write_run(folder, last="2.5"):
    folder.mkdir(parents=True)
    (folder / "log.csv").write_text(LOG.format(last=last))
    return folder


@pytest.fixture
def runs(tmp_path):
    return [write_run(tmp_path / "a"), write_run(tmp_path / "b", "3.5")]


def test_training_losses_are_means_over_the_steps_of_an_epoch(runs):
    a, b = read_runs(runs)
    assert (a.name, b.name) == ("a", "b")
    assert a.losses["loss"] == {1: 3.0, 2: 1.5}
    assert a.losses["validation loss"] == {1: 3.0, 2: 2.5}


def test_the_losses_of_several_runs_are_in_one_table(runs):
    text = to_markdown(read_runs(runs))
    assert (
        "| a | 2 | 2 | 2.5 | 2.5 | validation loss | 2.75 |\n| b | 2 | 1 | 3 | 3.5 | validation loss | 2.75 |" in text
    )
    assert "### loss\n\n| epoch | a | b |\n| --- | ---: | ---: |\n| 1 | 3 | 3 |\n| 2 | 1.5 | 1.5 |" in text
    assert (
        "### validation loss\n\n| epoch | a | b |\n| --- | ---: | ---: |\n| 1 | 3 | **3** |\n| 2 | **2.5** | 3.5 |"
        in text
    )


def test_a_run_in_stages_is_several_runs(tmp_path):
    for stage in ("city", "people"):
        write_run(tmp_path / "edinburgh" / stage)
    assert [run.name for run in read_runs([tmp_path / "edinburgh"])] == ["edinburgh/city", "edinburgh/people"]


def test_runs_with_equal_names_are_told_apart_by_their_folders(tmp_path):
    folders = [write_run(tmp_path / parent / "zhang") for parent in ("one", "two")]
    assert [run.name for run in read_runs(folders)] == ["zhang", str(folders[1])]


def test_a_run_that_has_not_been_validated_has_no_best_epoch(tmp_path):
    folder = tmp_path / "new"
    folder.mkdir()
    (folder / "log.csv").write_text("step,epoch,loss,value\n1,0,loss,4\n")
    assert "| new | 1 |  |  |  |  |  |" in to_markdown(read_runs([folder]))


def test_csv_has_a_row_for_each_run_loss_and_epoch(runs):
    rows = list(csv.DictReader(to_csv(read_runs(runs)).splitlines()))
    assert len(rows) == 2 * 7
    assert rows[0] == {"run": "a", "loss": "loss", "epoch": "1", "value": "3.0"}


def test_curves_are_drawn_for_the_deciding_loss_or_another_one(runs, tmp_path):
    for loss in ("", "validation other"):
        draw(tmp_path / "curves.png", read_runs(runs), loss)
        assert Image.open(tmp_path / "curves.png").size == (800, 500)
    with pytest.raises(UsageError, match="No run has the loss 'nothing'") as found:
        draw(tmp_path / "curves.png", read_runs(runs), "nothing")
    assert "validation other" in found.value.hint


def test_a_folder_without_a_log_is_an_error(tmp_path):
    with pytest.raises(UsageError, match="is not the folder of a training run"):
        read_runs([tmp_path])


def test_a_run_given_twice_is_an_error(runs):
    with pytest.raises(UsageError, match="given twice"):
        read_runs([runs[0], runs[0]])
