import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from torch.nn import functional

from colorcli.color import rgb_to_lab
from colorcli.inference import join as join_module
from colorcli.inference import join_table, preprocess
from colorcli.inference.join import join
from colorcli.inference.join_table import Cells
from colorcli.inference.preprocess import small_lightness

STATM = Path("/proc/self/statm")
CPU = torch.device("cpu")
LEVELS = {np.uint8: 255, np.uint16: 65535}


def lightness(pixels):
    """True L* in double precision: (H, W)."""
    rgb = torch.tensor(pixels.astype(np.float64)) / LEVELS[pixels.dtype.type]
    rgb = rgb.expand(3, *rgb.shape) if rgb.ndim == 2 else rgb.movedim(-1, 0)
    return rgb_to_lab(rgb)[0]


def all_grays(dtype):
    """Every level of 8 bits, or 256 rows through those of 16: (256, 64)."""
    ramp = np.linspace(0, LEVELS[dtype], 256 * 64).reshape(256, 64)
    return (ramp if dtype is np.uint16 else ramp[:, :1].repeat(64, axis=1)).round().astype(dtype)


def random_color(dtype, height=256, width=64):
    return np.random.default_rng(0).integers(0, LEVELS[dtype], (height, width, 3), dtype, endpoint=True)


def saturated(height=256, width=64):
    return torch.rand(1, 2, height, width, generator=torch.Generator().manual_seed(0)) * 254 - 127


PALE = torch.tensor([4.0, -7.0])[None, :, None, None].expand(1, 2, 8, 8)


# The promise


@pytest.mark.parametrize("ab", [PALE, saturated(), saturated(16, 16)], ids=["pale", "noise", "patches"])
@pytest.mark.parametrize("pixels", [all_grays(np.uint8), random_color(np.uint8)], ids=["gray", "color"])
def test_8_bits_keep_lightness_up_to_rounding(pixels, ab):
    change = (lightness(join(pixels, ab)) - lightness(pixels)).abs()
    assert change.mean() <= 0.3
    assert (change <= 1).double().mean() >= 0.999


@pytest.mark.parametrize("ab", [PALE, saturated(), saturated(16, 16)], ids=["pale", "noise", "patches"])
@pytest.mark.parametrize("pixels", [all_grays(np.uint16), random_color(np.uint16)], ids=["gray", "color"])
def test_16_bits_keep_lightness_much_more_exactly(pixels, ab):
    change = (lightness(join(pixels, ab)) - lightness(pixels)).abs()
    assert change.mean() <= 0.002
    assert (change <= 0.02).double().mean() >= 0.999


def test_gray_does_not_change_without_chroma():
    for dtype in LEVELS:
        gray = all_grays(dtype)
        change = join(gray, torch.zeros(1, 2, 4, 4)).astype(int) - gray[..., None].astype(int)
        assert np.abs(change).max() <= (0 if dtype is np.uint8 else 3)


def test_the_joined_chroma_is_the_predicted_one():
    gray = np.full((32, 32), 120, np.uint8)
    lab = rgb_to_lab(torch.tensor(join(gray, PALE)).movedim(-1, 0) / 255)
    assert lab[1:].mean(dim=(1, 2)).tolist() == pytest.approx([4, -7], abs=0.5)


def test_chroma_outside_lab_is_clamped_and_does_not_overflow():
    gray = np.full((32, 32), 120, np.uint8)
    assert np.array_equal(join(gray, torch.full((1, 2, 4, 4), 1e6)), join(gray, torch.full((1, 2, 4, 4), 128.0)))


# Sizes


@pytest.mark.parametrize("shape", [(1, 1), (1, 500), (300, 1), (37, 53), (600, 401)])
@pytest.mark.parametrize("size", [(1, 1), (64, 64), (40, 80)])
def test_pictures_and_chroma_of_any_sizes_can_be_joined(shape, size):
    gray = np.full(shape, 130, np.uint8)
    assert join(gray, torch.full((1, 2, *size), 12.0)).shape == (*shape, 3)
    assert small_lightness(gray, size, CPU).shape == (1, 1, *size)


def test_chroma_is_scaled_like_torchs_bicubic_interpolation():
    ab = saturated(16, 16) / 12
    gray = np.full((90, 70), 125, np.uint16) * 257
    lab = rgb_to_lab(torch.tensor(join(gray, ab).astype(np.int32)).movedim(-1, 0) / 65535)
    expected = functional.interpolate(ab, (90, 70), mode="bicubic")[0]
    assert (lab[1:] - expected).abs().max() < 0.05


def test_chroma_of_the_pictures_size_is_not_scaled():
    ab = saturated(90, 70) / 12
    before = ab.clone()
    lab = rgb_to_lab(torch.tensor(join(np.full((90, 70), 32000, np.uint16), ab).astype(int)).movedim(-1, 0) / 65535)
    assert (lab[1:] - ab[0]).abs().max() < 0.05
    assert ab.equal(before)


@pytest.mark.parametrize("dtype", LEVELS)
def test_strips_show_no_seams(dtype, monkeypatch):
    color, ab = random_color(dtype, 200, 150), saturated(32, 32)
    whole, small = join(color, ab), small_lightness(color, (64, 64), CPU)
    monkeypatch.setitem(preprocess._STRIP, "cpu", 150 * 7)
    assert np.abs(join(color, ab).astype(int) - whole).max() <= 1
    assert torch.allclose(small_lightness(color, (64, 64), CPU), small, atol=1e-4)


def test_small_lightness_is_antialiased():
    """Stripes finer than the network's pixels are gray to it, not black or white."""
    stripes = np.zeros((256, 256), np.uint8)
    stripes[::2] = 255
    small = small_lightness(stripes, (32, 32), CPU)
    assert (small - 50).abs().max() < 5


@pytest.mark.parametrize("size", [(16, 16), (37, 53), (90, 40)], ids=["smaller", "the same", "taller"])
def test_small_lightness_is_scaled_like_torchs_antialiased_interpolation(size):
    gray = np.random.default_rng(0).integers(0, 256, (37, 53), np.uint8)
    expected = functional.interpolate(lightness(gray)[None, None], size, mode="bilinear", antialias=True)
    assert torch.allclose(small_lightness(gray, size, CPU), expected.float(), atol=0.01)


def test_small_lightness_of_gray_is_that_of_the_same_gray_as_color():
    gray = all_grays(np.uint8)
    color = np.repeat(gray[..., None], 3, axis=2)
    assert torch.allclose(small_lightness(gray, (50, 50), CPU), small_lightness(color, (50, 50), CPU), atol=0.01)


# Arrays of every kind


@pytest.mark.parametrize(
    "view",
    [
        lambda a: a[::-1],
        lambda a: a[:, ::2],
        lambda a: a.swapaxes(0, 1),
        lambda a: a.astype(a.dtype.newbyteorder(">")),
    ],
    ids=["upside down", "every other column", "transposed", "big-endian"],
)
@pytest.mark.parametrize("dtype", LEVELS)
def test_the_memory_layout_of_an_array_does_not_matter(view, dtype):
    seen, ab = view(random_color(dtype)), saturated(16, 16)
    plain = np.ascontiguousarray(seen, dtype)
    assert np.array_equal(join(seen, ab), join(plain, ab))
    assert torch.equal(small_lightness(seen, (8, 8), CPU), small_lightness(plain, (8, 8), CPU))


@pytest.mark.filterwarnings("error")
def test_read_only_arrays_can_be_colorized():
    pixels = np.asarray(Image.new("L", (20, 10), 99))
    assert not pixels.flags.writeable
    assert join(pixels, PALE).shape == (10, 20, 3)


@pytest.mark.skipif(not STATM.exists(), reason="only Linux says how much memory there is in use")
def test_memory_does_not_grow_with_the_number_of_sizes():
    """A matrix of bicubic scaling has megabytes, and every size its own."""

    def join_widths(widths):
        for width in widths:
            join(np.zeros((1, width), np.uint8), torch.zeros(1, 2, 1, 256))
        return resident_memory()

    before = join_widths(range(4000, 4020))
    assert join_widths(range(4020, 4160)) - before < 40e6  # 140 matrices have 586 MB


def resident_memory():
    return int(STATM.read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


# Frames of 8 bits on a CPU


def looked_up_and_computed(pixels, ab):
    return join(pixels, ab), join_module._computed(pixels, ab)


@pytest.fixture(autouse=True)
def _own_palette():
    """A palette filled by other tests would hide missing entries."""
    join_module._palette.cache_clear()


@pytest.mark.parametrize("size", [(16, 16), (256, 64)], ids=["scaled", "of the frame's size"])
def test_colors_that_are_looked_up_equal_computed_ones_up_to_rounding(size):
    ab = saturated(*size) / 4
    for _ in range(2):  # the second time all are known
        found, exact = looked_up_and_computed(all_grays(np.uint8), ab)
        difference = np.abs(found.astype(int) - exact)
        assert difference.mean() < 0.2
        assert (difference <= 1).mean() > 0.99
        assert difference.max() <= 8  # in the darkest, most saturated colors


def test_lightness_is_kept_where_colors_are_looked_up():
    gray = all_grays(np.uint8)
    found, _ = looked_up_and_computed(gray, saturated(16, 16))
    change = (lightness(found) - lightness(gray)).abs()
    assert change.mean() <= 0.3
    assert (change <= 1).double().mean() >= 0.999


def test_gray_that_is_looked_up_does_not_change_without_chroma():
    gray = all_grays(np.uint8)
    found, _ = looked_up_and_computed(gray, torch.zeros(1, 2, 4, 4))
    assert np.array_equal(found, gray[..., None].repeat(3, axis=2))


def sloping(down, across):
    """Chroma (1, 2, 16, 16) that changes from cell to cell by `down` in a column and by `across` in a row."""
    steps = torch.arange(16.0) - 7.5
    return (steps[:, None] * down + steps * across).expand(1, 2, 16, 16).contiguous()


@pytest.mark.parametrize(
    ("size", "ab", "block"),
    [
        ((64, 64), torch.zeros(1, 2, 1, 1), (4, 4)),
        ((64, 64), sloping(0.5, 0.5), (4, 4)),
        ((64, 64), sloping(0, 2), (4, 2)),
        ((64, 64), sloping(2, 0), (2, 4)),
        ((64, 64), sloping(0, 4.5), (4, 1)),
        ((64, 64), sloping(4.2, 4.2), (1, 1)),
        ((65, 67), sloping(0.1, 0.1), (4, 4)),
        ((65, 64), sloping(0.5, 0.5), (2, 4)),
        ((16, 16), sloping(0, 0), (1, 1)),
    ],
)
def test_blocks_share_their_chroma_where_it_hardly_changes(size, ab, block):
    assert Cells(ab, *size).block == block
    gray = np.full(size, 180, np.uint8)
    found, exact = looked_up_and_computed(gray, ab)
    difference = np.abs(found.astype(int) - exact)
    assert np.quantile(difference, 0.99) <= 2
    assert difference.mean() < 0.5
    high, wide = block
    assert (found[:high, :wide] == found[0, 0]).all()


@pytest.mark.parametrize("rows", [range(53), range(7, 9), range(0, 53, 8), range(3, 53, 5)], ids=str)
def test_places_of_some_rows_are_those_of_the_whole_frame(rows, monkeypatch):
    cells = Cells(saturated(16, 16), 53, 70)
    whole = torch.cat([places for _, places in cells.strips(53)])
    monkeypatch.setattr(join_table, "_ROWS", 2)
    assert torch.equal(cells._places(rows), whole[rows.start : rows.stop : rows.step])


def test_what_is_looked_up_does_not_depend_on_earlier_pictures():
    gray = np.random.default_rng(0).integers(0, 256, (90, 70), np.uint8)
    first, _ = looked_up_and_computed(gray, saturated(16, 16))
    looked_up_and_computed(gray[::-1], saturated(16, 16).flip(1))
    again, _ = looked_up_and_computed(gray, saturated(16, 16))
    assert np.array_equal(first, again)


@pytest.mark.parametrize("ab", [PALE, saturated(16, 16) / 4, saturated(16, 16)], ids=["pale", "patches", "steep"])
def test_large_frames_are_joined_in_strips_like_small_ones(ab, monkeypatch):
    """Rare colors that were not seen when some pixels were looked at beforehand are found, too."""
    gray = np.random.default_rng(0).integers(0, 9, (93, 71), np.uint8)
    gray[1::16] = 200  # never on a row that is looked at
    whole = join(gray, ab)
    monkeypatch.setattr(join_table, "_STRIP", 71 * 8)
    join_module._palette.cache_clear()
    for _ in range(2):  # the second time all are known
        assert np.array_equal(join(gray, ab), whole)


def test_threads_may_share_what_was_looked_up():
    gray, chroma = all_grays(np.uint8), [saturated(16, 16) / (n + 1) for n in range(8)]
    with ThreadPoolExecutor(4) as pool:
        together = list(pool.map(lambda ab: join(gray, ab), chroma))
    for found, ab in zip(together, chroma, strict=True):
        assert np.array_equal(found, join(gray, ab))


@pytest.mark.parametrize("view", [lambda a: a, lambda a: a[::-1, :, 0], torch.from_numpy, memoryview, Image.fromarray])
def test_an_output_stays_as_it_is_while_anything_refers_to_it(view, monkeypatch):
    monkeypatch.setattr(join_table, "_REUSED", range(1, 2**20))
    kept = view(join(np.full((40, 30), 200, np.uint8), PALE))
    before = np.asarray(kept).copy()
    join(np.full((40, 30), 20, np.uint8), PALE)
    assert np.array_equal(np.asarray(kept), before)


def test_the_memory_of_an_output_that_is_done_is_used_again(monkeypatch):
    monkeypatch.setattr(join_table, "_REUSED", range(1, 2**20))
    gray = np.full((40, 30), 200, np.uint8)
    places = {join(part, PALE).ctypes.data for part in (gray, gray[:20], gray)}
    assert len(places) == 1
