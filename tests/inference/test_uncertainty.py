import matplotlib
import numpy as np
import pytest
import torch
from PIL import Image
from torch import nn

from colorcli import Colorizer
from colorcli.errors import PluginError, UnwritableMedia, UsageError
from colorcli.inference.batch import colorize_files
from colorcli.inference.device import choose
from colorcli.inference.model import Model
from colorcli.inference.pipeline import Pipeline
from colorcli.inference.uncertainty import EntropyPipeline, SamplingPipeline, entropy_picture
from colorcli.jobs import Job
from colorcli.media.pictures.files import Frame

MAGMA = matplotlib.colormaps["magma"](np.arange(256), bytes=True)[:, :3].astype(int)


def near(pixels, expected):
    """Whether they are the same up to rounding: OpenCV, which draws them, rounds the map differently."""
    return np.abs(pixels - expected).max() <= 1


class Guessing(Colorizer):
    """Returns ten times its seed as the color, with an uncertainty equal to the lightness."""

    name = "guessing"
    summary = "Guesses."
    multiple_of = 8

    def build(self):
        return nn.Identity()

    def predict(self, network, lightness):
        return torch.zeros_like(lightness).expand(-1, 2, -1, -1)

    def sample(self, network, lightness, seed):
        return torch.full_like(lightness, 10 * seed).expand(-1, 2, -1, -1)

    def explain(self, network, lightness):
        return network(lightness) * 8 / 100


class Certain(Colorizer):
    name = "certain"
    summary = "Knows."
    build = Guessing.build
    predict = Guessing.predict


def pipeline_of(colorizer=None, size=16, **settings):
    colorizer = colorizer or Guessing()
    model = Model(colorizer, nn.Identity(), choose("cpu", "fp32"), tag="test", fingerprint="0", size=size)
    return Pipeline(model, **settings)


def frame(level=128, size=(20, 30), dtype=np.uint8):
    return Frame(np.full(size, level, dtype))


@pytest.mark.parametrize("size", [16, None])
def test_a_sample_is_the_coloring_of_its_seed_times_the_strength(size):
    pipeline = pipeline_of(size=size, strength=0.5)
    for seed in (1, 2):
        (ab,) = SamplingPipeline(pipeline, seed).chroma([frame()])
        assert ab.unique().tolist() == [5 * seed]


@pytest.mark.parametrize("size", [16, None])
@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_entropy_is_drawn_at_the_pictures_size_regardless_of_depth_and_strength(size, dtype):
    pipeline = EntropyPipeline(pipeline_of(size=size, strength=0))
    black, white = (next(pipeline.colorize([frame(level, dtype=dtype)])) for level in (0, np.iinfo(dtype).max))
    assert (black.pixels.shape, black.pixels.dtype) == ((20, 30, 3), np.uint8)
    assert near(black.pixels[0, 0], MAGMA[0])
    assert near(white.pixels[0, 0], MAGMA[255])


def test_the_scale_is_fixed_from_0_to_8_bits():
    bits = torch.tensor([-0.1, 0.0, 4.0, 8.0, 9.0]).reshape(1, 1, 1, 5)
    assert near(entropy_picture(bits, (1, 5))[0], MAGMA[[0, 0, 128, 255, 255]])


def test_a_transparent_picture_has_an_opaque_entropy():
    transparent = Frame(np.zeros((8, 8), np.uint16), np.zeros((8, 8), np.uint16))
    assert next(EntropyPipeline(pipeline_of()).colorize([transparent])).alpha is None


def test_outputs_of_each_kind_and_seed_have_their_own_provenance():
    pipeline = pipeline_of()
    pipelines = [pipeline, SamplingPipeline(pipeline, 1), SamplingPipeline(pipeline, 2), EntropyPipeline(pipeline)]
    assert len({each.provenance.settings for each in pipelines}) == 4
    assert SamplingPipeline(pipeline_of(), 1).provenance == SamplingPipeline(pipeline, 1).provenance


def test_files_of_a_seed_are_done_once_and_never_replace_those_of_another(tmp_path):
    source = tmp_path / "a.png"
    Image.fromarray(np.full((20, 30), 128, np.uint8)).save(source)
    job = Job(source, tmp_path / "out.png", "a.png")

    def outcome(seed, **settings):
        return next(colorize_files(SamplingPipeline(pipeline_of(), seed), [job], **settings))

    assert outcome(1).error is None
    assert outcome(1).done_before
    assert isinstance(outcome(2).error, UnwritableMedia)
    assert outcome(2, overwrite=True).error is None


def test_a_colorizer_without_samples_and_entropy_raises_usage_errors():
    pipeline = pipeline_of(Certain())
    with pytest.raises(UsageError, match="certain predicts only one coloring"):
        list(SamplingPipeline(pipeline, 1).chroma([frame()]))
    with pytest.raises(UsageError, match="certain does not estimate its uncertainty"):
        list(EntropyPipeline(pipeline).chroma([frame()]))


def test_entropy_of_another_shape_is_a_plugin_error():
    class Wrong(Guessing):
        def explain(self, network, lightness):
            return lightness.expand(-1, 2, -1, -1)

    with pytest.raises(
        PluginError, match=r"returned entropy of shape \(1, 2, 16, 16\); expected a tensor of shape \(1, 1, h, w\)"
    ):
        list(EntropyPipeline(pipeline_of(Wrong())).chroma([frame()]))
