import json
import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest
import torch
from PIL import Image

from colorcli.color import rgb_to_lab
from colorcli.errors import DataError, PluginError
from colorcli.evaluation.evaluate import evaluate, read_square
from colorcli.joining import join
from colorcli.media.photographs import find_photographs
from tests.evaluation.pictures import line, save_grey, save_photographs, save_weights

SIZE = 32


@pytest.fixture
def folder(tmp_path):
    save_photographs(tmp_path / "set", 5)
    return tmp_path / "set"


@pytest.fixture
def zhang(tmp_path):
    return line(save_weights(tmp_path / "small.safetensors"))


def rgb(pixels):
    return torch.from_numpy(np.array(pixels)).permute(2, 0, 1).double() / 255


def test_a_table_has_grey_the_mean_colour_and_every_model(folder, zhang):
    table = evaluate([zhang], find_photographs(folder), size=SIZE)
    assert list(table.rows) == ["grey", "mean colour", "zhang.small"]
    assert table.count == 5


def test_grey_has_no_colorfulness_and_the_error_that_is_the_true_chroma(folder):
    figures = evaluate([], find_photographs(folder), size=SIZE).rows["grey"]
    true = [rgb_to_lab(rgb(read_square(each, SIZE)))[1:] for each in find_photographs(folder)]
    assert figures["colorfulness"] == pytest.approx(0, abs=0.02)
    assert figures["rmse"] == pytest.approx(float(torch.stack(true).square().sum(1).mean().sqrt()), rel=1e-5)
    assert figures["l1"] == pytest.approx(float(torch.stack(true).abs().mean()), rel=1e-5)


def test_the_mean_colour_is_the_constant_of_least_squared_error(folder):
    rows = evaluate([], find_photographs(folder), size=SIZE).rows
    true = torch.stack([rgb_to_lab(rgb(read_square(each, SIZE)))[1:] for each in find_photographs(folder)])
    least = (true - true.mean(dim=(0, 2, 3), keepdim=True)).square().sum(1).mean().sqrt()
    assert rows["mean colour"]["rmse"] == pytest.approx(float(least), rel=1e-5)
    assert rows["mean colour"]["rmse"] < rows["grey"]["rmse"]


def test_one_picture_of_one_colour_is_met_exactly_by_the_mean_colour(tmp_path):
    Image.new("RGB", (20, 20), (180, 120, 90)).save(tmp_path / "plain.png")
    figures = evaluate([], find_photographs(tmp_path), size=SIZE).rows["mean colour"]
    assert figures["rmse"] == pytest.approx(0, abs=1e-3)
    assert figures["psnr"] > 80
    assert figures["ssim"] == pytest.approx(1, abs=1e-4)
    assert figures["colorfulness_delta"] == pytest.approx(0, abs=0.01)
    assert figures["auc"] == pytest.approx(100 * 150 / 151, abs=0.7)


def test_the_order_of_the_photographs_changes_nothing(folder, zhang):
    photographs = find_photographs(folder)
    forward, backward = (evaluate([zhang], each, size=SIZE).rows for each in (photographs, photographs[::-1]))
    for name, figures in forward.items():
        assert backward[name] == pytest.approx(figures, rel=1e-6)


def test_a_set_larger_than_a_batch_has_the_figures_of_its_halves_together(tmp_path, zhang):
    save_photographs(tmp_path / "set", 20)
    photographs = find_photographs(tmp_path / "set")
    whole = evaluate([zhang], photographs, size=SIZE).rows["zhang.small"]
    halves = [evaluate([zhang], half, size=SIZE).rows["zhang.small"] for half in (photographs[:10], photographs[10:])]
    for name in ("auc", "l1", "psnr", "ssim", "colorfulness"):
        assert whole[name] == pytest.approx((halves[0][name] + halves[1][name]) / 2, rel=1e-4)


def test_a_model_is_judged_by_the_picture_that_run_makes(tmp_path, zhang):
    save_photographs(tmp_path / "one", 1, size=(64, 64))
    (photograph,) = find_photographs(tmp_path / "one")
    pixels = read_square(photograph, 64)
    coloured = rgb(zhang.model.colorize(pixels))
    expected = -10 * torch.log10((coloured - rgb(pixels)).square().mean())
    figures = evaluate([zhang], [photograph], size=64).rows["zhang.small"]
    assert figures["psnr"] == pytest.approx(float(expected), abs=0.05)  # which has 8 bits


def test_every_row_keeps_the_lightness_of_the_photograph(folder, zhang):
    from colorcli.media.images import Frame

    for photograph in find_photographs(folder):
        pixels = read_square(photograph, SIZE).astype(np.uint16) * np.uint16(257)
        (ab,) = zhang.chroma([Frame(pixels)])
        before, after = (rgb_to_lab(rgb(each) * 255 / 65535)[0] for each in (pixels, join(pixels, ab)))
        assert (before - after).abs().max() < 0.05


def test_photographs_without_colour_are_left_out_and_named(folder, zhang):
    before = evaluate([zhang], find_photographs(folder), size=SIZE)
    save_grey(folder / "grey.png")
    table = evaluate([zhang], find_photographs(folder), size=SIZE)
    assert table.grey == ["grey.png"]
    assert table.rows == before.rows


def test_photographs_that_cannot_be_read_are_left_out_and_named(folder, zhang):
    before = evaluate([zhang], find_photographs(folder), size=SIZE)
    (folder / "broken.jpg").write_bytes(b"no picture")
    (folder / "02b.png").write_bytes((folder / "02.png").read_bytes()[:200])
    table = evaluate([zhang], find_photographs(folder), size=SIZE)
    assert [message.split(":")[0] for message in table.unreadable] == ["02b.png", "broken.jpg"]
    assert table.rows == before.rows


@pytest.mark.parametrize("kind", ["none", "grey"])
def test_a_set_without_colour_is_an_error(tmp_path, kind):
    if kind == "grey":
        save_grey(tmp_path / "grey.png")
    with pytest.raises(DataError, match="nothing to compare with"):
        evaluate([], find_photographs(tmp_path), size=SIZE)


def test_a_model_that_gives_no_finite_colours_is_named(folder, tmp_path):
    broken = line(save_weights(tmp_path / "nan.safetensors", **{"model8.6.bias": float("nan")}))
    with pytest.raises(PluginError, match=r"zhang\.nan gave chroma that is not finite"):
        evaluate([broken], find_photographs(folder), size=SIZE)


def test_options_of_a_model_change_its_figures_and_are_in_the_protocol(folder, tmp_path):
    path = save_weights(tmp_path / "small.safetensors")
    mean, mode = (evaluate([line(path, temperature=t)], find_photographs(folder), size=SIZE) for t in (1.0, 0.01))
    assert mode.rows["zhang.small"]["colorfulness"] > mean.rows["zhang.small"]["colorfulness"]
    assert "temperature=0.01" in mode.markdown("set", "command")


def test_both_passes_are_watched(folder):
    seen = []

    def watch(what, photographs):
        for photograph in photographs:
            seen.append(what)
            yield photograph

    evaluate([], find_photographs(folder), size=SIZE, watch=watch)
    assert seen == ["reading"] * 5 + ["evaluating"] * 5


def test_a_table_says_how_it_was_made(folder, zhang):
    text = evaluate([zhang], find_photographs(folder), size=SIZE).markdown("my set", "colorcli evaluate zhang set")
    for fact in (
        "my set: 5 photographs at 32x32",
        "zhang.small: network at 256x256",
        "cpu in fp32",
        "torch ",
        "`colorcli",
    ):
        assert fact in text


def test_an_infinite_figure_is_null_in_json(folder):
    table = evaluate([], find_photographs(folder), size=SIZE)
    table = replace(table, rows={"grey": {**table.rows["grey"], "psnr": float("inf")}})
    assert json.loads(table.json("set", "command"))["rows"]["grey"]["psnr"] is None


def test_colorizing_does_not_import_evaluation():
    code = "import sys, colorcli.engine, colorcli.model, colorcli.cli; print(*sys.modules)"
    modules = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()
    assert not [name for name in modules if name.startswith("colorcli.evaluation")]
