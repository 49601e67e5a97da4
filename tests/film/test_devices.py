"""Films are colored on every device as on the CPU, and their planes travel once each way."""

import numpy as np
import pytest
import torch

from colorcli.film.chroma import chroma_planes, small_lightness
from colorcli.film.keyframes import Keyframes
from colorcli.film.planes import averaged
from colorcli.film.prepare import upright
from colorcli.film.stabilizer import METHODS, Stabilizer
from colorcli.inference.transfer import Uploads, download
from tests.film.scenes import SIZE, flickering, painted, pan
from tests.film.test_chroma import CODINGS, USUAL, coding_name, colors, picture

CPU = torch.device("cpu")


def on(device, array):
    return torch.from_numpy(array).to(device)


def steadied(lightness, chroma, method):
    stabilizer = Stabilizer(method, 8)
    finished = []
    for seen, ab in zip(lightness, chroma, strict=True):
        finished += stabilizer.push(seen, ab)
    return [torch.as_tensor(ab).cpu() for ab in finished + stabilizer.finish()]


@pytest.mark.parametrize("coding", CODINGS, ids=coding_name)
@pytest.mark.parametrize("size", [(96, 128), (95, 127)])
def test_lightness_is_that_of_the_cpu(device, coding, size):
    luma = picture(coding, size)
    found = small_lightness(on(device, luma), (24, 32), coding)
    assert torch.allclose(found.cpu(), small_lightness(luma, (24, 32), coding), atol=1e-3)


@pytest.mark.parametrize("coding", CODINGS, ids=coding_name)
@pytest.mark.parametrize("size", [(96, 128), (95, 127), (20, 15)], ids=["even", "odd", "smaller than the chroma"])
def test_u_and_v_are_those_of_the_cpu_up_to_rounding(device, coding, size):
    luma, ab = picture(coding, size), colors(25)
    found = chroma_planes(on(device, luma), on(device, ab), coding)
    for one, other in zip(found, chroma_planes(luma, ab, coding), strict=True):
        assert one.dtype == other.dtype
        assert np.abs(one.astype(int) - other).max() <= (1 if coding.depth == 8 else 3)


@pytest.mark.parametrize("size", [(48, 32), (37, 29), (96, 30), (130, 200)])
def test_areas_are_averaged_as_by_opencv(device, size):
    luma = picture(USUAL)
    found = averaged(on(device, luma), size).cpu().int() - averaged(torch.from_numpy(luma), size).int()
    assert found.abs().max() <= 1


@pytest.mark.parametrize("method", METHODS)
def test_stable_chroma_is_that_of_the_cpu(device, method):
    lightness = pan(1, 20, step=2)
    chroma = flickering(painted(lightness))
    found = steadied(lightness, [on(device, ab) for ab in chroma], method)
    expected = steadied(lightness, chroma, method)
    apart = (torch.stack(found) - torch.stack(expected)).abs()
    assert apart.mean() < 0.02  # OpenCV rounds displacements to 1/32 of a pixel
    assert apart.max() < 1


def test_chroma_from_key_frames_is_that_of_the_cpu(device):
    lightness = pan(1, 12, step=2)
    found = []
    for where in (device, CPU):
        predicted = lambda keys, where=where: [  # noqa: E731
            ab if where.type == "cpu" else on(where, ab) for ab in painted(list(keys))
        ]
        keyframes = Keyframes(predicted, 4)
        finished = [each for seen in lightness for each in keyframes.push(seen)] + keyframes.finish()
        found.append(torch.stack([torch.as_tensor(ab).cpu() for ab in finished]))
    assert (found[0] - found[1]).abs().mean() < 0.02


def test_a_frame_is_uploaded_once_and_its_planes_are_downloaded_once(remote):
    """Beside them travel the small lightness, in which motion is searched on the CPU, and the flow that it finds."""
    uploads, stabilizer = Uploads(remote.device), Stabilizer("flow", 8)
    lumas = [picture(USUAL, (96, 128), seed) for seed in range(9)]

    def color(luma):
        lightness = upright(small_lightness(uploads.of(luma), SIZE, USUAL)[0], 0)
        return stabilizer.push(download(lightness).numpy(), (lightness - 50).expand(2, -1, -1) / 2)

    finished = [ab for luma in lumas for ab in color(luma)]
    for luma, ab in zip(lumas, finished + stabilizer.finish(), strict=True):
        chroma_planes(uploads.of(luma), ab, USUAL)
        uploads.drop(luma)
    assert remote.uploads.count((96, 128)) == 9
    assert remote.downloads.count((2, 48, 64)) == 9
    assert remote.downloads.count((1, *SIZE)) == 9
    assert len(remote.downloads) == 18
    flows = [shape for shape in remote.uploads if len(shape) == 3 and shape[0] == 6]
    assert len(flows) == 8
    assert not remote.waits
    assert not len(uploads)


def test_films_of_all_codings_are_uploaded_as_they_are(remote):
    for coding in CODINGS:
        luma = picture(coding)
        assert Uploads(remote.device).of(luma).element_size() == luma.itemsize


def test_planes_are_turned_as_arrays_are():
    planes = np.arange(24, dtype=np.float32).reshape(2, 3, 4)
    for rotation in (-90, 0, 90, 180, 270):
        expected = np.rot90(planes, -rotation // 90, axes=(1, 2))
        assert np.array_equal(upright(torch.from_numpy(planes), rotation).numpy(), expected)
