"""Films in color, colorized with a colorizer whose colors can be told from the lightness."""

from fractions import Fraction

import numpy as np
import pytest
import torch
from torch import nn

from colorcli import Colorizer
from colorcli.color import rgb_to_lab
from colorcli.errors import DataError, PluginError, UnreadableMedia
from colorcli.evaluation.film.evaluate import evaluate_film
from colorcli.film.colorize import FilmSettings
from colorcli.inference.device import choose
from colorcli.inference.model import Model
from colorcli.inference.pipeline import Pipeline
from tests.media.films.clips import add_clean_aperture, make_clip, moving_pictures
from tests.threads import threads

OFF = FilmSettings(stabilize="off")
FLOW = FilmSettings(stabilize="flow")
LIGHT, DARK = (230, 170, 110), (20, 60, 90)


class Flickering(nn.Module):
    """One color all over, another for every other picture."""

    def __init__(self, *colors):
        super().__init__()
        self.colors = torch.tensor(colors, dtype=torch.float32)
        self.asked = 0

    def forward(self, lightness):
        numbers = (torch.arange(len(lightness)) + self.asked) % len(self.colors)
        self.asked += len(lightness)
        return self.colors[numbers][:, :, None, None].expand(-1, -1, *lightness.shape[-2:])


class Knowing(nn.Module):
    """One color for light areas, and one for dark ones."""

    def forward(self, lightness):
        light, dark = (torch.tensor(ab_of(color))[:, None, None] for color in (LIGHT, DARK))
        return torch.where(lightness > 50, light, dark)


class Plain(Colorizer):
    name = "plain"
    summary = "What the network says."

    def build(self):
        return nn.Identity()

    def predict(self, network, lightness):
        return network(lightness)


def pipeline_of(*colors, name="plain.test", network=None):
    network = network or Flickering(*colors)
    model = Model(Plain(), network, choose("cpu", "fp32"), tag="test", fingerprint="0", size=32)
    return Pipeline(model, name=name)


@pytest.fixture(autouse=True)
def one_thread():
    """Frames reach the network in order."""
    with threads(1):
        yield


def still(color, frames=8, size=(64, 48)):
    """A film of one color all over, with grain of lightness that no two frames share."""
    grain = np.random.default_rng(0).integers(-4, 5, (frames, size[1], size[0], 1))
    return (np.array(color) + grain).clip(0, 255).astype(np.uint8)


def lossless(path, pictures, extra=(), **settings):
    return make_clip(
        path, pictures=pictures, codec="libx264", pix_fmt="yuv444p", extra=("-qp", "0", *extra), **settings
    )


def ab_of(color):
    return rgb_to_lab(torch.tensor(color, dtype=torch.float32)[:, None, None] / 255)[1:, 0, 0].tolist()


@pytest.mark.parametrize("settings", [{}, {"matrix": "smpte170m"}, {"full_range": True}, {"rotation": 90}])
def test_the_true_colors_are_those_of_the_film(tmp_path, settings):
    """However it codes them."""
    clip = lossless(tmp_path / "a.mp4", still((180, 90, 60)), **settings)
    found = evaluate_film([pipeline_of(ab_of((180, 90, 60)))], clip, OFF)
    assert found.rows["plain.test, per frame"]["rmse"] < 1
    assert found.rows["gray"]["rmse"] == pytest.approx(np.hypot(*ab_of((180, 90, 60))), abs=1)
    assert found.rows["true"]["rmse"] == 0


@pytest.mark.parametrize("rotation", [0, 90, 180])
def test_colors_are_compared_with_those_of_the_same_place_and_time(tmp_path, rotation):
    """Colors that are right for a frame are wrong for the previous frame, and for a rotated one."""
    pictures = np.empty((6, 48, 64, 3), np.uint8)
    for number in range(6):
        pictures[number] = DARK
        pictures[number, :24, : 8 * number + 8] = LIGHT
    clip = lossless(tmp_path / "a.mp4", pictures, rotation=rotation)
    found = evaluate_film([pipeline_of(network=Knowing())], clip, OFF)
    assert found.size == ((48, 64), (64, 48))[rotation == 90]
    rows = found.rows
    assert rows["plain.test, per frame"]["rmse"] < 0.25 * rows["gray"]["rmse"]


@pytest.mark.parametrize("swapped", [False, True])
def test_a_recording_whose_clock_jumps_is_compared_frame_by_frame(tmp_path, swapped):
    """Its timestamps continue an hour later, or earlier."""
    parts = []
    for color, offset in ((LIGHT, 0), (DARK, 3600)):
        clip = lossless(tmp_path / f"{offset}.ts", still(color), extra=("-output_ts_offset", str(offset)))
        parts.append(clip.read_bytes())
    clip = tmp_path / "a.ts"
    clip.write_bytes(b"".join(parts[::-1] if swapped else parts))
    found = evaluate_film([pipeline_of(network=Knowing())], clip, OFF)
    assert found.frames == 16
    assert found.rows["plain.test, per frame"]["rmse"] < 0.1 * found.rows["gray"]["rmse"]


def test_a_cropped_film_is_compared_within_its_crop(tmp_path):
    pictures = np.empty((6, 64, 96, 3), np.uint8)
    pictures[:] = DARK
    pictures[:, :, 24:72] = LIGHT
    lossless(tmp_path / "whole.mov", pictures)
    clip = add_clean_aperture(tmp_path / "whole.mov", tmp_path / "a.mov", 64, 48)
    found = evaluate_film([pipeline_of(network=Knowing())], clip, OFF)
    assert found.size == (48, 64)
    assert found.rows["plain.test, per frame"]["rmse"] < 0.25 * found.rows["gray"]["rmse"]


def test_true_colors_that_stay_still_do_not_flicker_however_grainy_the_film_is(tmp_path):
    """Grain averages out when a large film is compared at a small size."""
    clip = lossless(tmp_path / "a.mp4", still((120, 110, 100), 6, (512, 384)))
    assert evaluate_film([pipeline_of((0, 0))], clip, OFF, size=64).rows["true"]["warp_error"] < 0.02


def test_flicker_is_stabilized_and_both_have_a_row(tmp_path):
    clip = lossless(tmp_path / "a.mp4", still((150, 110, 90), 12))
    found = evaluate_film([pipeline_of((40, 10), (10, 40))], clip, FLOW).rows
    assert list(found) == ["true", "gray", "plain.test, per frame", "plain.test, --stabilize flow"]
    single, steadied = found["plain.test, per frame"], found["plain.test, --stabilize flow"]
    assert single["warp_error"] == pytest.approx(30**2 + 30**2, rel=0.01)
    assert steadied["warp_error"] < 0.1 * single["warp_error"]
    assert single["cdc_1"] > 5 * single["cdc_2"]  # every other frame has the same colors


def test_key_frames_have_a_row_that_says_so(tmp_path):
    clip = lossless(tmp_path / "a.mp4", still((150, 110, 90), 6))
    found = evaluate_film([pipeline_of((40, 10))], clip, FilmSettings(keyframes=3)).rows
    assert "plain.test, --stabilize flow --keyframes 3" in found
    auto = evaluate_film([pipeline_of((40, 10))], clip, FilmSettings(keyframes=0)).rows
    assert "plain.test, --stabilize flow --keyframes auto" in auto


def test_without_stabilization_there_is_one_row_for_each_model(tmp_path):
    clip = lossless(tmp_path / "a.mp4", still((150, 110, 90), 4))
    found = evaluate_film([pipeline_of((40, 10), name="one"), pipeline_of((10, 10), name="two")], clip, OFF).rows
    assert list(found) == ["true", "gray", "one, per frame", "two, per frame"]


def test_gray_is_perfectly_stable_and_far_from_the_true_colors(tmp_path):
    found = evaluate_film([pipeline_of((0, 0))], make_clip(tmp_path / "a.mp4"), OFF).rows
    assert found["gray"]["warp_error"] == 0 < found["true"]["warp_error"]
    assert found["gray"]["rmse"] > 10


def test_only_the_requested_section_counts(tmp_path):
    """Blue first, then red; only red, in the middle of the film, is requested."""
    pictures = np.concatenate([still((60, 60, 180), 30), still((180, 60, 60), 30)])
    clip = lossless(tmp_path / "a.mp4", pictures)
    settings = FilmSettings(stabilize="off", start=Fraction(40, 25), end=Fraction(50, 25))
    found = evaluate_film([pipeline_of(ab_of((180, 60, 60)))], clip, settings)
    assert found.frames == 10
    assert found.rows["plain.test, per frame"]["rmse"] < 1


def test_frames_of_uneven_times_are_all_compared(tmp_path):
    clip = make_clip(tmp_path / "a.mkv", frames=12, vfr=True)
    assert evaluate_film([pipeline_of((0, 0))], clip, OFF).frames == 12


def test_a_large_film_is_compared_at_the_requested_size(tmp_path):
    clip = make_clip(tmp_path / "a.mp4", frames=3, size=(200, 100))
    assert evaluate_film([pipeline_of((0, 0))], clip, OFF, size=50).size == (25, 50)


def test_nothing_is_compared_across_a_cut(tmp_path):
    pictures = moving_pictures(1, (64, 48), 1).repeat(20, axis=0)
    other = np.random.default_rng(3).integers(0, 255, (1, 6, 8, 3)).repeat(8, axis=1).repeat(8, axis=2)
    clip = lossless(tmp_path / "a.mp4", np.concatenate([pictures, other.repeat(20, axis=0).astype(np.uint8)]))
    assert evaluate_film([pipeline_of((0, 0))], clip, OFF).rows["true"]["cdc"] < 1e-3


def test_every_frame_is_reported(tmp_path):
    told = []
    evaluate_film([pipeline_of((0, 0))], make_clip(tmp_path / "a.mp4", frames=5), OFF, watch=told.append)
    assert told == [1, 2, 3, 4, 5]


def test_a_gray_film_has_nothing_to_compare_with(tmp_path):
    gray = moving_pictures(4, (64, 48)).mean(axis=3, keepdims=True).repeat(3, axis=3).astype(np.uint8)
    with pytest.raises(DataError, match=r"a\.mp4 is gray"):
        evaluate_film([pipeline_of((40, 0))], make_clip(tmp_path / "a.mp4", pictures=gray), OFF)


def test_a_film_in_other_primaries_is_refused(tmp_path):
    clip = make_clip(tmp_path / "a.mp4", matrix="bt2020nc", transfer="bt2020-10")
    with pytest.raises(DataError, match="bt2020"):
        evaluate_film([pipeline_of((40, 0))], clip, OFF)


def test_a_section_without_a_frame_is_an_error(tmp_path):
    with pytest.raises((DataError, UnreadableMedia)):
        evaluate_film([pipeline_of((0, 0))], make_clip(tmp_path / "a.mp4"), FilmSettings(start=Fraction(100)))


def test_a_file_that_is_not_a_film_is_an_error(tmp_path):
    (tmp_path / "a.mp4").write_bytes(b"hello")
    with pytest.raises(UnreadableMedia, match=r"a\.mp4"):
        evaluate_film([pipeline_of((0, 0))], tmp_path / "a.mp4", OFF)


def test_a_colorizer_that_returns_nonsense_is_named(tmp_path):
    clip = make_clip(tmp_path / "a.mp4")
    with pytest.raises(PluginError, match="not finite"):
        evaluate_film([pipeline_of((float("nan"), 0))], clip, OFF)
