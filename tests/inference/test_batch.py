"""A folder that mixes gray, tinted and colored pictures, outputs of earlier runs, and runs at the same time."""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import ClassVar

import numpy as np
import pytest
from PIL import Image

from colorcli.errors import OutputExists
from colorcli.inference import batch
from colorcli.inference.batch import colorize_files
from colorcli.jobs import Job, plan
from colorcli.media.pictures.files import open_picture
from colorcli.media.pictures.provenance import read_provenance
from tests.inference.test_pipeline import pipeline_of
from tests.media.pictures.samples import color


def ramp() -> np.ndarray:
    return np.add.outer(np.arange(48), np.arange(64)).astype(np.float64) / 110


def gray_picture(path: Path) -> None:
    Image.fromarray((ramp() * 255).astype(np.uint8)).save(path)


def sepia_picture(path: Path) -> None:
    dark, light = np.array((30, 18, 10)), np.array((250, 235, 205))
    Image.fromarray((dark + ramp()[..., None] * (light - dark)).astype(np.uint8)).save(path)


@pytest.fixture
def mixed(tmp_path):
    folder = tmp_path / "mixed"
    folder.mkdir()
    gray_picture(folder / "gray.png")
    sepia_picture(folder / "sepia.png")
    Image.fromarray(color()).save(folder / "color.jpg", quality=90)
    return folder


def run(folder: Path, output: Path | None = None, **settings):
    planned = plan([folder], output, format=settings.pop("format", None))
    outcomes = list(colorize_files(settings.pop("pipeline", pipeline_of()), planned.jobs, **settings))
    return {outcome.job.source.name: outcome for outcome in outcomes}


def test_what_is_in_color_is_copied_byte_for_byte(mixed, tmp_path):
    outcomes = run(mixed, tmp_path / "out")
    assert {name: outcome.kind for name, outcome in outcomes.items()} == {
        "color.jpg": "copy",
        "gray.png": "color",
        "sepia.png": "color",
    }
    assert (tmp_path / "out/color.jpg").read_bytes() == (mixed / "color.jpg").read_bytes()
    assert read_provenance(tmp_path / "out/gray.png") == pipeline_of().provenance


def test_a_sepia_picture_is_colored_like_a_gray_one_and_reported(mixed, tmp_path):
    outcomes = run(mixed, tmp_path / "out")
    assert "tinted" in outcomes["sepia.png"].notes["tone"]
    assert "tone" not in outcomes["gray.png"].notes
    assert read_provenance(tmp_path / "out/sepia.png") is not None


def test_a_copy_is_done_the_next_time(mixed, tmp_path):
    run(mixed, tmp_path / "out")
    assert all(outcome.done_before for outcome in run(mixed, tmp_path / "out").values())


def test_recolor_colors_everything(mixed, tmp_path):
    outcomes = run(mixed, tmp_path / "out", recolor=True)
    assert {outcome.kind for outcome in outcomes.values()} == {"color"}
    assert read_provenance(tmp_path / "out/color.jpg") == pipeline_of().provenance


def test_a_copy_is_not_replaced_by_recolor_unless_overwritten(mixed, tmp_path):
    run(mixed, tmp_path / "out")
    assert isinstance(run(mixed, tmp_path / "out", recolor=True)["color.jpg"].error, OutputExists)
    assert run(mixed, tmp_path / "out", recolor=True, overwrite=True)["color.jpg"].error is None


def test_another_file_in_the_place_of_a_copy_is_left_alone(mixed, tmp_path):
    (tmp_path / "out").mkdir()
    (tmp_path / "out/color.jpg").write_bytes(b"mine")
    assert isinstance(run(mixed, tmp_path / "out")["color.jpg"].error, OutputExists)
    assert (tmp_path / "out/color.jpg").read_bytes() == b"mine"


def test_a_copy_keeps_its_format_where_others_are_converted(mixed, tmp_path):
    outcomes = run(mixed, tmp_path / "out", format="png")
    assert outcomes["color.jpg"].output == tmp_path / "out/color.jpg"
    assert (tmp_path / "out/color.jpg").read_bytes() == (mixed / "color.jpg").read_bytes()
    assert run(mixed, tmp_path / "out", format="png")["color.jpg"].done_before


def test_a_picture_with_an_unknown_suffix_is_colored_or_copied_to_a_name_of_its_own(mixed):
    names = {"gray.png": "gray.dat", "color.jpg": "color.dat"}
    for old, new in names.items():
        (mixed / old).rename(mixed / new)
    (mixed / "notes.txt").write_text("not a picture")
    outcomes = {new: run(mixed / new)[new] for new in (*names.values(), "notes.txt")}
    assert {name: (outcome.kind, outcome.output.name, outcome.done_before) for name, outcome in outcomes.items()} == {
        "gray.dat": ("color", "gray.dat-color", False),
        "color.dat": ("copy", "color.dat-color", False),
        "notes.txt": ("color", "notes.txt-color", False),
    }
    assert [name for name, outcome in outcomes.items() if outcome.error] == ["notes.txt"]


def test_a_picture_in_color_has_no_entropy(mixed, tmp_path):
    outcomes = run(mixed, tmp_path / "out", kind="entropy")
    assert outcomes["color.jpg"].kind == "skipped"
    assert not (tmp_path / "out/color.jpg").exists()


def test_an_output_of_an_earlier_run_is_left_out(mixed, tmp_path):
    run(mixed, mixed / "first", recolor=True)
    assert open_picture(mixed / "first/color.jpg").provenance == pipeline_of().provenance
    outcomes = run(mixed / "first", tmp_path / "second")
    assert {outcome.kind for outcome in outcomes.values()} == {"skipped"}
    assert all("output of colorcli" in outcome.remarks[0] for outcome in outcomes.values())
    assert not (tmp_path / "second").exists()
    gray = Image.open(mixed / "first/gray.png").convert("L").convert("RGB")
    gray.save(mixed / "first/gray.png", exif=gray.getexif())
    assert run(mixed / "first", tmp_path / "third")["gray.png"].kind == "color"


def pages(path: Path, *pixels: np.ndarray) -> None:
    first, *others = (Image.fromarray(each) for each in pixels)
    first.save(path, save_all=True, append_images=others)


def test_pages_in_color_stay_as_they_are_among_gray_ones(tmp_path):
    gray = np.dstack([(ramp() * 255).astype(np.uint8)] * 3)
    (tmp_path / "book").mkdir()
    pages(tmp_path / "book/a.tif", color(), gray, color())
    outcome = run(tmp_path / "book", tmp_path / "out")["a.tif"]
    assert outcome.kind == "color"
    assert "2 of 3 pages are already in color" in outcome.remarks[0]
    first, second, third = (frame.pixels for frame in open_picture(tmp_path / "out/a.tif").frames())
    assert np.array_equal(first, color())
    assert np.array_equal(third, color())
    assert not np.array_equal(second, gray)


def test_a_book_in_color_is_copied(tmp_path):
    (tmp_path / "book").mkdir()
    pages(tmp_path / "book/a.tif", color(), color()[::-1].copy())
    assert run(tmp_path / "book", tmp_path / "out")["a.tif"].kind == "copy"
    assert (tmp_path / "out/a.tif").read_bytes() == (tmp_path / "book/a.tif").read_bytes()


# Runs at the same time, and clocks


def test_another_run_with_the_same_settings_counts_as_done(mixed, tmp_path, monkeypatch):
    run(mixed, tmp_path / "other")
    real = batch.write_picture

    def late(target, *args, **keywords):
        target.parent.mkdir(exist_ok=True)
        target.write_bytes((tmp_path / "other" / target.name).read_bytes())
        return real(target, *args, **keywords)

    monkeypatch.setattr(batch, "write_picture", late)
    outcomes = run(mixed, tmp_path / "out")
    assert outcomes["gray.png"].error is None
    assert outcomes["gray.png"].done_before


def test_another_run_with_other_settings_loses_nothing(mixed, tmp_path, monkeypatch):
    run(mixed, tmp_path / "other", pipeline=pipeline_of(strength=0.5))
    real = batch.write_picture

    def late(target, *args, **keywords):
        target.parent.mkdir(exist_ok=True)
        target.write_bytes((tmp_path / "other" / target.name).read_bytes())
        return real(target, *args, **keywords)

    monkeypatch.setattr(batch, "write_picture", late)
    outcomes = run(mixed, tmp_path / "out")
    assert isinstance(outcomes["gray.png"].error, OutputExists)
    assert (tmp_path / "out/gray.png").read_bytes() == (tmp_path / "other/gray.png").read_bytes()


@pytest.mark.parametrize("days", [1, 400])
def test_a_source_from_the_future_is_done_once(mixed, tmp_path, days):
    for path in mixed.iterdir():
        os.utime(path, (time.time() + days * 86_400,) * 2)
    run(mixed, tmp_path / "out")
    assert all(outcome.done_before for outcome in run(mixed, tmp_path / "out").values())


class Watched(type(Path())):
    """A path that lists which ones were hashed: each then keeps its hash, and there may be millions."""

    hashed: ClassVar[list[str]] = []

    def __hash__(self) -> int:
        self.hashed.append(self.name)
        return super().__hash__()


def test_a_run_leaves_nothing_in_the_paths_of_its_jobs(mixed, tmp_path):
    jobs = [
        Job(Watched(mixed / name), Watched(tmp_path / "out" / name), name)
        for name in ("gray.png", "sepia.png", "color.jpg", "missing.png")
    ]
    Watched.hashed.clear()
    outcomes = [*colorize_files(pipeline_of(), jobs), *colorize_files(pipeline_of(batch_size=4), jobs)]
    assert [outcome.job.relative for outcome in outcomes] == [job.relative for job in jobs] * 2
    assert not [name for name in Watched.hashed if name in {job.relative for job in jobs}]
