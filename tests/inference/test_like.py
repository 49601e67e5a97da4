import numpy as np
import pytest
from PIL import Image

from colorcli.errors import UsageError
from colorcli.hints.hint import Hint
from colorcli.inference.hinted import HintedPipeline
from colorcli.inference.like import LikePipeline, like
from colorcli.media.pictures.files import Frame
from tests.inference.test_pipeline import pipeline_of


def gray(level=128):
    return Frame(np.full((24, 32), level, np.uint8))


def blue(level=128):
    """About as light as gray of the level, and blue."""
    return Frame(np.full((24, 32, 3), (level - 40, level, level + 90), np.uint8))


def color_of(pipeline, frame):
    (colored,) = pipeline.colorize([frame])
    return colored.pixels[12, 16].astype(int)


def test_places_like_those_of_the_photograph_get_their_colors():
    before, after = color_of(pipeline_of(), gray()), color_of(LikePipeline(pipeline_of(), blue()), gray())
    assert after[2] - after[0] > before[2] - before[0] + 30


def test_other_places_keep_theirs():
    dark = gray(20)
    assert np.abs(color_of(pipeline_of(), dark) - color_of(LikePipeline(pipeline_of(), blue(150)), dark)).max() <= 1


def test_the_strength_applies_to_all_of_the_color():
    none, half, full = (
        color_of(LikePipeline(pipeline_of(strength=strength), blue()), gray()) for strength in (0.0, 0.5, 1.0)
    )
    assert np.ptp(none) <= 1
    assert 0.3 < np.ptp(half) / np.ptp(full) < 0.7


def test_a_different_photograph_is_a_different_setting_and_the_notes_name_it():
    digests = {LikePipeline(pipeline_of(), photograph).provenance.settings for photograph in (blue(), blue(120))}
    assert len(digests | {pipeline_of().provenance.settings}) == 3
    ((_, notes),) = LikePipeline(pipeline_of(), blue(), "sea.jpg").predict([gray()])
    assert notes == {"like": "sea.jpg"}


def test_hints_are_spread_over_these_colors():
    pipeline = LikePipeline(pipeline_of(), blue())
    red = color_of(HintedPipeline(pipeline, [Hint(0.5, 0.5, (176, 48, 32))]), gray())
    assert red[0] > red[2] + 60


def test_a_photograph_without_colors_is_refused(tmp_path):
    Image.new("L", (30, 20), 120).save(tmp_path / "gray.png")
    with pytest.raises(UsageError, match=r"gray\.png is not in color"):
        like(pipeline_of(), tmp_path / "gray.png")
