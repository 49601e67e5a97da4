"""Eight conversions of color to gray, for studies."""

from collections.abc import Callable, Mapping

from torch import Tensor

from colorcli.color import lightness_to_gray, linear_to_srgb, rgb_to_lab, rgb_to_yuv, srgb_to_linear


def make_gray(rgb: Tensor, way: str) -> Tensor:
    """Convert a color picture to gray.

    The Utrecht paper (section IV A) tried eight conversions, but names none; these are eight common ones. R'G'B' are
    sRGB-encoded values, RGB is linear light, all in 0..1:

    * `luminance`: Y = 0.2127 R + 0.7152 G + 0.0722 B, sRGB-encoded (IEC 61966-2-1): what `colorcli run` uses.
    * `lightness`: L* / 100 (CIE 15).
    * `luma601`: 0.299 R' + 0.587 G' + 0.114 B' (ITU-R BT.601): television, JPEG.
    * `luma709`: 0.2126 R' + 0.7152 G' + 0.0722 B' (ITU-R BT.709): high-definition television.
    * `average`: (R' + G' + B') / 3: the intensity of HSI.
    * `hsl`: (max + min) / 2 of R'G'B': the lightness of HSL (Joblove and Greenberg 1978).
    * `value`: max of R'G'B': the value of HSV (Smith 1978).
    * `orthochromatic`: (G + B) / 2, sRGB-encoded: film that is blind to red, as most was until about 1930.

    Args:
        rgb: (B, 3, H, W) R'G'B' in 0..1.
        way: the conversion.

    Returns:
        (B, 1, H, W) in 0..1.
    """
    return _WAYS[way](rgb)


_WAYS: Mapping[str, Callable[[Tensor], Tensor]] = {
    "luminance": lambda rgb: lightness_to_gray(rgb_to_lab(rgb)[:, :1]),
    "lightness": lambda rgb: rgb_to_lab(rgb)[:, :1] / 100,
    "luma601": lambda rgb: rgb_to_yuv(rgb, "bt601")[:, :1],
    "luma709": lambda rgb: rgb_to_yuv(rgb, "bt709")[:, :1],
    "average": lambda rgb: rgb.mean(dim=1, keepdim=True),
    "hsl": lambda rgb: (rgb.amax(dim=1, keepdim=True) + rgb.amin(dim=1, keepdim=True)) / 2,
    "value": lambda rgb: rgb.amax(dim=1, keepdim=True),
    "orthochromatic": lambda rgb: linear_to_srgb(srgb_to_linear(rgb[:, 1:]).mean(dim=1, keepdim=True)),
}
