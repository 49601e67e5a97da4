"""Hints in a pipeline: what they change, what their notes say, and that different hints are different settings."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
import torch
from PIL import Image

from colorcli.color import rgb_to_lab
from colorcli.hints.files import HintSet
from colorcli.hints.hint import Hint, WrittenHint
from colorcli.inference.batch import colorize_files
from colorcli.inference.hinted import HintedPipeline, spreader_of
from colorcli.inference.uncertainty import SamplingPipeline
from colorcli.jobs import plan
from colorcli.media.pictures.files import Frame
from colorcli.media.pictures.provenance import read_provenance
from tests.inference.test_pipeline import pipeline_of
from tests.inference.test_uncertainty import pipeline_of as sampling_pipeline_of

RED = (176, 48, 32)


def halves(height=60, width=90, left=70, right=190):
    """A gray picture with a strong edge in the middle."""
    pixels = np.full((height, width), left, np.uint8)
    pixels[:, width // 2 :] = right
    return pixels


def lab_of(pixels):
    return rgb_to_lab(torch.from_numpy(pixels).permute(2, 0, 1)[None].float() / 255)[0]


def test_a_hint_colors_its_region_and_not_the_one_beyond_the_edge():
    frame = Frame(halves())
    (plain,), (hinted,) = (
        list(each.colorize([frame])) for each in (pipeline_of(), HintedPipeline(pipeline_of(), [Hint(0.2, 0.5, RED)]))
    )
    before, after = lab_of(plain.pixels), lab_of(hinted.pixels)
    wanted = spreader_of(frame).fit(Hint(0.2, 0.5, RED)).rgb
    assert np.abs(hinted.pixels[30, 18].astype(int) - wanted).max() <= 3
    assert (after[0] - before[0]).abs().max() < 1
    assert (after[1:, :, 50:] - before[1:, :, 50:]).abs().max() < 1


def test_without_hints_the_colors_are_those_of_the_pipeline():
    frame = Frame(halves())
    (plain,), (hinted,) = (list(each.colorize([frame])) for each in (pipeline_of(), HintedPipeline(pipeline_of(), [])))
    assert np.array_equal(plain.pixels, hinted.pixels)


def test_a_hint_keeps_its_color_whatever_the_strength():
    frame = Frame(halves())
    hint = Hint(0.2, 0.5, RED)
    colors = [
        next(HintedPipeline(pipeline_of(strength=strength), [hint]).colorize([frame])).pixels[30, 18].astype(int)
        for strength in (0.0, 1.0)
    ]
    assert np.abs(colors[0] - colors[1]).max() <= 2


def test_hints_work_with_sampled_colorings():
    sampled = SamplingPipeline(sampling_pipeline_of(), 3)
    colored = next(HintedPipeline(sampled, [Hint(0.2, 0.5, RED)]).colorize([Frame(halves())]))
    plain = next(sampled.colorize([Frame(halves())]))
    assert np.abs(colored.pixels[:, 50:].astype(int) - plain.pixels[:, 50:]).max() <= 2
    assert np.abs(colored.pixels[30, 18].astype(int) - plain.pixels[30, 18]).max() > 10


def test_the_notes_say_what_became_of_the_colors():
    hints = [Hint(0.2, 0.5, RED), Hint(0.8, 0.5, (0, 0, 255))]
    ((_, notes),) = HintedPipeline(pipeline_of(), hints).predict([Frame(halves())])
    assert notes["hints"].startswith("#b03020 at 20%,50% becomes #")
    assert notes["hints"].endswith("paler because the picture is too light there")


def test_many_hints_are_counted_and_not_listed():
    hints = [Hint(0.01 * n, 0.5, RED) for n in range(30)]
    ((_, notes),) = HintedPipeline(pipeline_of(), hints).predict([Frame(halves())])
    assert notes["hints"].endswith("; and 20 more")


def test_different_hints_are_different_settings():
    hint = Hint(0.2, 0.5, RED)
    hinted = [
        [],
        [hint],
        [dataclasses.replace(hint, radius=0.02)],
        [dataclasses.replace(hint, rgb=(0, 0, 0))],
        [hint, hint],
    ]
    digests = {HintedPipeline(pipeline_of(), hints).provenance.settings for hints in hinted}
    assert len(digests | {pipeline_of().provenance.settings}) == len(hinted) + 1


@pytest.fixture
def folder(tmp_path):
    for name in ("a.png", "b.png", "in/b.png"):
        (tmp_path / "photos" / name).parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(halves()).save(tmp_path / "photos" / name)
    return tmp_path / "photos"


def run(folder, hints, **settings):
    outcomes = colorize_files(pipeline_of(), plan([folder], None).jobs, hints=HintSet(hints), **settings)
    return {outcome.job.relative: outcome for outcome in outcomes}


def red(path):
    with Image.open(path) as image:
        return np.asarray(image)[30, 18, 0] > np.asarray(image)[30, 18, 2] + 40


def test_each_picture_of_a_folder_has_its_own_hints(folder):
    at = WrittenHint.parse("18,30=#b03020")
    outcomes = run(folder, {"in/b.png": (at,)})
    assert {name: outcome.hints for name, outcome in outcomes.items()} == {
        "a.png": (),
        "b.png": (),
        "in/b.png": ("20.5556%,50.8333%=#b03020",),
    }
    assert {name: red(outcome.output) for name, outcome in outcomes.items()} == {
        "a.png": False,
        "b.png": False,
        "in/b.png": True,
    }
    assert read_provenance(outcomes["a.png"].output) != read_provenance(outcomes["in/b.png"].output)


def test_outputs_with_the_same_hints_are_done_and_others_are_not_replaced(folder):
    at, elsewhere = WrittenHint.parse("20%,50%=#b03020"), WrittenHint.parse("20%,51%=#b03020")
    run(folder, {"a.png": (at,)})
    assert all(outcome.done_before for outcome in run(folder, {"a.png": (at,)}).values())
    again = run(folder, {"a.png": (elsewhere,)})
    assert "with other settings" in str(again["a.png"].error)
    assert again["b.png"].done_before
    replaced = run(folder, {"a.png": (elsewhere,)}, overwrite=True)
    assert replaced["a.png"].error is None


@pytest.mark.parametrize(
    ("text", "problem"), [("900,3=red", "is outside the picture"), ("3,3@0:12=red", "has a time, but")]
)
def test_a_hint_that_does_not_fit_stops_its_picture_only(folder, text, problem):
    outcomes = run(folder, {"a.png": (WrittenHint.parse(text),)})
    assert problem in str(outcomes["a.png"].error)
    assert outcomes["b.png"].error is None


def test_hints_for_a_picture_in_color_are_reported_unused(tmp_path):
    pixels = np.random.default_rng(0).integers(0, 256, (40, 40, 3), np.uint8)
    Image.fromarray(pixels).save(tmp_path / "color.png")
    hints = HintSet({"": (WrittenHint.parse("3,3=red"),)})
    jobs = plan([tmp_path / "color.png"], None).jobs
    (outcome,) = colorize_files(pipeline_of(), jobs, hints=hints)
    assert outcome.kind == "copy"
    assert outcome.remarks == ("its hints were not used, because it is already in color; use --recolor to apply them",)


def test_every_page_of_a_file_gets_the_hints(tmp_path):
    pages = [Image.fromarray(halves()), Image.fromarray(halves(120, 180))]
    pages[0].save(tmp_path / "a.tif", save_all=True, append_images=pages[1:])
    jobs = plan([tmp_path / "a.tif"], None).jobs
    (outcome,) = colorize_files(pipeline_of(), jobs, hints=HintSet({"": (WrittenHint.parse("20%,50%=#b03020"),)}))
    assert outcome.hints == ("20%,50%=#b03020",)
    with Image.open(outcome.output) as image:
        for page, (row, column) in enumerate([(30, 18), (60, 36)]):
            image.seek(page)
            pixel = np.asarray(image.convert("RGB"))[row, column].astype(int)
            assert pixel[0] > pixel[2] + 40


def test_the_python_api_takes_hints():
    model = pipeline_of().model
    picture = Image.fromarray(halves())
    hint = Hint.parse("18,30=#b03020", picture.size)
    hinted, plain = model.colorize(picture, hints=[hint]), model.colorize(picture)
    assert np.abs(np.asarray(hinted)[30, 18].astype(int) - np.asarray(plain)[30, 18]).max() > 10
    (streamed,) = model.colorize([picture], hints=[hint])
    assert np.array_equal(np.asarray(streamed), np.asarray(hinted))
