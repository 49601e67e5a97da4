import json
import tarfile

import pytest

from colorcli.cli import main
from tests.evaluation.pictures import save_grey, save_photographs, save_weights


@pytest.fixture
def folder(tmp_path):
    save_photographs(tmp_path / "set", 3)
    return tmp_path / "set"


@pytest.fixture
def weights(tmp_path):
    return str(save_weights(tmp_path / "small.safetensors"))


def run(capsys, *args, code=0):
    assert main(["evaluate", *map(str, args), "--size", "32", "--device", "cpu"]) == code
    return capsys.readouterr()


def test_a_markdown_table_is_all_that_goes_to_standard_output(capsys, folder, weights):
    lines = run(capsys, "zhang", folder, "--weights", weights).out.splitlines()
    assert lines[0].startswith("|  | AuC raw % | AuC rebalanced % |")
    assert [line.split("|")[1].strip() for line in lines[2:5]] == ["grey", "mean colour", "zhang.small"]
    assert all(line.startswith("- ") for line in lines[6:])


def test_the_table_gives_the_command_that_makes_it(capsys, folder, weights):
    out = run(capsys, "zhang", folder, "--weights", weights, "-p", "temperature=0.2", "--limit", 2).out
    command = (
        f"colorcli evaluate --weights {weights} -p temperature=0.2 --device cpu --size 32 --limit 2 zhang {folder}"
    )
    assert f"`{command}`" in out


def test_the_command_has_what_the_settings_file_added(capsys, folder, weights, tmp_path, monkeypatch):
    (tmp_path / "colorcli.toml").write_text("[evaluate]\nlimit = 2\n")
    monkeypatch.chdir(tmp_path)
    out = run(capsys, "zhang", folder, "--weights", weights).out
    assert "--limit 2 " in out
    assert "set: 2 photographs" in out


def test_json_holds_figures_and_protocol(capsys, folder, weights):
    facts = json.loads(run(capsys, "zhang", folder, "--weights", weights, "--json").out)
    assert facts["rows"]["zhang.small"]["auc"] > 0
    assert (facts["data"], facts["count"], facts["size"]) == ("set", 3, 32)
    assert facts["command"].startswith("colorcli evaluate ")


def test_photographs_in_tar_files_count(capsys, folder, weights):
    plain = json.loads(run(capsys, "zhang", folder, "--weights", weights, "--json").out)
    with tarfile.open(folder / "all.tar", "w") as tar:
        for path in sorted(folder.glob("*.png")):
            tar.add(path, path.name)
            path.unlink()
    assert json.loads(run(capsys, "zhang", folder, "--weights", weights, "--json").out)["rows"] == plain["rows"]


def test_what_cannot_be_read_is_named_and_the_rest_goes_on(capsys, folder, weights):
    (folder / "broken.jpg").write_bytes(b"no picture")
    save_grey(folder / "grey.png")
    told = run(capsys, "zhang", folder, "--weights", weights, code=1)
    assert "error: broken.jpg" in told.err
    assert "note: left out because they are grey: grey.png" in told.err
    assert "3 photographs" in told.out
    assert "2 left out (1 grey, 1 unreadable)" in told.out


def test_an_empty_folder_is_an_error(capsys, tmp_path, weights):
    (tmp_path / "empty").mkdir()
    told = run(capsys, "zhang", tmp_path / "empty", "--weights", weights, code=1)
    assert "there are no photographs in this folder" in told.err
    assert told.out == ""


def test_a_folder_that_is_not_there_is_an_error(capsys, tmp_path):
    assert "a folder of colour photographs was expected" in run(capsys, "zhang", tmp_path / "no", code=1).err


def test_a_damaged_tar_file_is_named(capsys, folder, weights):
    (folder / "cut.tar").write_bytes(b"no tar file")
    assert "cut.tar: this tar file cannot be read" in run(capsys, "zhang", folder, "--weights", weights, code=1).err


def test_an_unknown_option_is_wrong_usage(capsys, folder, weights):
    told = run(capsys, "zhang", folder, "--weights", weights, "-p", "temprature=1", code=2)
    assert "temperature" in told.err


def test_weights_for_several_models_are_wrong_usage(capsys, folder, weights):
    told = run(capsys, "zhang", "zhang.eccv16", folder, "--weights", weights, code=2)
    assert "is for one MODEL, and here are 2" in told.err
