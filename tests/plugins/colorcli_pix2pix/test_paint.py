"""Edinburgh, YUV: the predicted U and V are shown with the Y' of the gray picture."""

import pytest
import torch

from colorcli.color import gray_to_lightness, rgb_to_yuv
from colorcli.errors import UsageError
from colorcli_pix2pix import Pix2Pix

OPTIONS = {"category": "auto", "blend": False, "noise": 0}


def network(space, kind="generator"):
    torch.manual_seed(0)
    more = {"router_width": 4, "router_size": 32} if kind == "ensemble" else {}
    made = Pix2Pix().build(kind, width=2, levels=5, space=space, **more).eval()
    for module in made.modules():
        if isinstance(module, torch.nn.ConvTranspose2d) and module.out_channels == 2 and module.bias is not None:
            torch.nn.init.constant_(module.bias, 0.1)  # untrained, it would be as good as gray
    return made


@pytest.mark.parametrize("kind", ["generator", "ensemble"])
def test_a_painted_picture_has_the_luma_of_the_gray_one(kind):
    luma = torch.rand(2, 1, 32, 32, generator=torch.Generator().manual_seed(1)) * 0.4 + 0.3
    with torch.inference_mode():
        rgb = Pix2Pix().paint(network("yuv", kind), gray_to_lightness(luma), **OPTIONS)
    assert rgb.shape == (2, 3, 32, 32)
    yuv = rgb_to_yuv(rgb, "bt601")
    inside = ((rgb > 0) & (rgb < 1)).all(dim=1, keepdim=True)
    assert inside.float().mean() > 0.5
    assert (yuv[:, :1] - luma)[inside].abs().max() < 1e-3
    assert yuv[:, 1:].abs().max() > 0.01


def test_the_u_and_v_of_a_painted_picture_are_those_of_the_generator():
    made, luma = network("yuv"), torch.full((1, 1, 32, 32), 0.5)
    with torch.inference_mode():
        rgb = Pix2Pix().paint(made, gray_to_lightness(luma), **OPTIONS)
        color = made(2 * luma - 1) / 2
    inside = ((rgb > 0.01) & (rgb < 0.99)).all(dim=1, keepdim=True).expand(-1, 2, -1, -1)
    assert (rgb_to_yuv(rgb, "bt601")[:, 1:] - color)[inside].abs().max() < 5e-3


def test_in_lab_nothing_is_painted():
    with pytest.raises(UsageError, match="pix2pix predicts chroma alone"):
        Pix2Pix().paint(network("lab"), torch.rand(1, 1, 32, 32) * 100, **OPTIONS)
