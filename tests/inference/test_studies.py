"""Ways of making gray, and pictures as a network painted them."""

import numpy as np
import pytest
import torch

from colorcli.color import gray_to_lightness
from colorcli.errors import UsageError
from colorcli.inference.device import choose
from colorcli.inference.model import Model
from colorcli.inference.pipeline import Pipeline
from colorcli.inference.studies import StudyPipeline
from colorcli.media.pictures.files import Frame
from colorcli.plugin.registry import Registry
from colorcli_iizuka import Iizuka


def pipeline(space="rgb"):
    torch.manual_seed(0)
    network = Iizuka().build(width=0.05, global_size=32, space=space).eval()
    torch.nn.init.normal_(network.color[-1].weight, std=0.5)
    return Pipeline(Model(Iizuka(), network, choose("cpu", "fp32"), tag="", fingerprint="0", size=32))


def frame(dtype=np.uint8):
    chance = np.random.default_rng(0)
    return Frame(chance.integers(0, np.iinfo(dtype).max, (40, 48, 3), dtype=dtype))


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
@pytest.mark.paper("utrecht", "each gray judged on itself")
def test_a_picture_is_colorized_from_the_gray_that_is_named(dtype):
    """Utrecht: each of the eight grays is judged on its own."""
    gray = Registry().grays()["orthochromatic"]
    source = frame(dtype)
    top = np.iinfo(dtype).max
    rgb = torch.from_numpy(source.pixels.astype(np.float32) / top).permute(2, 0, 1)[None]
    values = (gray.convert(rgb)[0, 0] * top).round().numpy().astype(dtype)
    (made,) = StudyPipeline(pipeline("lab"), gray=gray).colorize([source])
    (expected,) = pipeline("lab").colorize([Frame(values)])
    assert np.array_equal(made.pixels, expected.pixels)
    assert not np.array_equal(made.pixels, next(pipeline("lab").colorize([source])).pixels)


@pytest.mark.paper("utrecht", "RGB shown as RGB")
def test_rgb_is_shown_as_rgb():
    """Utrecht: the network's own red, green and blue, at their own lightness."""
    source = Frame(np.repeat(np.arange(0, 256, 8, dtype=np.uint8)[:, None], 32, axis=1))
    (made,) = StudyPipeline(pipeline(), paints=True).colorize([source])
    lightness = gray_to_lightness(torch.from_numpy(source.pixels / np.float32(255)))[None, None]
    painted = pipeline().model.paint_planes(lightness).values
    assert painted.shape == (1, 3, 16, 16)
    scaled = torch.nn.functional.interpolate(painted, (32, 32), mode="bicubic").clamp(0, 1)
    assert np.abs(made.pixels.astype(int) - (scaled[0] * 255).permute(1, 2, 0).numpy()).max() <= 2
    (joined,) = pipeline().colorize([source])
    assert np.abs(made.pixels.astype(int) - joined.pixels).mean() > 5


def test_a_network_that_predicts_chroma_alone_paints_nothing():
    with pytest.raises(UsageError, match="iizuka predicts chroma alone"):
        list(StudyPipeline(pipeline("lab"), paints=True).colorize([frame()]))


def test_what_a_study_shows_is_part_of_what_outputs_record():
    plain = pipeline()
    grays = Registry().grays()
    studies = [StudyPipeline(plain, gray=grays[name]) for name in ("hsl", "value")] + [
        StudyPipeline(plain, paints=True)
    ]
    assert len({each.provenance.settings for each in (plain, *studies)}) == 4
