import pytest
import torch

from colorcli.color import gray_to_lightness, lab_to_rgb, rgb_to_lab, rgb_to_yuv, yuv_to_rgb
from colorcli_pix2pix.spaces import decode_color, encode_color, encode_gray, paint
from colorcli_pix2pix.unet import UnetGenerator


def cube():
    """Lightness and ab of red, green and blue from nothing to all, every combination of seventeen steps."""
    step = torch.linspace(0, 1, 17)
    rgb = torch.stack(torch.meshgrid(step, step, step, indexing="ij")).reshape(1, 3, 17, -1)
    lab = rgb_to_lab(rgb)
    return rgb, lab[:, :1], lab[:, 1:]


def test_lab_is_scaled_as_published():
    lightness, ab = (
        torch.tensor([0.0, 50, 100]).view(1, 1, 1, 3),
        torch.tensor([[-110.0, 55], [0, 110]]).view(1, 2, 1, 2),
    )
    assert encode_gray(lightness, "lab").flatten().tolist() == [-1, 0, 1]
    assert encode_color(lab_to_rgb(lightness[..., :2], ab), ab, "lab").flatten().tolist() == [-1, 0.5, 0, 1]
    assert decode_color(lightness[..., :2], ab / 110, "lab").allclose(ab)


def test_in_yuv_the_gray_is_the_luma_of_the_gray_picture():
    luma = torch.linspace(0, 1, 11).view(1, 1, 1, 11)
    assert encode_gray(gray_to_lightness(luma), "yuv").allclose(2 * luma - 1, atol=1e-5)


def test_in_yuv_the_color_covers_the_range_of_u_and_v():
    rgb, _, ab = cube()
    encoded = encode_color(rgb, ab, "yuv")
    assert encoded.allclose(2 * rgb_to_yuv(rgb, "bt601")[:, 1:], atol=0.01)
    assert [round(end.item(), 2) for end in encoded.aminmax()] == [-1, 1]


@pytest.mark.parametrize("space", ["lab", "yuv"])
def test_true_colors_come_back_as_they_were(space):
    rgb, lightness, ab = cube()
    found = decode_color(lightness, encode_color(rgb, ab, space), space)
    assert (found - ab).abs().max() < 0.1
    assert (found - ab).abs().mean() < 5e-3


@pytest.mark.paper("edinburgh", "the Y of YUV is the picture's own")
def test_in_yuv_the_pictures_own_luma_with_its_u_and_v_is_the_picture():
    """Pure red has a luma of 76, where the gray of its luminance has 127."""
    rgb, _, ab = cube()
    luma = rgb_to_yuv(rgb, "bt601")[:, :1]
    red = torch.tensor([1.0, 0, 0]).view(1, 3, 1, 1)
    assert round(255 * rgb_to_yuv(red, "bt601")[0, 0, 0, 0].item()) == 76
    gray = gray_to_lightness(luma)
    found = paint(gray, decode_color(gray, encode_color(rgb, ab, "yuv"), "yuv"))
    assert (found - rgb).abs().max() < 2e-3


def test_the_luma_of_the_gray_picture_would_not_do():
    """Why the luma is sought: with that of gray, saturated colors come out wrong by a dozen units of ab."""
    rgb, lightness, ab = cube()
    luma = (encode_gray(lightness, "yuv") + 1) / 2
    naive = yuv_to_rgb(torch.cat([luma, rgb_to_yuv(rgb, "bt601")[:, 1:]], dim=1), "bt601")
    assert (rgb_to_lab(naive)[:, 1:] - ab).norm(dim=1).max() > 10


def test_colors_out_of_gamut_have_the_lightness_of_the_picture_too():
    chance = torch.Generator().manual_seed(0)
    lightness = torch.rand(1, 1, 100, 100, generator=chance) * 100
    lightness[..., :10], lightness[..., -10:] = 0, 100
    ab = decode_color(lightness, torch.rand(1, 2, 100, 100, generator=chance) * 2 - 1, "yuv")
    assert ab.isfinite().all()
    assert ab.abs().max() < 256
    brought_into_gamut = lab_to_rgb(lightness, ab)
    assert (rgb_to_lab(brought_into_gamut)[:, :1] - lightness).abs().max() < 0.5


def test_decoding_is_in_float32_where_all_around_it_is_bf16():
    rgb, lightness, ab = cube()
    encoded = encode_color(rgb, ab, "yuv")
    with torch.autocast("cpu", torch.bfloat16):
        found = decode_color(lightness, encoded, "yuv")
    assert found.equal(decode_color(lightness, encoded, "yuv"))
    assert decode_color(lightness, ab.bfloat16(), "lab").dtype == torch.float32


def test_there_are_two_spaces():
    with pytest.raises(ValueError, match="space must be one of lab, yuv, got 'hsv'"):
        UnetGenerator(width=1, levels=5, space="hsv")
