import subprocess
import sys

import numpy as np
import pytest
import torch
from PIL import Image

from colorcli.color import rgb_to_lab
from colorcli.errors import DataError, PluginError
from colorcli.evaluation.photographs import evaluate
from colorcli.evaluation.protocol import describe
from colorcli.inference.join import join
from colorcli.media.photographs import find_photographs, read_square
from colorcli.metric import Metric
from tests.evaluation.pictures import pipeline, save_gray, save_photographs, save_weights

SIZE = 32


@pytest.fixture
def folder(tmp_path):
    save_photographs(tmp_path / "set", 5)
    return tmp_path / "set"


@pytest.fixture
def zhang(tmp_path):
    return pipeline(save_weights(tmp_path / "small.safetensors"))


def rows(*args, section=0, **settings):
    """The values of a table's rows, without their intervals."""
    found = evaluate(*args, size=settings.pop("size", SIZE), **settings).table.sections[section].rows
    return {row: {name: figure.value for name, figure in cells.items()} for row, cells in found.items()}


class Redness(Metric):
    """A metric like that of a plugin."""

    name, heading, alone = "redness", "redness", True

    def measure(self, predicted, true):
        return predicted.rgb[0].mean()


class Broken(Metric):
    """A metric whose method is passed to it."""

    name, heading = "broken", "broken one"

    def __init__(self, measure):
        self.says = measure

    def measure(self, predicted, true):
        return self.says(predicted, true)


def rgb(pixels):
    return torch.from_numpy(np.array(pixels)).permute(2, 0, 1).double() / 255


def test_a_table_has_rows_for_gray_the_mean_color_and_every_model(folder, zhang):
    (section,) = evaluate([zhang], find_photographs(folder), size=SIZE).table.sections
    assert list(section.rows) == ["gray", "mean color", "zhang.small", "original"]
    assert section.note == "5 photographs"


def test_the_original_row_has_only_metrics_of_single_pictures(folder):
    found = rows([], find_photographs(folder))
    assert list(found["original"]) == ["colorfulness"]
    delta = found["original"]["colorfulness"] - found["mean color"]["colorfulness"]
    assert found["mean color"]["colorfulness_delta"] == pytest.approx(delta)


def test_gray_has_no_colorfulness_and_the_error_that_is_the_true_chroma(folder):
    figures = rows([], find_photographs(folder))["gray"]
    true = [rgb_to_lab(rgb(read_square(each, SIZE)))[1:] for each in find_photographs(folder)]
    assert figures["colorfulness"] == pytest.approx(0, abs=0.02)
    assert figures["rmse"] == pytest.approx(float(torch.stack(true).square().sum(1).mean().sqrt()), rel=1e-5)
    assert figures["l1"] == pytest.approx(float(torch.stack(true).abs().mean()), rel=1e-5)


def test_the_mean_color_is_the_constant_of_least_squared_error(folder):
    found = rows([], find_photographs(folder))
    true = torch.stack([rgb_to_lab(rgb(read_square(each, SIZE)))[1:] for each in find_photographs(folder)])
    least = (true - true.mean(dim=(0, 2, 3), keepdim=True)).square().sum(1).mean().sqrt()
    assert found["mean color"]["rmse"] == pytest.approx(float(least), rel=1e-5)
    assert found["mean color"]["rmse"] < found["gray"]["rmse"]


def test_a_picture_of_one_color_equals_the_mean_color(tmp_path):
    Image.new("RGB", (20, 20), (180, 120, 90)).save(tmp_path / "plain.png")
    figures = rows([], find_photographs(tmp_path))["mean color"]
    assert figures["rmse"] == pytest.approx(0, abs=1e-3)
    assert figures["psnr"] > 80
    assert figures["ssim"] == pytest.approx(1, abs=1e-4)
    assert figures["colorfulness_delta"] == pytest.approx(0, abs=0.01)
    assert figures["auc"] == pytest.approx(100 * 150 / 151, abs=0.7)


def test_figures_do_not_depend_on_the_order_of_photographs(folder, zhang):
    photographs = find_photographs(folder)
    forward, backward = (rows([zhang], each) for each in (photographs, photographs[::-1]))
    for name, figures in forward.items():
        assert backward[name] == pytest.approx(figures, rel=1e-6)


def test_figures_do_not_depend_on_batches(tmp_path, zhang):
    save_photographs(tmp_path / "set", 20)
    photographs = find_photographs(tmp_path / "set")
    whole = rows([zhang], photographs)["zhang.small"]
    halves = [rows([zhang], half)["zhang.small"] for half in (photographs[:10], photographs[10:])]
    for name in ("auc", "l1", "psnr", "ssim", "colorfulness"):
        assert whole[name] == pytest.approx((halves[0][name] + halves[1][name]) / 2, rel=1e-4)


def test_a_model_is_evaluated_on_the_pictures_that_run_makes(tmp_path, zhang):
    save_photographs(tmp_path / "one", 1, size=(64, 64))
    (photograph,) = find_photographs(tmp_path / "one")
    pixels = read_square(photograph, 64)
    colored = rgb(zhang.model.colorize(pixels))
    expected = -10 * torch.log10((colored - rgb(pixels)).square().mean())
    figures = rows([zhang], [photograph], size=64)["zhang.small"]
    assert figures["psnr"] == pytest.approx(float(expected), abs=0.05)  # which has 8 bits


def test_every_row_keeps_the_lightness_of_the_photograph(folder, zhang):
    from colorcli.media.pictures.files import Frame

    for photograph in find_photographs(folder):
        pixels = read_square(photograph, SIZE).astype(np.uint16) * np.uint16(257)
        (ab,) = zhang.chroma([Frame(pixels)])
        before, after = (rgb_to_lab(rgb(each) * 255 / 65535)[0] for each in (pixels, join(pixels, ab)))
        assert (before - after).abs().max() < 0.05


def test_gray_photographs_are_skipped_and_named(folder, zhang):
    before = evaluate([zhang], find_photographs(folder), size=SIZE)
    save_gray(folder / "gray.png")
    found = evaluate([zhang], find_photographs(folder), size=SIZE)
    assert found.gray == ["gray.png"]
    assert found.table == before.table


def test_unreadable_photographs_are_skipped_and_named(folder, zhang):
    before = evaluate([zhang], find_photographs(folder), size=SIZE)
    (folder / "broken.jpg").write_bytes(b"no picture")
    (folder / "02b.png").write_bytes((folder / "02.png").read_bytes()[:200])
    found = evaluate([zhang], find_photographs(folder), size=SIZE)
    assert [str(error).split(":")[0] for error in found.unreadable] == ["02b.png", "broken.jpg"]
    assert found.table == before.table


@pytest.mark.parametrize("kind", ["none", "gray"])
def test_a_set_without_color_is_an_error(tmp_path, kind):
    if kind == "gray":
        save_gray(tmp_path / "gray.png")
    with pytest.raises(DataError, match="No photograph is in color"):
        evaluate([], find_photographs(tmp_path), size=SIZE)


def test_a_model_with_colors_that_are_not_finite_is_named(folder, tmp_path):
    broken = pipeline(save_weights(tmp_path / "nan.safetensors", **{"model1.0.weight": 3e38}))
    with pytest.raises(PluginError, match=r"zhang\.nan returned chroma that is not finite"):
        evaluate([broken], find_photographs(folder), size=SIZE)


def test_options_of_a_model_change_its_figures_and_are_in_the_protocol(folder, tmp_path):
    path = save_weights(tmp_path / "small.safetensors")
    mean, mode = (pipeline(path, temperature=t) for t in (1.0, 0.01))
    calm, vivid = (rows([each], find_photographs(folder))["zhang.small"]["colorfulness"] for each in (mean, mode))
    assert vivid > calm
    assert "temperature=0.01" in describe(mode)


def test_both_passes_are_watched(folder):
    seen = []

    def watch(what, photographs):
        for photograph in photographs:
            seen.append(what)
            yield photograph

    evaluate([], find_photographs(folder), size=SIZE, watch=watch)
    assert seen == ["reading"] * 5 + ["evaluating"] * 5


def test_a_table_says_how_it_was_made(folder, zhang):
    protocol = " ".join(evaluate([zhang], find_photographs(folder), size=SIZE).table.protocol)
    for fact in (
        "5 photographs, uncropped, scaled to 32x32 (bicubic",
        "95 % confidence intervals, from 1000 resamples",
        "AuC raw: share of pixels",
    ):
        assert fact in protocol


# Categories


def test_categories_have_sections_beside_the_whole_set(tmp_path):
    for seed, name in enumerate(("city", "people")):
        save_photographs(tmp_path / name, 2 + seed, seed=seed)
    photographs = find_photographs(tmp_path)
    sections = evaluate([], photographs, size=SIZE, by_category=True).table.sections
    assert [(each.name, each.note) for each in sections] == [
        ("", "5 photographs"),
        ("city", "2 photographs"),
        ("people", "3 photographs"),
    ]
    people = rows([], photographs, by_category=True, section=2)["gray"]
    assert people == rows([], find_photographs(tmp_path / "people"))["gray"]


def test_the_mean_color_of_a_category_is_that_of_the_whole_set(tmp_path):
    for name, color in (("red", (200, 60, 60)), ("blue", (60, 60, 200))):
        (tmp_path / name).mkdir()
        Image.new("RGB", (20, 20), color).save(tmp_path / name / "plain.png")
    blue = rows([], find_photographs(tmp_path), by_category=True, section=1)
    assert blue["mean color"]["rmse"] > 30


def test_photographs_without_categories_are_an_error(folder):
    with pytest.raises(DataError, match="No photograph has a category"):
        evaluate([], find_photographs(folder), size=SIZE, by_category=True)


# Intervals and comparisons


def test_a_figure_lies_within_its_interval(folder, zhang):
    (section,) = evaluate([zhang], find_photographs(folder), size=SIZE).table.sections
    for cells in section.rows.values():
        for figure in cells.values():
            assert figure.interval[0] - 1e-6 <= figure.value <= figure.interval[1] + 1e-6


def test_every_model_is_compared_with_the_mean_color_and_with_every_other(folder, tmp_path):
    pipelines = [pipeline(save_weights(tmp_path / f"{name}.safetensors", seed)) for seed, name in enumerate("ab")]
    table = evaluate(pipelines, find_photographs(folder), size=SIZE).table
    pairs = {(each.one, each.other) for each in table.comparisons}
    assert pairs == {("zhang.a", "mean color"), ("zhang.b", "mean color"), ("zhang.b", "zhang.a")}
    assert "colorfulness" not in {each.column for each in table.comparisons}  # which has no better


# Metrics


def test_a_plugin_metric_is_a_column_like_the_others(folder):
    table = evaluate([], find_photographs(folder), size=SIZE, metrics=[Redness()]).table
    assert [column.heading for column in table.columns] == ["redness"]
    assert table.sections[0].rows["original"]["redness"].value == pytest.approx(
        float(torch.stack([rgb(read_square(each, SIZE))[0] for each in find_photographs(folder)]).mean())
    )


@pytest.mark.parametrize(
    ("measure", "said"),
    {
        "fails": (lambda *_: 1 / 0, "ZeroDivisionError: division by zero"),
        "measures NaN": (lambda *_: float("nan"), "must be a number, got NaN"),
        "changes its shape": (
            lambda predicted, _: predicted.rgb.flatten()[: int(predicted.rgb.sum()) % 97],
            "Measurements must",
        ),
        "measures no number": (lambda *_: "much", "could not convert"),
        "has no figure of what it measured": (lambda *_: torch.zeros(2), "only one element"),
    }.values(),
)
def test_a_broken_metric_gives_its_reason_and_the_others_are_measured(folder, measure, said):
    table = evaluate([], find_photographs(folder), size=SIZE, metrics=[Broken(measure), Redness()]).table
    broken, redness = table.columns
    assert said in broken.missing
    assert redness.missing == ""
    assert set(table.sections[0].rows["gray"]) == {"redness"}


def test_colorizing_does_not_import_evaluation():
    code = "import sys, colorcli.inference.pipeline, colorcli.inference.model, colorcli.cli; print(*sys.modules)"
    modules = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()
    assert not [name for name in modules if name.startswith("colorcli.evaluation")]
