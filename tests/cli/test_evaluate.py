import json
import re
import tarfile

import pytest

from colorcli.cli import main
from tests.evaluation.pictures import save_gray, save_photographs, save_weights
from tests.media.films.clips import make_clip
from tests.site_packages import SitePackages


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


def test_standard_output_is_a_markdown_table(capsys, folder, weights):
    lines = run(capsys, "zhang", folder, "--weights", weights).out.splitlines()
    assert lines[0].startswith("|  | AuC raw % | AuC rebalanced % |")
    assert [line.split("|")[1].strip() for line in lines[2:6]] == ["gray", "mean color", "zhang.small", "original"]
    assert lines[6:8] == ["", "### Differences between rows"]
    assert lines[-1].startswith("- `colorcli evaluate ")


def test_the_table_includes_the_command_that_makes_it(capsys, folder, weights):
    out = run(capsys, "zhang", folder, "--weights", weights, "-p", "temperature=0.2", "--limit", 2).out
    command = (
        f"colorcli evaluate --weights {weights} -p temperature=0.2 --device cpu --size 32 --limit 2 zhang {folder}"
    )
    assert f"`{command}`" in out


def test_the_command_includes_options_from_the_settings_file(capsys, folder, weights, tmp_path, monkeypatch):
    (tmp_path / "colorcli.toml").write_text("[evaluate]\nlimit = 2\n")
    monkeypatch.chdir(tmp_path)
    out = run(capsys, "zhang", folder, "--weights", weights).out
    assert "--limit 2 " in out
    assert "- set: 2 photographs, uncropped, scaled to 32x32" in out


@pytest.fixture
def figures(capsys, folder, weights, tmp_path):
    """Evaluate, and read the values of the whole set."""

    def evaluate(*options):
        path = tmp_path / "figures.json"
        run(capsys, "zhang", folder, "--weights", weights, "-o", path, "--overwrite", *options)
        report = json.loads(path.read_text())
        return report, report["tables"][0]["sections"][0]["rows"]

    return evaluate


def test_json_contains_figures_and_protocol(figures):
    report, rows = figures()
    assert 0 < rows["zhang.small"]["auc"]["interval"][0] <= rows["zhang.small"]["auc"]["value"]
    assert report["data"] == "set"
    assert report["tables"][0]["protocol"][0].startswith("3 photographs, uncropped, scaled to 32x32")
    assert report["command"].startswith("colorcli evaluate ")


def test_photographs_in_tar_files_are_included(figures, folder):
    _, plain = figures()
    with tarfile.open(folder / "all.tar", "w") as tar:
        for path in sorted(folder.glob("*.png")):
            tar.add(path, path.name)
            path.unlink()
    assert figures()[1] == plain


@pytest.mark.parametrize(
    ("suffix", "beginning"),
    {".md": "|  | AuC raw %", ".json": "{", ".csv": "# set", ".html": "<!doctype html>"}.items(),
)
def test_a_file_has_the_format_of_its_suffix(capsys, folder, weights, tmp_path, suffix, beginning):
    path = tmp_path / "new" / f"table{suffix}"
    out = run(capsys, "zhang", folder, "--weights", weights, "-o", path).out
    assert path.read_text().startswith(beginning)
    assert "zhang.small" in path.read_text()
    assert f"-o {path}" in path.read_text()
    assert out.startswith("|  | AuC raw %")


def test_several_files_are_written_at_once(capsys, folder, weights, tmp_path):
    paths = [tmp_path / "a.md", tmp_path / "b.csv"]
    run(capsys, "zhang", folder, "--weights", weights, "-o", paths[0], "-o", paths[1])
    assert all(path.is_file() for path in paths)


def test_an_existing_file_is_replaced_only_with_overwrite(capsys, folder, weights, tmp_path):
    path = tmp_path / "table.md"
    path.write_text("mine")
    told = run(capsys, "zhang", folder, "--weights", weights, "-o", path, code=1)
    assert "already exists" in told.err
    assert path.read_text() == "mine"
    run(capsys, "zhang", folder, "--weights", weights, "-o", path, "--overwrite")
    assert "zhang.small" in path.read_text()


def test_an_unknown_format_is_a_usage_error(capsys, folder, weights):
    told = run(capsys, "zhang", folder, "--weights", weights, "-o", "table.xlsx", code=2)
    assert "must end in .md, .json, .csv or .html, got 'table.xlsx'." in told.err


def test_each_category_has_a_table(capsys, tmp_path, weights):
    for seed, name in enumerate(("city", "people")):
        save_photographs(tmp_path / "sorted" / name, 2, seed=seed)
    out = run(capsys, "zhang", tmp_path / "sorted", "--weights", weights, "--by-category").out
    headings = [line for line in out.splitlines() if line.startswith("### ")]
    assert headings == [
        "### All: 4 photographs",
        "### city: 2 photographs",
        "### people: 2 photographs",
        "### Differences between rows",
    ]


# More metrics


def test_another_metric_adds_a_column(capsys, folder, weights):
    out = run(capsys, "zhang", folder, "--weights", weights, "--metrics", "colorfulness_unsigned").out
    assert out.splitlines()[0].endswith("| delta | colorfulness of abs(R - G) |")


def test_missing_weights_leave_the_column_of_a_metric_empty(capsys, folder, weights, tmp_path, monkeypatch):
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "torch"))
    told = run(capsys, "zhang", folder, "--weights", weights, "--metrics", "vgg16", "--offline", code=1)
    assert "| not measured |" in told.out
    assert "VGG-16 agreement %: not measured. The weights for vgg16 were not found" in told.out
    assert "not measured" not in told.out.splitlines()[2].split("|")[2]


def test_an_unknown_metric_is_a_usage_error(capsys, folder, weights):
    told = run(capsys, "zhang", folder, "--weights", weights, "--metrics", "lipps", code=2)
    assert "Metric not found: lipps." in told.err
    assert "Did you mean lpips?" in told.err


PLUGIN = """
    from colorcli import Metric, hookimpl

    class {name}(Metric):
        name, heading, decimals = "{name}", "{name} !", 3
        def measure(self, predicted, true):
            {body}

    @hookimpl
    def register_metrics(register):
        register({name}())
"""


def test_plugins_add_metrics_and_a_broken_one_does_not_stop_the_rest(capsys, folder, weights, tmp_path, monkeypatch):
    site = SitePackages(tmp_path / "site")
    monkeypatch.syspath_prepend(site.folder)
    site.add("metrics-redness", PLUGIN.format(name="redness", body="return predicted.rgb[0].mean()"), "redness")
    site.add("metrics-broken", PLUGIN.format(name="broken", body="return 1 / 0"), "broken")
    told = run(capsys, "zhang", folder, "--weights", weights, "--metrics", "broken,redness", code=1)
    header, _, gray, *_ = told.out.splitlines()
    assert header.endswith("| delta | broken ! | redness ! |")
    assert re.search(r"\| not measured \| 0\.\d{3} \(0\.\d{3} to 0\.\d{3}\) \|$", gray)
    assert "broken !: not measured. ZeroDivisionError: division by zero" in told.out


# Films


def test_a_film_has_a_table_beside_its_true_colors(capsys, weights, tmp_path):
    make_clip(tmp_path / "film.mp4")
    out = run(capsys, "zhang", tmp_path / "film.mp4", "--weights", weights).out
    lines = out.splitlines()
    assert lines[0].startswith("### film.mp4: ")
    assert lines[2].startswith("|  | warp error | \u00d7 true film | CDC |")
    rows = [line.split("|")[1].strip() for line in lines[4:8]]
    assert rows == ["true", "gray", "zhang.small, per frame", "zhang.small, --stabilize flow"]


def test_a_folder_of_photographs_and_films_has_both_tables(capsys, folder, weights):
    make_clip(folder / "a.mp4")
    (folder / "more").mkdir()
    make_clip(folder / "more" / "b.mkv")
    out = run(capsys, "zhang", folder, "--weights", weights, "--stabilize", "off").out
    headings = [line.partition(", ")[0].partition(": ")[0] for line in out.splitlines() if line.startswith("#")]
    assert headings == [
        "## Photographs",
        "### Differences between rows",
        "## Films",
        "### All",
        "### a.mp4",
        "### more/b.mkv",
    ]
    assert "### All: mean of 2 films" in out


def test_an_unreadable_film_is_named_and_the_others_are_evaluated(capsys, weights, tmp_path):
    (tmp_path / "films").mkdir()
    make_clip(tmp_path / "films" / "good.mp4")
    whole = (tmp_path / "films" / "good.mp4").read_bytes()
    (tmp_path / "films" / "broken.mp4").write_bytes(whole[:200])
    told = run(capsys, "zhang", tmp_path / "films", "--weights", weights, code=1)
    assert "broken.mp4" in told.err
    assert "### good.mp4" in told.out


def test_key_frames_without_flow_are_a_usage_error(capsys, folder, weights):
    told = run(capsys, "zhang", folder, "--weights", weights, "--keyframes", "4", "--stabilize", "off", code=2)
    assert "--keyframes needs --stabilize flow" in told.err


# What is left out


def test_unreadable_and_gray_photographs_are_named_and_the_rest_is_evaluated(capsys, folder, weights):
    (folder / "broken.jpg").write_bytes(b"no picture")
    save_gray(folder / "gray.png")
    told = run(capsys, "zhang", folder, "--weights", weights, code=1)
    assert "error: broken.jpg" in told.err
    assert "note: skipped because they are gray: gray.png" in told.err
    assert "- set: 3 photographs" in told.out
    assert "- Skipped because they are gray: gray.png" in told.out
    assert "- Skipped because they cannot be read: 1" in told.out


def test_an_empty_folder_is_an_error(capsys, tmp_path, weights):
    (tmp_path / "empty").mkdir()
    told = run(capsys, "zhang", tmp_path / "empty", "--weights", weights, code=1)
    assert "no photographs or films found" in told.err
    assert told.out == ""


def test_forgotten_data_is_an_error_that_says_what_the_last_argument_must_be(capsys):
    told = run(capsys, "zhang", "iizuka", code=1)
    assert "File or folder not found: iizuka." in told.err
    assert "The last argument must be DATA" in told.err


def test_a_photograph_instead_of_a_folder_is_an_error(capsys, folder):
    photograph = next(folder.iterdir())
    told = run(capsys, "zhang", photograph, code=1)
    assert f"{photograph} must be a folder of photographs, not a file." in told.err


def test_a_damaged_tar_file_is_named(capsys, folder, weights):
    (folder / "cut.tar").write_bytes(b"no tar file")
    assert "cut.tar: this tar file cannot be read" in run(capsys, "zhang", folder, "--weights", weights, code=1).err


def test_an_unknown_option_is_a_usage_error(capsys, folder, weights):
    told = run(capsys, "zhang", folder, "--weights", weights, "-p", "temprature=1", code=2)
    assert "temperature" in told.err


def test_weights_for_several_models_are_a_usage_error(capsys, folder, weights):
    told = run(capsys, "zhang", "zhang.eccv16", folder, "--weights", weights, code=2)
    assert "is for one MODEL, got 2" in told.err


def test_pictures_can_become_gray_in_another_way(capsys, folder, weights):
    plain, film = (
        run(capsys, "zhang", folder, "--weights", weights, *more).out.splitlines()[4]
        for more in ((), ("--gray", "orthochromatic"))
    )
    assert plain.startswith("| zhang.small |")
    assert film.startswith("| zhang.small |")
    assert plain != film


def test_an_unknown_gray_is_an_error_that_lists_the_others(capsys, folder, weights):
    err = run(capsys, "zhang", folder, "--weights", weights, "--gray", "orthocromatic", code=2).err
    assert "Way of making gray not found: orthocromatic." in err
    assert "orthochromatic" in err
