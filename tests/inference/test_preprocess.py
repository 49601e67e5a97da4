"""Every device computes what the CPU computes, and pixels travel once each way."""

import numpy as np
import pytest
import torch
from torch import nn

from colorcli import Colorizer
from colorcli.color import lab_to_rgb
from colorcli.errors import PluginError
from colorcli.inference.device import Device
from colorcli.inference.join import join
from colorcli.inference.model import Model
from colorcli.inference.pipeline import Pipeline
from colorcli.inference.preprocess import small_lightness
from colorcli.inference.transfer import Uploads
from colorcli.media.pictures.files import Frame

CPU = torch.device("cpu")


class Warm(Colorizer):
    """Chroma is lightness."""

    name = "warm"
    summary = "Chroma is lightness."
    size = 16

    def build(self):
        return nn.Identity()

    def predict(self, network, lightness):
        return network(lightness).expand(-1, 2, -1, -1) * 0.7


class Broken(Warm):
    """Chroma is not a number."""

    def predict(self, network, lightness):
        return super().predict(network, lightness) * float("nan")


class Full:
    """Runs out of memory whenever more pixels than fit are processed at a time."""

    def __init__(self, work, fits):
        self.work, self.fits, self.tried = work, fits, []

    def __call__(self, *args):
        device, strip = args[-2].device if isinstance(args[-2], torch.Tensor) else args[-2], args[-1]
        self.tried.append((device.type, strip))
        if device.type != "cpu" and strip > self.fits:
            raise torch.OutOfMemoryError("out of memory")
        return self.work(*args)


def picture(dtype, shape, seed=0):
    return np.random.default_rng(seed).integers(0, np.iinfo(dtype).max, shape, dtype, endpoint=True)


def pipeline_on(device, colorizer=Warm, **settings):
    model = Model(colorizer(), nn.Identity(), Device(device, torch.float32), tag="", fingerprint="0", size=16)
    return Pipeline(model, **settings)


def frames_of(count):
    return [Frame(picture(np.uint8, (40 + n, 30, 3), n)) for n in range(count)]


# The same on every device


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
@pytest.mark.parametrize("shape", [(37, 53), (64, 48, 3)], ids=["gray", "color"])
def test_lightness_is_that_of_the_cpu(device, dtype, shape):
    pixels = picture(dtype, shape)
    found = small_lightness(pixels, (16, 16), device)
    assert found.device.type == device.type
    assert torch.allclose(found.cpu(), small_lightness(pixels, (16, 16), CPU), atol=1e-3)


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
@pytest.mark.parametrize("chroma", [5, 120], ids=["in gamut", "out of gamut"])
def test_a_joined_picture_is_that_of_the_cpu_up_to_rounding(device, dtype, chroma):
    pixels = picture(dtype, (50, 41, 3))
    ab = chroma * torch.randn(1, 2, 16, 16, generator=torch.Generator().manual_seed(0))
    apart = np.abs(join(pixels, ab.to(device)).astype(int) - join(pixels, ab))
    assert apart.max() <= (1 if dtype is np.uint8 else 60)
    assert apart.mean() < (0.01 if dtype is np.uint8 else 2)


def test_colors_in_gamut_are_those_of_the_cpu(device):
    random = torch.Generator().manual_seed(0)
    lightness, ab = torch.rand(2, 1, 9, 9, generator=random) * 100, torch.randn(2, 2, 9, 9, generator=random) * 60
    assert torch.allclose(lab_to_rgb(lightness.to(device), ab.to(device)).cpu(), lab_to_rgb(lightness, ab), atol=1e-4)


def test_a_pipeline_colors_as_on_the_cpu(device):
    frames = frames_of(3)
    found = pipeline_on(device, batch_size=2).colorize(frames)
    expected = pipeline_on(CPU, batch_size=2).colorize(frames)
    for one, other in zip(found, expected, strict=True):
        assert np.abs(one.pixels.astype(int) - other.pixels).max() <= 1


def test_colors_that_are_not_finite_are_an_error(device):
    with pytest.raises(PluginError, match="not finite"):
        list(pipeline_on(device, Broken, batch_size=2).chroma(frames_of(2)))


def test_a_model_refuses_colors_that_are_not_finite(device):
    with pytest.raises(PluginError, match="not finite"):
        pipeline_on(device, Broken).model.predict(torch.full((1, 1, 16, 16), 50.0))


# Once each way


def test_a_picture_is_uploaded_once_and_downloaded_once(remote):
    pipeline = pipeline_on(remote.device, batch_size=3)
    list(pipeline.colorize(frames_of(3)))  # tables and matrices of these sizes stay on the device
    remote.uploads.clear(), remote.downloads.clear(), remote.waits.clear()
    list(pipeline.colorize(frames_of(3)))
    assert sorted(remote.uploads) == [(40, 30, 3), (41, 30, 3), (42, 30, 3)]
    report, *pictures = remote.downloads
    assert report == (4,)  # whether the batch is finite, and how much of each picture stayed gray
    assert pictures == [(40, 30, 3), (41, 30, 3), (42, 30, 3)]
    assert not remote.waits


def test_frames_leave_the_device_with_their_pixels(remote):
    pipeline = pipeline_on(remote.device)
    for frame in frames_of(2):
        pipeline.lightness(frame)
    assert len(pipeline.model.uploads) == 1  # the one of the last frame, which is still here
    list(pipeline.colorize([frame]))
    assert len(pipeline.model.uploads) == 0


def test_a_device_without_its_number_is_the_same_device(remote):
    uploads, pixels = Uploads(torch.device("remote")), picture(np.uint8, (9, 9))
    kept = uploads.of(pixels)
    assert uploads.of(pixels, kept.device) is kept
    assert uploads.of(pixels, torch.device("remote:1")) is not kept


# Memory


@pytest.mark.parametrize("name", ["small_lightness", "join"])
def test_strips_are_halved_until_they_fit(remote, name, monkeypatch):
    full = Full({"small_lightness": small_lightness, "join": join}[name], fits=2**20)
    monkeypatch.setattr(f"colorcli.inference.pipeline.{name}", full)
    (frame,) = pipeline_on(remote.device).colorize(frames_of(1))
    assert full.tried == [("remote", 2**23), ("remote", 2**22), ("remote", 2**21), ("remote", 2**20)]
    assert frame.pixels.shape == (40, 30, 3)


@pytest.mark.parametrize("name", ["small_lightness", "join"])
def test_the_cpu_continues_where_no_strip_fits(remote, name, monkeypatch, caplog):
    full = Full({"small_lightness": small_lightness, "join": join}[name], fits=0)
    monkeypatch.setattr(f"colorcli.inference.pipeline.{name}", full)
    (frame,) = pipeline_on(remote.device).colorize(frames_of(1))
    assert full.tried[-2:] == [("remote", 2**18), ("cpu", 2**16)]
    assert "Continuing on the CPU" in caplog.text
    assert np.array_equal(frame.pixels, next(pipeline_on(CPU).colorize(frames_of(1))).pixels)
