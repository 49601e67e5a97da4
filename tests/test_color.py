import subprocess
import sys

import numpy as np
import pytest
import torch
from skimage import color as skimage

from colorcli import color
from colorcli.color import (
    gray_to_lightness,
    lab_to_linear,
    lab_to_rgb,
    lightness_to_gray,
    lightness_to_luminance,
    linear_to_srgb,
    luminance_to_lightness,
    rgb_to_lab,
    rgb_to_yuv,
    srgb_to_linear,
    yuv_to_rgb,
)


def random_rgb(*batch, seed=0):
    return torch.rand(*batch, 3, 16, 16, generator=torch.Generator().manual_seed(seed))


def channels_last(t):
    return t.movedim(-3, -1).numpy()


def picture(red, green, blue):
    return torch.tensor([red, green, blue], dtype=torch.float64)[:, None, None]


# Lab


def test_lab_agrees_with_scikit_image():
    rgb = torch.cat([random_rgb(4), random_rgb(4, seed=1) / 20, torch.zeros(1, 3, 16, 16), torch.ones(1, 3, 16, 16)])
    expected = skimage.rgb2lab(channels_last(rgb.double()))
    assert np.abs(channels_last(rgb_to_lab(rgb)) - expected).max() < 0.01


def test_rgb_agrees_with_scikit_image():
    lab = rgb_to_lab(random_rgb(4))
    expected = skimage.lab2rgb(channels_last(lab.double()))
    found = channels_last(lab_to_rgb(lab[:, :1], lab[:, 1:]))
    assert np.abs(found - expected).max() < 1e-3


def test_the_lightness_of_gray_is_not_its_code_value():
    """Code 128 is L* 53.6: a pipeline that takes codes for L* darkens the mid-tones."""
    assert gray_to_lightness(torch.tensor(128 / 255)).item() == pytest.approx(53.585, abs=1e-3)
    assert gray_to_lightness(torch.tensor([0.0, 1.0])).tolist() == pytest.approx([0, 100], abs=1e-4)


def test_lightness_turns_back_into_the_gray_and_the_luminance_it_came_from():
    gray = torch.linspace(0, 1, 1001)

    assert torch.allclose(lightness_to_gray(gray_to_lightness(gray)), gray, atol=1e-5)
    assert lightness_to_luminance(torch.tensor([0.0, 50.0, 100.0])).tolist() == pytest.approx(
        [0, 0.184187, 1], abs=1e-6
    )


def test_a_fifth_of_the_light_is_about_half_of_the_lightness():
    assert luminance_to_lightness(torch.tensor(0.184187)).item() == pytest.approx(50, abs=1e-3)


def test_the_transfer_function_has_the_values_of_its_standard_and_an_inverse():
    codes = torch.linspace(0, 1, 1001, dtype=torch.float64)
    assert srgb_to_linear(torch.tensor(0.5)).item() == pytest.approx(0.21404114, abs=1e-6)
    assert torch.allclose(linear_to_srgb(srgb_to_linear(codes)), codes, atol=1e-6)


def test_a_batch_of_any_shape_is_converted_picture_by_picture():
    rgb = random_rgb(2, 3)
    assert torch.equal(rgb_to_lab(rgb)[1, 2], rgb_to_lab(rgb[1, 2]))
    lab = rgb_to_lab(rgb)
    assert lab_to_rgb(lab[..., :1, :, :], lab[..., 1:, :, :]).shape == rgb.shape


# Gamut


def saturated(seed=0):
    """Every gray level beside random chroma of up to ±127, most of it outside the gamut."""
    lightness = torch.linspace(0, 100, 256)[None, None, :, None].expand(1, 1, 256, 64).contiguous()
    ab = torch.rand(1, 2, 256, 64, generator=torch.Generator().manual_seed(seed)) * 254 - 127
    return lightness, ab


def test_colors_outside_the_gamut_keep_their_lightness():
    lightness, ab = saturated()
    assert (rgb_to_lab(lab_to_rgb(lightness, ab))[:, :1] - lightness).abs().max() < 0.05


def test_colors_outside_the_gamut_keep_their_hue_and_lose_chroma():
    lightness, ab = saturated()
    back = rgb_to_lab(lab_to_rgb(lightness, ab))[:, 1:]
    across = (ab[:, 0] * back[:, 1] - ab[:, 1] * back[:, 0]) / ab.norm(dim=1)  # distance from the line of that hue
    assert across.abs().max() < 0.2
    assert (back.norm(dim=1) <= ab.norm(dim=1) + 0.1).all()


def test_the_largest_chroma_in_gamut_is_kept():
    lightness, ab = saturated()
    left = rgb_to_lab(lab_to_rgb(lightness, ab))[:, 1:].norm(dim=1, keepdim=True)
    reduced = (left < ab.norm(dim=1, keepdim=True) - 2)[:, 0]
    more = lab_to_linear(lightness, ab / ab.norm(dim=1, keepdim=True) * (left + 1))
    outside = (more.amin(1) < 0) | (more.amax(1) > 1)
    assert reduced.float().mean() > 0.5
    assert outside[reduced].float().mean() > 0.999


def test_few_colors_are_brought_into_gamut_as_many_are():
    lightness, ab = saturated()
    together = lab_to_rgb(lightness, ab)
    assert lightness.numel() > 4 * 1024
    rows = [lab_to_rgb(lightness[..., row : row + 1, :], ab[..., row : row + 1, :]) for row in range(0, 256, 15)]
    same = torch.cat(rows, dim=-2) == together[..., ::15, :]
    assert same.float().mean() > 0.999  # the gamut is not convex everywhere


def test_colors_in_gamut_do_not_change():
    lab = rgb_to_lab(random_rgb(4))
    assert torch.allclose(lab_to_rgb(lab[:, :1], lab[:, 1:]), random_rgb(4), atol=1e-3)


def test_black_and_white_have_no_chroma():
    ab = torch.full((1, 2, 1, 2), 80.0)
    rgb = lab_to_rgb(torch.tensor([0.0, 100.0])[None, None, None], ab)
    assert torch.allclose(rgb, torch.tensor([0.0, 1.0]).expand(1, 3, 1, 2), atol=2e-3)


# YUV


@pytest.mark.parametrize(
    ("matrix", "range_", "rgb", "expected"),
    [
        ("bt601", "full", (1, 0, 0), (76.245, -43.031, 127.5)),
        ("bt601", "full", (0, 0, 1), (29.07, 127.5, -20.734)),
        ("bt601", "limited", (1, 0, 0), (81.481, -37.797, 112)),
        ("bt601", "limited", (1, 1, 1), (235, 0, 0)),
        ("bt709", "full", (0, 1, 0), (182.376, -98.277, -115.798)),
        ("bt709", "limited", (0, 1, 0), (172.629, -86.33, -101.72)),
        ("bt709", "limited", (0, 0, 1), (31.812, 112, -10.269)),
        ("bt709", "limited", (0, 0, 0), (16, 0, 0)),
    ],
)
def test_yuv_has_the_values_of_its_recommendation(matrix, range_, rgb, expected):
    yuv = rgb_to_yuv(picture(*rgb), matrix, range_) * 255
    assert yuv.flatten().tolist() == pytest.approx(expected, abs=0.06)


@pytest.mark.parametrize("range_", ["full", "limited"])
@pytest.mark.parametrize("matrix", ["bt601", "bt709"])
def test_yuv_can_be_converted_back(matrix, range_):
    rgb = random_rgb(2)
    assert torch.allclose(yuv_to_rgb(rgb_to_yuv(rgb, matrix, range_), matrix, range_), rgb, atol=1e-5)


def test_full_bt601_is_the_yuv_of_jpeg():
    from PIL import Image

    pixels = np.random.default_rng(0).integers(0, 256, (16, 16, 3), np.uint8)
    jpeg = np.asarray(Image.fromarray(pixels).convert("YCbCr")).astype(float) - [0, 128, 128]
    yuv = rgb_to_yuv(torch.tensor(pixels).movedim(-1, 0) / 255, "bt601")
    assert np.abs(channels_last(yuv * 255) - jpeg).max() <= 1.01


# For networks that expect RGB


IMAGENET = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)


def test_gray_rgb_has_the_lightness_it_was_made_from_and_no_chroma():
    lightness = torch.linspace(0, 100, 101).reshape(1, 1, 1, -1)
    lab = color.rgb_to_lab(color.gray_rgb(lightness))
    assert torch.allclose(lab[:, :1], lightness, atol=1e-3)
    assert lab[:, 1:].abs().max() < 0.02


@pytest.mark.parametrize(("code", "lightness"), [(0, 0.0), (128, 53.585), (255, 100.0)])
def test_gray_rgb_is_encoded_as_srgb(code, lightness):
    rgb = color.gray_rgb(torch.tensor(lightness).reshape(1, 1, 1, 1))
    assert rgb.flatten().tolist() == [pytest.approx(code / 255, abs=1e-4)] * 3


@pytest.mark.parametrize("shape", [(1, 4, 4), (3, 1, 2, 5), (2, 3, 1, 1, 1)])
def test_gray_rgb_is_normalized_channel_by_channel_in_any_shape(shape):
    lightness = torch.rand(shape, generator=torch.Generator().manual_seed(0)) * 100
    plain, normalized = color.gray_rgb(lightness), color.gray_rgb(lightness, *IMAGENET)
    assert plain.shape == (*shape[:-3], 3, *shape[-2:])
    for channel, (mean, std) in enumerate(zip(*IMAGENET, strict=True)):
        expected = (plain[..., channel, :, :] - mean) / std
        assert torch.allclose(normalized[..., channel, :, :], expected)


@pytest.mark.parametrize("device", ["meta", "cpu"])
def test_the_module_can_be_imported_on_any_default_device(device):
    """As a plugin's module may be, when its network is built on the meta device."""
    program = f"""
import torch
with torch.device({device!r}):
    from colorcli.color import lab_to_rgb
print(lab_to_rgb(torch.full((1, 1, 1), 50.0), torch.zeros(2, 1, 1)).mean().item())
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert float(done.stdout) == pytest.approx(0.466, abs=0.001)


def test_a_loss_on_rgb_has_gradients_even_if_the_first_conversion_had_none():
    color._column.cache_clear()
    gray = torch.full((1, 4, 4), 50.0)
    with torch.inference_mode():
        lab_to_rgb(gray, torch.zeros(2, 4, 4))
    ab = torch.zeros(2, 4, 4, requires_grad=True)
    lab_to_rgb(gray, ab).square().sum().backward()
    assert ab.grad.abs().min() > 0
