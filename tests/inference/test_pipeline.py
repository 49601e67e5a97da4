import logging
import os
import shutil
import subprocess
import sys
import threading
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from torch import nn

import colorcli
from colorcli import Colorizer, Prediction
from colorcli.errors import PluginError, UnreadableMedia, UnwritableMedia, UsageError
from colorcli.inference import batch as batches
from colorcli.inference import pipeline as pipelines
from colorcli.inference.batch import colorize_files
from colorcli.inference.device import choose
from colorcli.inference.model import Model
from colorcli.inference.pipeline import Pipeline
from colorcli.inference.stopwatch import Stopwatch
from colorcli.jobs import Job, plan
from colorcli.media.pictures.files import Frame
from colorcli.media.pictures.provenance import read_provenance
from tests.clock import Clock
from tests.threads import threads
from tests.tiny import write_tiny_weights

ROOT = Path(__file__).parents[2]
STATM = Path("/proc/self/statm")


class Plain(Colorizer):
    """A colorizer whose network is given; it works at 16 pixels, or at a picture's own size."""

    name = "plain"
    summary = "Chroma is lightness."
    multiple_of = 8

    def __init__(self, size):
        self.size = size

    def build(self):
        return nn.Identity()

    def predict(self, network, lightness):
        return (network(lightness) - 50).expand(-1, 2, -1, -1) / 4


def pipeline_of(network=None, *, size=16, **settings):
    model = Model(Plain(size), network or nn.Identity(), choose("cpu", "fp32"), tag="test", fingerprint="0", size=size)
    return Pipeline(model, **settings)


class Listening(nn.Module):
    """Records the shapes of its inputs, and fails on a white picture."""

    def __init__(self):
        super().__init__()
        self.shapes = []

    def forward(self, lightness):
        self.shapes.append(tuple(lightness.shape))
        if (lightness.flatten(1).mean(dim=1) > 99).any():
            return lightness * float("nan")
        return lightness


@pytest.fixture
def pipeline():
    return pipeline_of(batch_size=2)


def gray(seed=0, height=24, width=32):
    noise = np.random.default_rng(seed).integers(40, 200, (height // 4, width // 4), np.uint8)
    return np.kron(noise, np.ones((4, 4), np.uint8))


@pytest.fixture
def photos(tmp_path):
    """Nine pictures, each of another size and format."""
    folder = tmp_path / "photos"
    folder.mkdir()
    suffixes = ["jpg", "png", "tif", "webp", "bmp", "jpg", "png", "jpg", "png"]
    for n, suffix in enumerate(suffixes):
        Image.fromarray(gray(n, 24 + 4 * n, 32)).save(folder / f"{n}.{suffix}")
    return folder


def jobs_of(folder):
    return plan([folder], None).jobs


def run(pipeline, folder, **settings):
    return list(colorize_files(pipeline, jobs_of(folder), **settings))


def written(folder):
    return {path: path.stat().st_mtime_ns for path in folder.rglob("*") if path.is_file()}


# Frames


def test_pictures_of_different_sizes_share_a_batch():
    network = Listening()
    frames = [Frame(gray(n, 20 + 4 * n, 40)) for n in range(5)]
    out = list(pipeline_of(network, batch_size=2).colorize(frames))
    assert network.shapes == [(2, 1, 16, 16), (2, 1, 16, 16), (1, 1, 16, 16)]
    assert [frame.pixels.shape for frame in out] == [(20 + 4 * n, 40, 3) for n in range(5)]


def test_large_pictures_do_not_wait_in_memory_for_others(monkeypatch):
    monkeypatch.setattr(pipelines, "BATCH_PIXELS", 1000)
    network = Listening()
    heights = [40, 40, 8, 8, 8]
    out = list(
        pipeline_of(network, batch_size=3).colorize(Frame(gray(n, height, 40)) for n, height in enumerate(heights))
    )
    assert [shape[0] for shape in network.shapes] == [1, 1, 3]
    assert [len(frame.pixels) for frame in out] == heights


class Bounded(Plain):
    longest_side = 32


@pytest.mark.parametrize(
    ("shape", "seen"),
    [((24, 32), (24, 32)), ((64, 96), (24, 32)), ((96, 64), (32, 24)), ((1, 400), (8, 32)), ((33, 33), (32, 32))],
)
def test_a_network_with_a_longest_side_sees_larger_pictures_at_that_size(shape, seen):
    network = Listening()
    model = Model(Bounded(None), network, choose("cpu", "fp32"), tag="test", fingerprint="0", size=None)
    frame = Frame(np.full(shape, 128, np.uint8))
    (colored,) = Pipeline(model).colorize([frame])
    assert network.shapes == [(1, 1, *seen)]
    assert colored.pixels.shape == (*shape, 3)


def test_chroma_for_lightness_beyond_the_longest_side_has_the_size_of_the_lightness():
    model = Model(Bounded(None), Listening(), choose("cpu", "fp32"), tag="test", fingerprint="0", size=None)
    assert Pipeline(model).predict_lightness(torch.full((1, 1, 50, 100), 30.0)).values.shape == (1, 2, 50, 100)


@pytest.mark.parametrize(("shape", "padded"), [((24, 32), (24, 32)), ((21, 35), (24, 40)), ((1, 1), (8, 8))])
def test_a_network_without_a_size_gets_the_picture_padded_to_multiples(shape, padded):
    network = Listening()
    pixels = np.full(shape, 128, np.uint8)
    (out,) = pipeline_of(network, size=None).colorize([Frame(pixels)])
    assert network.shapes == [(1, 1, *padded)]
    assert out.pixels.shape == (*shape, 3)


def test_chroma_smaller_than_the_picture_is_scaled_up():
    (out,) = pipeline_of(nn.AvgPool2d(4), size=None).colorize([Frame(gray()[:21, :27])])
    assert out.pixels.shape == (21, 27, 3)
    assert np.ptp(out.pixels.astype(int), axis=2).max() > 3


class Noting(Plain):
    """Notes the mean lightness of each picture."""

    def predict(self, network, lightness):
        ab = super().predict(network, lightness)
        return Prediction(ab, [{"category": "people", "mean": picture.mean().item()} for picture in lightness])


@pytest.mark.parametrize("size", [16, None])
def test_the_colorizers_notes_about_a_picture_are_in_its_outcome(photos, size):
    model = Model(Noting(size), nn.Identity(), choose("cpu", "fp32"), tag="test", fingerprint="0", size=size)
    outcomes = run(Pipeline(model, batch_size=2), photos)
    means = [Pipeline(model).model.predict(torch.full((1, 1, 16, 16), 30.0)).mean()]
    assert means == [-5]
    assert {outcome.notes["category"] for outcome in outcomes} == {"people"}
    assert len({outcome.notes["mean"] for outcome in outcomes}) == len(outcomes)


def test_a_wrong_number_of_notes_is_an_error():
    class Wrong(Plain):
        def predict(self, network, lightness):
            return Prediction(super().predict(network, lightness), [{}])

    model = Model(Wrong(16), nn.Identity(), choose("cpu", "fp32"), tag="test", fingerprint="0", size=16)
    with pytest.raises(PluginError, match="returned 1 notes for 2 pictures"):
        model.predict(torch.zeros(2, 1, 16, 16))


def test_a_frame_keeps_its_alpha_and_its_time():
    alpha = gray(1)
    (out,) = pipeline_of().colorize([Frame(gray(), alpha, 0.25)])
    assert out.alpha is alpha
    assert out.seconds == 0.25


def test_the_digest_covers_every_setting_that_affects_the_colors(tmp_path):
    tiny = colorcli.load("zhang", weights=write_tiny_weights(tmp_path / "a.safetensors"), device="cpu")
    other = colorcli.load("zhang", weights=write_tiny_weights(tmp_path / "b.safetensors", 1), device="cpu")
    pipelines = [
        Pipeline(tiny),
        Pipeline(other),
        Pipeline(tiny, strength=0.5),
        Pipeline(tiny, options={"temperature": 1.0}),
    ]
    assert len({pipeline.provenance.settings for pipeline in pipelines}) == 4
    assert Pipeline(tiny, batch_size=7).provenance == Pipeline(tiny, options={"temperature": 0.38}).provenance


@pytest.mark.parametrize("strength", [-0.1, 1.1, float("nan")])
def test_a_strength_outside_0_to_1_is_refused(strength):
    with pytest.raises(UsageError, match="strength must be between 0 and 1, got"):
        pipeline_of(strength=strength)


# Files


@pytest.mark.parametrize("batch_size", [1, 4, 100])
def test_every_file_is_colorized_and_reported_in_order(photos, batch_size):
    outcomes = run(pipeline_of(batch_size=batch_size), photos)
    assert [outcome.job for outcome in outcomes] == jobs_of(photos)
    assert [outcome.error for outcome in outcomes] == [None] * 9
    assert all(outcome.seconds > 0 for outcome in outcomes)
    for outcome in outcomes:
        with Image.open(outcome.job.target) as out, Image.open(outcome.job.source) as source:
            assert out.mode == "RGB"
            assert (out.size, out.format) == (source.size, source.format)


def test_an_output_records_its_provenance(photos, pipeline):
    for outcome in run(pipeline, photos):
        assert read_provenance(outcome.job.target) == pipeline.provenance


def test_a_file_has_the_same_colors_in_any_batch(photos, tmp_path):
    for size in (1, 5):
        run(pipeline_of(batch_size=size), photos)
        shutil.move(photos.with_name("photos-color"), tmp_path / str(size))
    for path in (tmp_path / "1").glob("*.*g"):
        assert path.read_bytes() == (tmp_path / "5" / path.name).read_bytes()


@pytest.mark.parametrize(("pictures", "sizes"), [(9, [4, 4, 1]), (4, [2, 2]), (1, [1])])
def test_a_batch_leaves_work_for_each_core(photos, pictures, sizes):
    found = []

    class Counting(nn.Identity):
        def forward(self, lightness):
            found.append(len(lightness))
            return lightness

    with threads(2):
        list(colorize_files(pipeline_of(Counting(), batch_size=4), jobs_of(photos)[:pictures]))
    assert sorted(found, reverse=True) == sizes


def test_batches_on_a_cpu_are_of_several_pictures_in_bf16_only():
    for device, size in ((choose("cpu", "bf16"), 4), (choose("cpu", "fp32"), 1)):
        model = Model(Plain(16), nn.Identity(), device, tag="test", fingerprint="0", size=16)
        assert Pipeline(model).batch_size == size


def test_one_bad_file_never_stops_the_others(photos, pipeline):
    (photos / "0.jpg").write_bytes(b"no picture")
    (photos / "3.webp").write_bytes((photos / "3.webp").read_bytes()[:60])
    (photos / "8.png").unlink()
    (photos / "8.png").symlink_to(photos / "1.png")
    jobs = jobs_of(photos)
    (photos / "7.jpg").unlink()  # it vanishes after the plan was made
    outcomes = list(colorize_files(pipeline, jobs))
    failed = [outcome.job.source.name for outcome in outcomes if outcome.error]
    assert failed == ["0.jpg", "3.webp", "7.jpg"]
    for outcome in outcomes:
        assert outcome.job.target.exists() == (outcome.error is None)
        if outcome.error:
            assert isinstance(outcome.error, UnreadableMedia)
            assert outcome.job.source.name in str(outcome.error)


def test_a_picture_that_the_colorizer_fails_on_does_not_affect_its_batch(photos):
    Image.new("L", (32, 24), 255).save(photos / "4.bmp")
    outcomes = run(pipeline_of(Listening(), batch_size=9), photos)
    assert [outcome.job.source.name for outcome in outcomes if outcome.error] == ["4.bmp"]
    assert isinstance(outcomes[4].error, PluginError)
    assert sorted(path.stem for path in photos.with_name("photos-color").iterdir()) == list("01235678")


def test_a_target_that_cannot_be_written_does_not_affect_its_batch(photos):
    jobs = jobs_of(photos)
    taken = jobs[2].target.parent / "taken"
    taken.parent.mkdir()
    taken.write_bytes(b"a file where a folder should be")
    jobs[2] = Job(jobs[2].source, taken / "2.tif", "2.tif")
    outcomes = list(colorize_files(pipeline_of(batch_size=9), jobs))
    assert [outcome.error is not None for outcome in outcomes] == [n == 2 for n in range(9)]
    assert isinstance(outcomes[2].error, UnwritableMedia)


def test_every_page_and_frame_is_colored(tmp_path, pipeline):
    pages = [Image.fromarray(gray(n)) for n in range(5)]
    (tmp_path / "in").mkdir()
    pages[0].save(tmp_path / "in" / "pages.tif", save_all=True, append_images=pages[1:])
    pages[0].save(tmp_path / "in" / "film.gif", save_all=True, append_images=pages[1:], duration=80)
    assert [outcome.error for outcome in run(pipeline, tmp_path / "in")] == [None, None]
    for name in ("pages.tif", "film.gif"):
        with Image.open(tmp_path / "in-color" / name) as out:
            assert out.n_frames == 5
            for n in range(5):
                out.seek(n)
                assert np.ptp(np.asarray(out.convert("RGB")).astype(int), axis=2).max() > 3


# How long it takes


@pytest.mark.parametrize("batch_size", [1, 4])
def test_every_second_counts_in_exactly_one_stage(photos, monkeypatch, batch_size):
    pages = [Image.fromarray(gray(n)) for n in range(5)]
    pages[0].save(photos / "pages.tif", save_all=True, append_images=pages[1:])
    clock = Clock()

    def slow(seconds, work):
        def slowed(*args, **keywords):
            clock.advance(seconds)
            return work(*args, **keywords)

        return slowed

    steps = (
        (batches, "open_picture"),
        (pipelines, "small_lightness"),
        (pipelines, "join"),
        (batches, "write_picture"),
    )
    for power, (module, name) in enumerate(steps):
        monkeypatch.setattr(module, name, slow(10**power, getattr(module, name)))
    watch = Stopwatch(clock=clock)
    pipeline = pipeline_of(batch_size=batch_size, stopwatch=watch)
    monkeypatch.setattr(pipeline.model, "predict_planes", slow(10000, pipeline.model.predict_planes))
    assert not any(outcome.error for outcome in run(pipeline, photos))
    singles, frames = 9, 14
    assert watch.seconds == {
        "decode": singles + 1,
        "preprocess": 10 * frames,
        "network": 10000 * (frames if batch_size == 1 else 3 + 2),
        "join": 100 * frames,
        "encode": 1000 * (singles + 1),
        "other": 0,
    }


# Again


def test_finished_outputs_are_skipped_and_not_changed(photos, pipeline):
    run(pipeline, photos)
    before = written(photos.with_name("photos-color"))
    outcomes = run(pipeline, photos)
    assert all(outcome.done_before for outcome in outcomes)
    assert written(photos.with_name("photos-color")) == before


def test_missing_outputs_are_made(photos, pipeline):
    run(pipeline, photos)
    missing = photos.with_name("photos-color") / "4.bmp"
    missing.unlink()
    outcomes = run(pipeline, photos)
    assert [outcome.job.target for outcome in outcomes if not outcome.done_before] == [missing]
    assert missing.exists()


def test_a_changed_source_is_colorized_again(photos, pipeline):
    run(pipeline, photos)
    later = (photos.with_name("photos-color") / "1.png").stat().st_mtime + 10
    os.utime(photos / "1.png", (later, later))
    assert [o.job.source.name for o in run(pipeline, photos) if not o.done_before] == ["1.png"]


def test_an_output_of_other_settings_is_reported_and_kept(photos, pipeline):
    run(pipeline, photos)
    before = written(photos.with_name("photos-color"))
    for outcome in run(pipeline_of(strength=0.5), photos):
        assert "was made by plain.test with other settings" in str(outcome.error)
        assert "--overwrite" in outcome.error.hint
    assert written(photos.with_name("photos-color")) == before


def test_another_programs_file_is_reported_and_kept(photos, pipeline):
    theirs = photos.with_name("photos-color") / "1.png"
    theirs.parent.mkdir()
    theirs.write_bytes(b"precious")
    (refused,) = [outcome for outcome in run(pipeline, photos) if outcome.error]
    assert "1.png already exists" in str(refused.error)
    assert theirs.read_bytes() == b"precious"


def test_overwrite_replaces_existing_files_of_both_kinds(photos, pipeline):
    run(pipeline, photos)
    (photos.with_name("photos-color") / "1.png").write_bytes(b"precious")
    outcomes = run(pipeline_of(strength=0.5), photos, overwrite=True)
    assert not any(outcome.error or outcome.done_before for outcome in outcomes)
    assert read_provenance(photos.with_name("photos-color") / "1.png") == pipeline_of(strength=0.5).provenance


# A bounded pipeline


def test_closing_stops_the_work_and_leaves_only_complete_files(photos):
    running = colorize_files(pipeline_of(), jobs_of(photos) * 50, overwrite=True)
    next(running)
    running.close()
    assert not list(photos.parent.rglob("*.part"))
    assert {thread.name for thread in threading.enumerate() if thread.name.startswith("colorcli")} == set()


def test_closing_does_not_wait_for_the_rest_of_a_file_with_many_pages(photos):
    pages = [Image.fromarray(gray(n)) for n in range(200)]
    pages[0].save(photos / "1.tif", save_all=True, append_images=pages[1:])
    seen, several = [], threading.Event()

    class Counting(nn.Module):
        def forward(self, lightness):
            seen.append(len(lightness))
            if len(seen) > 15:
                several.set()
                threading.Event().wait(0.02)
            return lightness

    running = colorize_files(pipeline_of(Counting()), jobs_of(photos))
    next(running)
    assert several.wait(60)
    running.close()
    assert len(seen) < 100
    assert not (photos.with_name("photos-color") / "1.tif").exists()
    assert not list(photos.parent.rglob("*.part"))


def test_files_are_read_only_a_little_ahead_of_the_outcomes(photos):
    network = Listening()
    running = colorize_files(pipeline_of(network), jobs_of(photos) * 20, overwrite=True)
    next(running)
    threading.Event().wait(0.5)
    read = len(network.shapes)
    running.close()
    assert read <= 3 * torch.get_num_threads() + 2


@pytest.mark.skipif(not STATM.exists(), reason="only Linux says how much memory there is in use")
def test_memory_does_not_grow_with_the_number_of_pictures(tmp_path):
    """In a separate process: memory that other tests have left to the allocator would distort the result."""
    (tmp_path / "in").mkdir()
    Image.fromarray(gray(0, 600, 800)).save(tmp_path / "in" / "0.jpg")
    program = "import sys; from tests.inference.test_pipeline import print_growth; print_growth(sys.argv[1])"
    command = [sys.executable, "-c", program, str(tmp_path)]
    done = subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True)
    assert float(done.stdout) < 30e6  # the pictures that were colored have 86 MB


def print_growth(folder):
    """Print by how many bytes memory grows over 60 pictures, after 60 that fill what is allocated once."""
    source = Path(folder) / "in" / "0.jpg"
    jobs = [Job(source, Path(folder) / "out" / f"{n}.jpg", "0.jpg") for n in range(120)]

    def memory_after(some):
        assert not any(outcome.error for outcome in colorize_files(pipeline_of(), some))
        return int(STATM.read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")

    before = memory_after(jobs[:60])
    print(memory_after(jobs[60:]) - before)


def test_a_picture_that_does_not_fit_into_memory_is_an_error_and_not_a_traceback(photos, caplog):
    class Full(nn.Module):
        def forward(self, lightness):
            raise MemoryError

    with caplog.at_level(logging.WARNING, "colorcli"), threads(1):  # more workers would share the batch
        outcomes = run(pipeline_of(Full(), batch_size=9), photos)
    assert all("memory" in str(outcome.error) for outcome in outcomes)
    assert "Continuing with batches of 4" in caplog.text
