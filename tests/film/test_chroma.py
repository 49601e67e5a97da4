import cv2
import numpy as np
import pytest
import torch
from skimage import color as skimage

from colorcli.color import gray_to_lightness, lab_to_uv, luma_to_lightness, rgb_to_lab, rgb_to_yuv, yuv_to_rgb
from colorcli.film.chroma import Coding, chroma_planes, small_lightness

USUAL = Coding("bt709", "srgb", full_range=False, depth=8)
CODINGS = [
    USUAL,
    Coding("bt601", "srgb", full_range=True, depth=8),
    Coding("bt2020", "bt2020", full_range=False, depth=10),
    Coding("smpte240m", "srgb", full_range=True, depth=10),
]


def coding_name(coding):
    return f"{coding.matrix}-{'full' if coding.full_range else 'limited'}-{coding.depth}"


def picture(coding, size=(96, 128), seed=0):
    """Luma with edges and grain, from black to white."""
    random = np.random.default_rng(seed)
    coarse = random.uniform(0, 1, (size[0] // 16 + 1, size[1] // 16 + 1)).astype(np.float32)
    luma = cv2.resize(coarse, size[::-1], interpolation=cv2.INTER_NEAREST) + random.normal(0, 0.02, size)
    codes = coding.black + coding.luma_codes * luma.clip(0, 1)
    return codes.round().astype(np.uint8 if coding.depth == 8 else np.uint16)


def colors(chroma, size=(24, 32), seed=1):
    """Smooth ab of a given strength."""
    coarse = np.random.default_rng(seed).normal(0, chroma, (2, 4, 5)).astype(np.float32)
    return np.stack([cv2.resize(plane, size[::-1], interpolation=cv2.INTER_CUBIC) for plane in coarse])


def shown(luma, u, v, coding):
    """R'G'B' (3, H, W) as a player shows it, without clipping."""
    height, width = luma.shape
    middle = 1 << (coding.depth - 1)
    wide = [cv2.resize(p.astype(np.float64), (width, height), interpolation=cv2.INTER_LINEAR) for p in (u, v)]
    planes = [(luma.astype(np.float64) - coding.black) / coding.luma_codes]
    planes += [(plane - middle) / coding.chroma_codes for plane in wide]
    return yuv_to_rgb(torch.from_numpy(np.stack(planes)), coding.matrix)


def test_lightness_is_that_of_the_gray_a_player_shows():
    luma = picture(USUAL)
    gray = ((luma.astype(float) - 16) / 219).clip(0, 1)
    expected = skimage.rgb2lab(np.dstack([gray] * 3))[..., 0]
    assert np.abs(small_lightness(luma, luma.shape, USUAL)[0, 0].numpy() - expected).max() < 0.01


@pytest.mark.parametrize("coding", CODINGS, ids=coding_name)
def test_black_is_0_and_white_is_100_in_every_range_and_depth(coding):
    luma = np.full((16, 16), coding.black, np.uint8 if coding.depth == 8 else np.uint16)
    luma[:, 8:] += coding.luma_codes
    lightness = small_lightness(luma, (16, 16), coding)
    assert lightness.shape == (1, 1, 16, 16)
    assert lightness[..., 0].abs().max() < 1e-4
    assert (lightness[..., -1] - 100).abs().max() < 1e-4


def test_codes_below_black_and_above_white_are_clamped():
    luma = np.array([[0, 255]], np.uint8)
    assert small_lightness(luma, (1, 2), USUAL).flatten().tolist() == pytest.approx([0, 100], abs=1e-4)


@pytest.mark.parametrize("coding", CODINGS, ids=coding_name)
@pytest.mark.parametrize("size", [(96, 128), (95, 127), (2, 2), (1, 1)])
def test_zero_chroma_becomes_exactly_the_middle_code_at_every_size(coding, size):
    luma = picture(coding, size)
    u, v = chroma_planes(luma, np.zeros((2, 8, 8), np.float32), coding)
    assert u.shape == v.shape == ((size[0] + 1) // 2, (size[1] + 1) // 2)
    assert u.dtype == v.dtype == luma.dtype
    assert np.unique([u, v]).tolist() == [1 << (coding.depth - 1)]


@pytest.mark.parametrize("coding", [each for each in CODINGS if each.primaries == "srgb"], ids=coding_name)
def test_a_player_shows_the_predicted_chroma(coding):
    dtype = np.uint8 if coding.depth == 8 else np.uint16
    luma = np.full((32, 32), coding.black + coding.luma_codes // 2, dtype)
    ab = colors(18)
    u, v = chroma_planes(luma, ab, coding)
    found = rgb_to_lab(shown(luma, u, v, coding))[1:]
    expected = [cv2.resize(plane, (32, 32), interpolation=cv2.INTER_CUBIC) for plane in ab]
    assert np.abs(found.numpy() - expected).mean() < 0.5


def test_u_and_v_are_within_2_db_of_an_exact_full_resolution_conversion():
    luma, ab = picture(USUAL, (256, 320)), colors(20, (64, 80))
    scaled = np.stack([cv2.resize(plane, (320, 256), interpolation=cv2.INTER_CUBIC) for plane in ab])
    exact_ab = torch.from_numpy(scaled).double()
    y = ((torch.from_numpy(luma).double() - 16) / 219)[None]
    uv = lab_to_uv(y, luma_to_lightness(y, exact_ab, "bt709"), exact_ab, "bt709")
    exact = yuv_to_rgb(torch.cat((y, uv)), "bt709")

    def decibels(planes):
        return -10 * torch.log10((shown(luma, *planes, USUAL) - exact).square().mean()).item()

    halved = [cv2.resize(128 + 224 * plane, (160, 128), interpolation=cv2.INTER_AREA).round() for plane in uv.numpy()]
    assert decibels(chroma_planes(luma, ab, USUAL)) > decibels(halved) - 2


@pytest.mark.parametrize("coding", CODINGS, ids=coding_name)
def test_colors_stay_within_the_gamut_of_the_player(coding):
    luma = picture(coding)
    luma[::2], luma[1::2] = luma[1::2].copy(), luma[1::2].copy()  # alike in twos: what is shared by four is exact
    luma[:, ::2] = luma[:, 1::2]
    u, v = chroma_planes(luma, colors(300), coding)
    middle = 1 << (coding.depth - 1)
    uv = [(plane.astype(np.float64) - middle) / coding.chroma_codes for plane in (u, v)]
    y = (luma[::2, ::2].astype(np.float64) - coding.black) / coding.luma_codes
    rgb = yuv_to_rgb(torch.from_numpy(np.stack([y, *uv])), coding.matrix)
    step = 2 / coding.chroma_codes
    assert rgb.min() > -step
    assert rgb.max() < 1 + step
    assert np.ptp(u) > 0.2 * coding.chroma_codes


def test_the_lightness_of_a_color_is_recovered_from_its_luma():
    rgb = torch.tensor([[0.70, 0.45, 0.35], [0.30, 0.50, 0.40], [0.35, 0.40, 0.65]]).T[:, None].double()
    lab, y = rgb_to_lab(rgb), rgb_to_yuv(rgb, "bt709")[:1]
    found = luma_to_lightness(y, lab[1:], "bt709")
    assert (found - lab[:1]).abs().max() < 0.2
    assert (gray_to_lightness(y) - lab[:1]).abs().max() > 0.5


def test_wide_primaries_show_the_same_color_with_smaller_u_and_v():
    y, ab = torch.full((1, 1, 1), 0.5), torch.tensor([40.0, 20.0])[:, None, None]
    saturations = []
    for primaries in ("srgb", "display-p3", "bt2020"):
        lightness = luma_to_lightness(y, ab, "bt709", primaries)
        saturations.append(lab_to_uv(y, lightness, ab, "bt709", primaries).norm().item())
    assert saturations == sorted(saturations, reverse=True)
    assert saturations[0] > 1.2 * saturations[2]


def test_gray_is_gray_in_all_primaries():
    y = torch.linspace(0, 1, 11)[None, None]
    for primaries in ("srgb", "display-p3", "bt2020"):
        assert lab_to_uv(y, gray_to_lightness(y), torch.zeros(2, 1, 11), "bt709", primaries).abs().max() < 1e-4


def test_a_frame_much_larger_than_a_strip_has_no_seams():
    luma = np.full((600, 800), 120, np.uint8)
    u, v = chroma_planes(luma, np.full((2, 8, 8), 20, np.float32), USUAL)
    assert np.ptp(u) == np.ptp(v) == 0


def test_ab_beyond_its_range_is_clamped():
    luma = np.full((16, 16), 120, np.uint8)
    beyond = chroma_planes(luma, np.full((2, 8, 8), 900, np.float32), USUAL)
    at_the_limit = chroma_planes(luma, np.full((2, 8, 8), 128, np.float32), USUAL)
    assert np.abs(np.subtract(beyond, at_the_limit, dtype=int)).max() <= 2


@pytest.mark.parametrize("coding", [each for each in CODINGS if each.depth == 8], ids=coding_name)
@pytest.mark.parametrize("size", [(256, 320), (255, 319)], ids=["even", "odd"])
def test_u_and_v_that_are_looked_up_are_the_exact_ones_up_to_rounding(coding, size):
    luma, ab = picture(coding, size), colors(12)
    found = np.stack(chroma_planes(luma, ab, coding)).astype(int)
    assert found.shape == (2, (size[0] + 1) // 2, (size[1] + 1) // 2)
    height, width = found.shape[1:]
    even = np.pad(luma, ((0, size[0] % 2), (0, size[1] % 2)), mode="edge")
    coarse = torch.from_numpy(cv2.resize(even, (width, height), interpolation=cv2.INTER_AREA)).double()
    y = ((coarse - coding.black) / coding.luma_codes).clamp(0, 1)[None]
    scaled = np.stack([cv2.resize(plane, (width, height), interpolation=cv2.INTER_CUBIC) for plane in ab])
    exact_ab = torch.from_numpy(scaled).double()
    uv = lab_to_uv(y, luma_to_lightness(y, exact_ab, coding.matrix), exact_ab, coding.matrix)
    apart = np.abs(found - (128 + coding.chroma_codes * uv.numpy()).round())
    assert apart.mean() < 0.2
    assert np.quantile(apart, 0.999) <= 1
    assert apart.max() <= 4
