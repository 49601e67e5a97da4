"""Whole films through the pipeline, with a colorizer whose colors can be told from the lightness."""

import os
import subprocess
import sys
import threading
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
import torch
from PIL import Image
from torch import nn

from colorcli import Colorizer
from colorcli.errors import PluginError, UnreadableMedia, UnwritableMedia, UsageError
from colorcli.film.chroma import Coding, chroma_planes
from colorcli.film.colorize import FilmSettings, colorize_film
from colorcli.film.references import Reference
from colorcli.film.shot_list import Shot
from colorcli.inference.device import choose
from colorcli.inference.model import Model
from colorcli.inference.pipeline import Pipeline
from colorcli.jobs import Job
from colorcli.media.films.probe import probe
from colorcli.media.films.provenance import read_provenance
from tests.media.films.clips import decoded, make_clip, moving_pictures, plane, run_ffmpeg, truncated

LOSSLESS = FilmSettings(codec="ffv1", stabilize="off")


class Plain(Colorizer):
    """Chroma is lightness; at 32 pixels, or at a frame's own size."""

    name = "plain"
    summary = "Chroma is lightness."
    multiple_of = 8

    def build(self):
        return nn.Identity()

    def predict(self, network, lightness):
        assert lightness.shape[-1] % 8 == lightness.shape[-2] % 8 == 0
        return network(torch.cat(((lightness - 50) / 3, (60 - lightness) / 2), dim=1))


class Counting(nn.Module):
    """Passes chroma on, counts pictures, and fails from a given picture on."""

    def __init__(self, last=10**9):
        super().__init__()
        self.pictures = 0
        self.shapes = set()
        self.last = last
        self.lock = threading.Lock()

    def forward(self, ab):
        with self.lock:
            self.pictures += len(ab)
            self.shapes.add(tuple(ab.shape[-2:]))
            return ab if self.pictures <= self.last else ab * float("nan")


class Changing(nn.Module):
    """Chroma of one color for all of a picture, by its mean lightness: another for every scene."""

    def forward(self, ab):
        return ab.mean(dim=(2, 3), keepdim=True).expand_as(ab)


def pipeline_of(network=None, size=32, **settings):
    network = network or nn.Identity()
    model = Model(Plain(), network, choose("cpu", "fp32"), tag="test", fingerprint="0", size=size)
    return Pipeline(model, **settings)


def patterns(scenes, each):
    """RGB (scenes * each, 48, 64, 3): still pictures of large blocks, each shown for some frames."""
    blocks = np.random.default_rng(0).integers(0, 255, (scenes, 3, 4, 1), np.uint8)
    return np.repeat(np.kron(blocks, np.ones((1, 16, 16, 3), np.uint8)), each, axis=0)


def noisy(pictures, seed=0):
    """The same with grain: no two frames are alike."""
    grain = np.random.default_rng(seed).integers(-6, 7, (*pictures.shape[:3], 1))
    return (pictures + grain).clip(0, 255).astype(np.uint8)


def colorize(source, pipeline=None, settings=LOSSLESS, *, target=None, **keywords):
    target = target or source.with_name(f"{source.stem}-color{source.suffix}")
    outcome = colorize_film(
        pipeline or pipeline_of(), Job(source, target, source.name, film=True), settings, **keywords
    )
    if outcome.error:
        raise outcome.error
    return outcome


def chroma(path):
    """U and V of every frame: (frames, 2, h, w)."""
    with av.open(path) as container:
        return np.array([[plane(f, 1), plane(f, 2)] for f in container.decode(video=0)]).astype(int)


def lumas(path):
    return np.array([luma for _, luma in decoded(path)])


# Colors


@pytest.mark.parametrize("pix_fmt", ["yuv420p", "yuv420p10le", "yuv444p"])
def test_luma_is_untouched_and_chroma_is_the_colorizers(tmp_path, pix_fmt):
    source = make_clip(tmp_path / "a.mkv", pictures=noisy(patterns(2, 5)), pix_fmt=pix_fmt, codec="ffv1")
    outcome = colorize(source)
    assert (lumas(source) == lumas(outcome.target)).all()
    assert [time for time, _ in decoded(source)] == [time for time, _ in decoded(outcome.target)]
    film = probe(source)
    for luma, found in zip(lumas(source), chroma(outcome.target), strict=True):
        lightness = (luma / (219 << (film.depth - 8)) * 100).astype(np.float32)  # near enough for its sign
        expected = chroma_planes(luma, np.stack([(lightness - 50) / 3, (60 - lightness) / 2]), Coding.of(film))
        assert np.corrcoef(np.ravel(found), np.ravel(expected))[0, 1] > 0.95
        assert np.ptp(found) > 24 << (film.depth - 8)


@pytest.mark.parametrize("rotation", [90, 180, 270])
def test_a_rotated_film_has_the_colors_of_an_upright_one(tmp_path, rotation):
    """A colorizer that sees where things are: blue above, red below."""

    class Sky(nn.Module):
        def forward(self, ab):
            rows = torch.linspace(-40, 40, ab.shape[-2])[:, None].expand(ab.shape[-2:])
            return torch.stack((rows, rows))[None].expand_as(ab)

    source = make_clip(tmp_path / "a.mp4", frames=2, size=(64, 64), rotation=rotation)
    found = chroma(colorize(source, pipeline_of(Sky()), FilmSettings(stabilize="off", codec="libx264", crf=0)).target)
    upright = np.rot90(found[0, 1], rotation // 90)  # ffmpeg's rotation is counter-clockwise
    assert upright[:8].mean() < 128 < upright[-8:].mean()
    assert abs(upright[:, :8].mean() - upright[:, -8:].mean()) < 8


@pytest.mark.parametrize("size", [(64, 48), (50, 38), (34, 18)])
def test_a_colorizer_of_any_size_gets_the_padded_frame(tmp_path, size):
    network = Counting()
    source = make_clip(tmp_path / "a.mkv", frames=3, size=size)
    colorize(source, pipeline_of(network, size=None))
    assert network.shapes == {(size[1] + -size[1] % 8, size[0] + -size[0] % 8)}


@pytest.mark.parametrize("size", [(51, 37), (2, 2), (16, 2)])
def test_odd_and_tiny_films_are_colorized(tmp_path, size):
    source = make_clip(tmp_path / "a.mkv", frames=3, size=size, pix_fmt="yuv444p")
    outcome = colorize(source, settings=FilmSettings(codec="ffv1"))
    assert (lumas(source) == lumas(outcome.target)).all()


def test_strength_applies_to_films(tmp_path):
    source = make_clip(tmp_path / "a.mkv", pictures=patterns(1, 3))
    full = chroma(colorize(source, target=tmp_path / "full.mkv").target)
    half = chroma(colorize(source, pipeline_of(strength=0.5), target=tmp_path / "half.mkv").target)
    assert 0.3 < np.abs(half - 128).mean() / np.abs(full - 128).mean() < 0.7


# What the network is asked


def test_copies_of_a_frame_are_predicted_once(tmp_path):
    pictures = np.repeat(noisy(np.repeat(patterns(1, 1), 10, axis=0)), 2, axis=0)
    source = make_clip(tmp_path / "a.mkv", pictures=pictures, codec="ffv1")
    network = Counting()
    outcome = colorize(source, pipeline_of(network, batch_size=3))
    assert outcome.figures.frames == 20
    assert outcome.figures.predicted == network.pictures == 10
    found = chroma(outcome.target)
    assert (found[::2] == found[1::2]).all()


def test_a_long_still_is_predicted_once_at_any_batch_size(tmp_path):
    source = make_clip(tmp_path / "a.mkv", pictures=patterns(1, 150), codec="ffv1")
    for size in (1, 16):
        network = Counting()
        colorize(source, pipeline_of(network, batch_size=size), target=tmp_path / f"{size}.mkv")
        assert network.pictures == 1


def test_batches_and_threads_do_not_change_the_result(tmp_path):
    source = make_clip(tmp_path / "a.mkv", pictures=noisy(patterns(3, 9)), codec="ffv1")
    one, other = (
        colorize(source, pipeline_of(batch_size=size), FilmSettings(codec="ffv1"), target=tmp_path / f"{size}.mkv")
        for size in (1, 5)
    )
    assert np.abs(chroma(one.target) - chroma(other.target)).max() <= 1


def test_only_key_frames_are_predicted(tmp_path):
    source = make_clip(tmp_path / "a.mkv", pictures=noisy(patterns(2, 20)), codec="ffv1")
    network = Counting()
    outcome = colorize(source, pipeline_of(network), FilmSettings(codec="ffv1", keyframes=5))
    assert outcome.figures.predicted == network.pictures == 8
    every = colorize(source, settings=FilmSettings(codec="ffv1"), target=tmp_path / "every.mkv")
    assert np.abs(chroma(outcome.target) - chroma(every.target)).mean() < 3
    assert colorize(source, settings=FilmSettings(codec="ffv1", keyframes=0), overwrite=True).figures.predicted < 20


def test_key_frames_work_at_the_size_of_the_frame(tmp_path):
    source = make_clip(tmp_path / "a.mkv", frames=12, size=(64, 48))
    network = Counting()
    colorize(source, pipeline_of(network, size=None), FilmSettings(keyframes=4))
    assert network.shapes == {(48, 64)}
    assert network.pictures == 3


# Shots


@pytest.mark.parametrize("settings", [FilmSettings(codec="ffv1"), FilmSettings(codec="ffv1", keyframes=0)])
def test_no_color_crosses_a_cut(tmp_path, settings):
    pictures = noisy(patterns(3, 12))
    whole = colorize(make_clip(tmp_path / "a.mkv", pictures=pictures, codec="ffv1"), pipeline_of(Changing()), settings)
    assert whole.figures.shots == 3
    for scene in range(3):
        alone = make_clip(tmp_path / f"{scene}.mkv", pictures=pictures[12 * scene :][:12], codec="ffv1")
        alone = colorize(alone, pipeline_of(Changing()), settings)
        assert (chroma(whole.target)[12 * scene :][:12] == chroma(alone.target)).all()


def test_flicker_is_stabilized_unless_switched_off(tmp_path):
    class Flickering(nn.Module):
        """Green or purple, depending on the mean lightness of the picture, which is unpredictable."""

        def forward(self, ab):
            sign = torch.sign(torch.frac(ab.mean(dim=(1, 2, 3), keepdim=True) * 977) - 0.5)
            return torch.full_like(ab, 20) * sign

    source = make_clip(tmp_path / "a.mkv", pictures=noisy(patterns(1, 40)), codec="ffv1")
    changes = {}
    for method in ("flow", "average", "off"):
        settings = FilmSettings(codec="ffv1", stabilize=method)
        target = colorize(source, pipeline_of(Flickering()), settings, target=tmp_path / f"{method}.mkv").target
        changes[method] = np.abs(np.diff(chroma(target), axis=0)).mean()
    assert changes["off"] > 5 * changes["average"]
    assert changes["off"] > 5 * changes["flow"]


def corrected(path, color=(200, 40, 40), size=(64, 48)):
    Image.new("RGB", size, color).save(path)
    return path


def test_a_corrected_frame_colors_its_shot_and_no_other(tmp_path):
    source = make_clip(tmp_path / "a.mkv", pictures=noisy(patterns(3, 15)), codec="ffv1")
    plain = chroma(colorize(source).target)
    reference = Reference(corrected(tmp_path / "red.png"), Fraction(20, 25))
    found = chroma(colorize(source, settings=replace(LOSSLESS, references=(reference,)), overwrite=True).target)
    for shot in (0, 2):
        assert (found[15 * shot :][:15] == plain[15 * shot :][:15]).all()
    assert found[15:30, 1].mean() > 128 + 25
    assert found[20, 1].min() > 128


def test_a_corrected_frame_of_a_mirrored_film_is_read_as_displayed(tmp_path):
    """They see red on the left, which is on the right of what is stored."""
    plain = make_clip(tmp_path / "plain.mp4", pictures=noisy(patterns(1, 5)))
    run_ffmpeg("-display_hflip", "-i", plain, "-c", "copy", tmp_path / "a.mp4")
    seen = Image.new("RGB", (64, 48), (40, 40, 200))
    seen.paste((200, 40, 40), (0, 0, 32, 48))
    seen.save(tmp_path / "seen.png")
    settings = FilmSettings(stabilize="off", references=(Reference(tmp_path / "seen.png", Fraction(0)),))
    u = chroma(colorize(tmp_path / "a.mp4", settings=settings).target)[:, 0]
    assert u[..., :12].mean() > u[..., -12:].mean() + 20


@pytest.mark.parametrize(
    ("picture", "time", "says"),
    [
        ({"size": (48, 64)}, 0, "does not match the aspect ratio"),
        ({"color": (90, 90, 90)}, 0, "must be in color"),
        ({}, 50, "the film shows no frame at 50 s"),
    ],
)
def test_an_unsuitable_reference_is_an_error(tmp_path, picture, time, says):
    source = make_clip(tmp_path / "a.mkv", frames=5)
    reference = Reference(corrected(tmp_path / "frame.png", **picture), Fraction(time))
    with pytest.raises(UsageError, match=says):
        colorize(source, settings=FilmSettings(references=(reference,)))
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.mkv", "frame.png"]


def test_a_missing_reference_is_an_error(tmp_path):
    source = make_clip(tmp_path / "a.mkv", frames=5)
    with pytest.raises(UnreadableMedia, match=r"none\.png"):
        colorize(source, settings=FilmSettings(references=(Reference(tmp_path / "none.png", Fraction(0)),)))


# Beginning, end, and everything else


def test_start_and_end_select_a_section(tmp_path):
    source = make_clip(tmp_path / "a.mkv", frames=25, codec="ffv1", audio="flac")
    settings = replace(LOSSLESS, start=Fraction(5, 25), end=Fraction(15, 25))
    outcome = colorize(source, settings=settings)
    assert outcome.figures.frames == 10
    assert (lumas(outcome.target) == lumas(source)[5:15]).all()
    assert outcome.figures.copied == ("audio flac (fra)",)


def test_a_truncated_film_is_colorized_as_far_as_possible_with_a_note(tmp_path):
    whole = make_clip(tmp_path / "whole.mkv", frames=50, size=(128, 96), codec="mpeg4")
    outcome = colorize(truncated(whole, tmp_path / "a.mkv"))
    assert 5 < outcome.figures.frames < 50
    assert any("truncated" in remark for remark in outcome.remarks)


def test_a_film_records_what_made_its_colors(tmp_path):
    source = make_clip(tmp_path / "a.mp4", frames=3)
    outcome = colorize(source, settings=FilmSettings())
    found = read_provenance(outcome.target)
    assert (found.model, found.tag) == ("plain", "test")
    assert found == FilmSettings().provenance(pipeline_of())


def test_another_model_for_a_shot_colorizes_the_film_again():
    settings = FilmSettings(shots=(Shot(Fraction(0), Fraction(1), "other"),))

    def digest(fingerprint):
        model = Model(Plain(), nn.Identity(), choose("cpu", "fp32"), tag="test", fingerprint=fingerprint, size=32)
        return settings.provenance(pipeline_of(), [Pipeline(model)]).settings

    assert digest("1") != digest("2")
    assert digest("1") == digest("1")


def test_progress_is_reported_for_every_frame(tmp_path):
    source = make_clip(tmp_path / "a.mkv", pictures=patterns(2, 6))
    told, begun = [], []
    colorize(
        source, on_frame=lambda *each: told.append(each), on_start=lambda film, done: begun.append((film.path, done))
    )
    assert told == [(n + 1, n // 6) for n in range(12)]
    assert begun == [(source, 0)]


# Again, and on


def test_a_finished_film_is_skipped(tmp_path):
    source = make_clip(tmp_path / "a.mp4", frames=3)
    first = colorize(source, settings=FilmSettings())
    made = first.target.stat().st_mtime_ns
    assert colorize(source, settings=FilmSettings()).done_before
    assert first.target.stat().st_mtime_ns == made


@pytest.mark.parametrize(
    "other",
    [
        {"crf": 30},
        {"codec": "mpeg4"},
        {"stabilize": "off"},
        {"keyframes": 3},
        {"end": Fraction(1, 25)},
    ],
    ids=str,
)
def test_a_film_made_with_other_settings_is_kept_until_overwrite(tmp_path, other):
    source = make_clip(tmp_path / "a.mp4", frames=3)
    before = colorize(source, settings=FilmSettings()).target.read_bytes()
    with pytest.raises(UnwritableMedia, match="other settings"):
        colorize(source, settings=FilmSettings(**other))
    assert (tmp_path / "a-color.mp4").read_bytes() == before
    colorize(source, settings=FilmSettings(**other), overwrite=True)
    assert (tmp_path / "a-color.mp4").read_bytes() != before


def test_an_output_that_became_matroska_is_found_again(tmp_path):
    source = make_clip(tmp_path / "a.mp4", frames=3)
    settings = FilmSettings(codec="ffv1", end=Fraction(1))
    target = tmp_path / "b.webm"
    outcome = colorize(source, settings=settings, target=target)
    assert outcome.target == tmp_path / "b.mkv"
    assert any(".mkv" in remark for remark in outcome.remarks)
    again = colorize(source, settings=settings, target=target)
    assert (again.done_before, again.target) == (True, tmp_path / "b.mkv")
    with pytest.raises(UnwritableMedia, match="another input"):
        colorize(source, settings=settings, target=target, reserved={tmp_path / "b.mkv"})


def long_film(path):
    """Four shots at one frame a second: each is long enough to be a part."""
    return make_clip(path, pictures=noisy(patterns(4, 12)), fps="1", codec="ffv1")


STOPPED = FilmSettings(crf=20)


def stop_at(last, error):
    def watch(done, shot):
        if done == last:
            raise error

    return watch


@pytest.mark.parametrize("settings", [STOPPED, replace(STOPPED, keyframes=4)], ids=["every frame", "key frames"])
def test_a_stopped_run_resumes_and_gives_the_same_film(tmp_path, settings):
    source = long_film(tmp_path / "a.mkv")
    whole = colorize(source, settings=settings, target=tmp_path / "whole" / "a-color.mkv").target.read_bytes()
    with pytest.raises(KeyboardInterrupt):
        colorize(source, settings=settings, on_frame=stop_at(30, KeyboardInterrupt()))
    assert not (tmp_path / "a-color.mkv").exists()
    network = Counting()
    outcome = colorize(source, pipeline_of(network), settings)
    assert outcome.figures.made_before == 24
    assert network.pictures <= 24
    assert outcome.target.read_bytes() == whole
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a-color.mkv", "a.mkv", "whole"]


@pytest.fixture
def short_pieces(monkeypatch):
    """Parts of ten seconds, and shots of more than twenty in pieces."""
    monkeypatch.setattr("colorcli.film.prepare.MAX_SHOT_SECONDS", Fraction(20))


def panning(count, width=64):
    """A pan over a wall of blocks, with grain: one long shot."""
    wall = np.kron(np.random.default_rng(3).integers(40, 220, (3, 40, 1), np.uint8), np.ones((16, 16, 3), np.uint8))
    return noisy(np.array([wall[:, step : step + width] for step in range(count)]))


@pytest.mark.parametrize("keyframes", [None, 3])
def test_a_very_long_shot_resumes_in_the_middle_and_gives_the_same_film(tmp_path, short_pieces, keyframes):
    source = make_clip(tmp_path / "a.mkv", pictures=panning(70), fps="1", codec="ffv1")
    settings = replace(STOPPED, keyframes=keyframes)
    whole = colorize(source, settings=settings, target=tmp_path / "whole" / "a-color.mkv")
    assert whole.figures.shots == 1
    assert [time for time, _ in decoded(whole.target)] == [time for time, _ in decoded(source)]
    with pytest.raises(KeyboardInterrupt):
        colorize(source, settings=settings, on_frame=stop_at(50, KeyboardInterrupt()))
    outcome = colorize(source, settings=settings)
    assert outcome.figures.made_before == 40
    assert outcome.target.read_bytes() == whole.target.read_bytes()


def test_a_very_long_shot_has_no_seams(tmp_path, short_pieces):
    """At the beginning of a piece colors change no more than elsewhere."""
    source = make_clip(tmp_path / "a.mkv", pictures=noisy(patterns(1, 90)), fps="2", codec="ffv1")

    class Drifting(nn.Module):
        def forward(self, ab):
            noise = torch.frac(ab.mean(dim=(1, 2, 3), keepdim=True) * 977) - 0.5
            return torch.full_like(ab, 20) + 40 * noise

    found = chroma(colorize(source, pipeline_of(Drifting()), FilmSettings(codec="ffv1")).target)
    changes = np.abs(np.diff(found, axis=0)).mean(axis=(1, 2, 3))
    assert changes[[39, 79]].max() <= np.quantile(changes, 0.98) + 0.5


def test_a_corrected_frame_colors_all_pieces_of_its_shot(tmp_path, short_pieces):
    source = make_clip(tmp_path / "a.mkv", pictures=noisy(patterns(1, 70)), fps="1", codec="ffv1")
    for second in (5, 65):
        reference = Reference(corrected(tmp_path / "red.png"), Fraction(second))
        settings = replace(LOSSLESS, references=(reference,))
        target = colorize(source, settings=settings, overwrite=True).target
        assert chroma(target)[:, 1].mean(axis=(1, 2)).min() > 128 + 25


KILLED = """
import os, signal, sys
from pathlib import Path
from tests.film.test_colorize import STOPPED, colorize

def watch(done, shot):
    if done == 40:
        os.kill(os.getpid(), signal.SIGKILL)

colorize(Path(sys.argv[1]), settings=STOPPED, on_frame=watch)
"""


@pytest.mark.skipif(os.name == "nt", reason="there is no SIGKILL")
def test_a_killed_run_resumes_and_gives_the_same_film(tmp_path):
    source = long_film(tmp_path / "a.mkv")
    whole = colorize(source, settings=STOPPED, target=tmp_path / "whole" / "a-color.mkv").target.read_bytes()
    root = Path(__file__).parents[2]
    killed = subprocess.run([sys.executable, "-c", KILLED, source], cwd=root, check=False, capture_output=True)
    assert killed.returncode == -9, killed.stderr
    outcome = colorize(source, settings=STOPPED)
    assert outcome.figures.made_before >= 24
    assert outcome.target.read_bytes() == whole
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a-color.mkv", "a.mkv", "whole"]


def test_parts_made_with_other_settings_are_ignored(tmp_path):
    source = long_film(tmp_path / "a.mkv")
    with pytest.raises(KeyboardInterrupt):
        colorize(source, settings=STOPPED, on_frame=stop_at(30, KeyboardInterrupt()))
    outcome = colorize(source, settings=replace(STOPPED, stabilize="off"))
    assert outcome.figures.made_before == 0
    assert not list(tmp_path.glob(".*"))


def test_a_colorizer_that_fails_midway_leaves_the_finished_parts(tmp_path):
    source = long_film(tmp_path / "a.mkv")
    with pytest.raises(PluginError, match="not finite"):
        colorize(source, pipeline_of(Counting(last=40)), STOPPED)
    assert not (tmp_path / "a-color.mkv").exists()
    assert colorize(source, settings=STOPPED).figures.made_before >= 12


def test_an_error_leaves_no_thread_and_no_file(tmp_path):
    source = make_clip(tmp_path / "a.mkv", frames=40)
    before = threading.active_count()
    with pytest.raises(PluginError):
        colorize(source, pipeline_of(Counting(last=5)))
    assert threading.active_count() == before
    assert [path.name for path in tmp_path.iterdir()] == ["a.mkv"]


@pytest.mark.parametrize("content", [b"", b"hello, I am text", bytes(5000)])
def test_a_file_that_is_not_a_film_is_an_error_and_nothing_is_written(tmp_path, content):
    source = tmp_path / "a.mp4"
    source.write_bytes(content)
    with pytest.raises(UnreadableMedia, match=r"a\.mp4"):
        colorize(source, settings=FilmSettings())
    assert list(tmp_path.iterdir()) == [source]


def test_a_section_without_frames_is_an_error(tmp_path):
    source = make_clip(tmp_path / "a.mp4", frames=5)
    with pytest.raises(UnwritableMedia, match="--start"):
        colorize(source, settings=FilmSettings(start=Fraction(100)))
    assert list(tmp_path.iterdir()) == [source]


def test_memory_does_not_grow_with_the_length(tmp_path):
    """However long it is, few frames are between decoder and encoder."""
    source = make_clip(tmp_path / "a.mkv", pictures=noisy(np.repeat(moving_pictures(1, (16, 16)), 600, axis=0)))
    network = Counting()
    furthest = 0

    def watch(done, shot):
        nonlocal furthest
        furthest = max(furthest, network.pictures - done)

    colorize(source, pipeline_of(network), FilmSettings(codec="ffv1"), on_frame=watch)
    assert 4 < furthest < 100
