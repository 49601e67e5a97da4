"""Color science on tensors: sRGB, CIE Lab and YUV.

Every function works on any device and on batches, with the channels in dimension -3. Transfer functions that are
linear near zero are written as curve(max(x, knee)) + slope * min(x - knee, 0): torch.where would double their cost.

* sRGB: IEC 61966-2-1, R'G'B' in 0..1.
* Lab: CIE 1976 for the D65 white of the 2° observer, L* in 0..100, ab in about -128..127.
* YUV: ITU-R BT.601, BT.709 and the other matrices of ITU-T H.273 table 4 that occur in films; Y in 0..1 and U, V in
  -0.5..0.5 (full range), or scaled to the limited range.
"""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Literal

import torch
from torch import Tensor

if TYPE_CHECKING:
    from collections.abc import Sequence

# Linear sRGB to XYZ, and the white point (IEC 61966-2-1; the same digits as scikit-image).
_RGB_TO_XYZ = ((0.412453, 0.357580, 0.180423), (0.212671, 0.715160, 0.072169), (0.019334, 0.119193, 0.950227))
_WHITE = (0.95047, 1.0, 1.08883)
_DISPLAY_P3_TO_XYZ = ((0.486571, 0.265668, 0.198217), (0.228975, 0.691739, 0.079287), (0.0, 0.045113, 1.043944))
_BT2020_TO_XYZ = ((0.636958, 0.144617, 0.168881), (0.262700, 0.677998, 0.059302), (0.0, 0.028073, 1.060985))


def _from_xyz(rgb_to_xyz: tuple[tuple[float, ...], ...]) -> tuple[tuple[float, ...], ...]:
    """Invert a matrix, for XYZ relative to the white point, so that white is (1, 1, 1)."""
    matrix, white = (torch.tensor(rows, dtype=torch.float64, device="cpu") for rows in (rgb_to_xyz, _WHITE))
    inverse = torch.linalg.inv(matrix) * white
    return tuple(tuple(row) for row in (inverse / inverse.sum(dim=1, keepdim=True)).tolist())


_XYZ_TO = {
    "srgb": _from_xyz(_RGB_TO_XYZ),
    "display-p3": _from_xyz(_DISPLAY_P3_TO_XYZ),
    "bt2020": _from_xyz(_BT2020_TO_XYZ),
}
_DELTA = 6 / 29  # CIE 15: below its cube, lightness is linear
_AB_TO_XZ = (1 / 500, -1 / 200)
_TOLERANCE = 1e-4  # in linear light: a third of the smallest 8-bit step
_BISECTIONS = 10  # for a thousandth of the chroma

AB_LIMIT = 128.0
LUMINANCE_WEIGHTS = _RGB_TO_XYZ[1]  # weights of linear red, green and blue
Matrix = Literal["bt601", "bt709", "bt2020", "fcc", "smpte240m"]
Range = Literal["full", "limited"]
Primaries = Literal["srgb", "display-p3", "bt2020"]
_LUMA = {  # Kr, Kb
    "bt601": (0.299, 0.114),
    "bt709": (0.2126, 0.0722),
    "bt2020": (0.2627, 0.0593),
    "fcc": (0.30, 0.11),
    "smpte240m": (0.212, 0.087),
}


def srgb_to_linear(rgb: Tensor) -> Tensor:
    """Convert sRGB R'G'B' in 0..1 to linear light in 0..1, any shape."""
    above = rgb.clamp_min(0.04045)
    return ((above + 0.055) / 1.055) ** 2.4 + (rgb - above) / 12.92


def linear_to_srgb(linear: Tensor) -> Tensor:
    """Convert linear light in 0..1 to sRGB R'G'B' in 0..1, any shape."""
    above = linear.clamp_min(0.0031308)
    return 1.055 * above ** (1 / 2.4) - 0.055 + (linear - above) * 12.92


def luminance_to_lightness(luminance: Tensor) -> Tensor:
    """Convert relative luminance Y in 0..1 to CIE lightness L* in 0..100, any shape."""
    return 116 * _cube_root(luminance) - 16


def gray_to_lightness(gray: Tensor) -> Tensor:
    """Convert sRGB-encoded gray in 0..1 to CIE lightness L* in 0..100, any shape."""
    return luminance_to_lightness(srgb_to_linear(gray))


def lightness_to_luminance(lightness: Tensor) -> Tensor:
    """Convert CIE lightness L* in 0..100 to relative luminance Y in 0..1, any shape."""
    return _cube((lightness + 16) / 116)


def lightness_to_gray(lightness: Tensor) -> Tensor:
    """Convert CIE lightness L* in 0..100 to sRGB-encoded gray in 0..1, any shape."""
    return linear_to_srgb(lightness_to_luminance(lightness))


def gray_rgb(
    lightness: Tensor, mean: Sequence[float] = (0.0, 0.0, 0.0), std: Sequence[float] = (1.0, 1.0, 1.0)
) -> Tensor:
    """Convert CIE lightness L* (..., 1, H, W) to gray sRGB (..., 3, H, W), for networks that expect three channels.

    Args:
        lightness: lightness in 0..100.
        mean: mean of each channel, which is subtracted; ImageNet's are (0.485, 0.456, 0.406).
        std: standard deviation of each channel, by which it is divided; ImageNet's are (0.229, 0.224, 0.225).

    Returns:
        R'G'B' in 0..1, or its normalized values.
    """
    gray = linear_to_srgb(lightness_to_luminance(lightness).clamp(0, 1))
    return (gray - _per_channel(mean, gray)) / _per_channel(std, gray)


def rgb_to_lab(rgb: Tensor) -> Tensor:
    """Convert sRGB (..., 3, H, W) in 0..1 to CIE Lab (..., 3, H, W)."""
    to_xyz = torch.tensor(_RGB_TO_XYZ, dtype=rgb.dtype, device=rgb.device)
    white = torch.tensor(_WHITE, dtype=rgb.dtype, device=rgb.device)
    to_xyz = to_xyz / white[:, None]
    xyz = torch.einsum("ij,...jhw->...ihw", to_xyz, srgb_to_linear(rgb))
    x, y, z = _cube_root(xyz).unbind(-3)
    return torch.stack((116 * y - 16, 500 * (x - y), 200 * (y - z)), dim=-3)


def lab_to_linear(lightness: Tensor, ab: Tensor, primaries: Primaries = "srgb") -> Tensor:
    """Convert L* (..., 1, H, W) and ab (..., 2, H, W) to linear RGB (..., 3, H, W), outside 0..1 if out of gamut."""
    y, steps = _along_chroma(lightness, ab)
    return _combine(_cube(y), _cube(steps.add_(y)), primaries)


def lab_to_rgb(lightness: Tensor, ab: Tensor) -> Tensor:
    """Convert L* (..., 1, H, W) and ab (..., 2, H, W) to sRGB (..., 3, H, W) in 0..1 of the same lightness."""
    return linear_to_srgb(lab_to_linear_in_gamut(lightness, ab))


def lab_to_linear_in_gamut(lightness: Tensor, ab: Tensor) -> Tensor:
    """Convert L* (..., 1, H, W) and ab (..., 2, H, W) to linear RGB (..., 3, H, W) in 0..1.

    Colors outside the sRGB gamut are brought into it by reducing their chroma at constant lightness and hue. Clipping
    RGB instead would change the lightness.
    """
    linear = lab_to_linear(lightness, ab)
    if linear.device.type != "cpu":  # checking whether there are any would wait for the device
        outside = (linear.amin(-3, keepdim=True) < -_TOLERANCE) | (linear.amax(-3, keepdim=True) > 1 + _TOLERANCE)
        return torch.where(outside, _most_chroma(lightness, ab), linear).clamp_(0, 1)
    flat = linear.movedim(-3, 0).flatten(1)  # (3, N): indexing whole rows is fastest
    excess = torch.maximum(flat.amax(0).sub_(1), flat.amin(0).neg_())
    if excess.max() > _TOLERANCE:
        pixels = (excess > _TOLERANCE).nonzero()[:, 0]
        picked = [planes.movedim(-3, 0).flatten(1).index_select(1, pixels)[:, None] for planes in (lightness, ab)]
        flat.index_copy_(1, pixels, _most_chroma(*picked)[:, 0])
        linear = flat.view(3, *linear.shape[:-3], *linear.shape[-2:]).movedim(0, -3)
    return linear.clamp_(0, 1)


def _most_chroma(lightness: Tensor, ab: Tensor) -> Tensor:
    """Find the largest chroma in gamut by bisection: L* (..., 1, H, W) and ab (..., 2, H, W) to linear RGB."""
    y, steps = _along_chroma(lightness, ab)
    luminance, scale = _cube(y), torch.full_like(y, 0.5)
    for n in range(2, _BISECTIONS + 2):
        linear = _combine(luminance, _cube(torch.addcmul(y, steps, scale)))
        farthest = linear.sub_(0.5).abs_().amax(-3, keepdim=True)
        scale.add_(farthest.neg_().add_(0.5).sign_(), alpha=0.5**n)  # several times as fast as a comparison
    return _combine(luminance, _cube(torch.addcmul(y, steps, scale)))


def rgb_to_yuv(rgb: Tensor, matrix: Matrix, range_: Range = "full") -> Tensor:
    """Convert R'G'B' (..., 3, H, W) in 0..1 to YUV (..., 3, H, W).

    Full range: Y in 0..1, U and V in -0.5..0.5. Limited range: Y in 16/255..235/255, U and V in ±112/255.
    """
    kr, kb = _LUMA[matrix]
    red, green, blue = rgb.unbind(-3)
    y = kr * red + (1 - kr - kb) * green + kb * blue
    u, v = (blue - y) / (2 * (1 - kb)), (red - y) / (2 * (1 - kr))
    if range_ == "limited":
        y, u, v = (16 + 219 * y) / 255, u * (224 / 255), v * (224 / 255)
    return torch.stack((y, u, v), dim=-3)


def yuv_to_rgb(yuv: Tensor, matrix: Matrix, range_: Range = "full") -> Tensor:
    """Convert YUV (..., 3, H, W) to R'G'B' (..., 3, H, W), outside 0..1 if out of gamut; inverse of `rgb_to_yuv`."""
    kr, kb = _LUMA[matrix]
    y, u, v = yuv.unbind(-3)
    if range_ == "limited":
        y, u, v = (255 * y - 16) / 219, u * (255 / 224), v * (255 / 224)
    red, blue = y + 2 * (1 - kr) * v, y + 2 * (1 - kb) * u
    green = (y - kr * red - kb * blue) / (1 - kr - kb)
    return torch.stack((red, green, blue), dim=-3)


def luma_to_lightness(luma: Tensor, ab: Tensor, matrix: Matrix, primaries: Primaries = "srgb") -> Tensor:
    """Compute the lightness of colors from their luma and chroma.

    The lightness of gray follows from luma alone. This takes one step from there toward the lightness at which the
    color has the given luma.

    Args:
        luma: (..., 1, H, W), Y in 0..1 (full range).
        ab: (..., 2, H, W).
        matrix: the matrix that defines Y.
        primaries: primaries of R'G'B', whose transfer function is that of sRGB.

    Returns:
        (..., 1, H, W), L* in 0..100.
    """
    rgb = linear_to_srgb(lab_to_linear(gray_to_lightness(luma), ab, primaries))
    return gray_to_lightness((2 * luma - _weighted(rgb, matrix)).clamp_(0, 1))


def lab_to_uv(luma: Tensor, lightness: Tensor, ab: Tensor, matrix: Matrix, primaries: Primaries = "srgb") -> Tensor:
    """Compute the U and V that show a color next to a luma that must not change.

    A difference between this luma and the color's own shifts R', G' and B' equally, which changes neither U nor V.
    Where R'G'B' would leave 0..1, U and V are reduced by the same factor.

    Args:
        luma: (..., 1, H, W), Y in 0..1 (full range).
        lightness: (..., 1, H, W), L* in 0..100, of `luma_to_lightness`.
        ab: (..., 2, H, W).
        matrix: the matrix that defines Y, U and V.
        primaries: primaries of R'G'B', whose transfer function is that of sRGB.

    Returns:
        (..., 2, H, W), U and V in -0.5..0.5 (full range).
    """
    kr, kb = _LUMA[matrix]
    rgb = linear_to_srgb(lab_to_linear(lightness, ab, primaries))
    offset = rgb.sub_(_weighted(rgb, matrix))
    red, green, blue = _channels(offset)
    highest = torch.maximum(torch.maximum(red, green), blue).clamp_min_(_TOLERANCE)
    lowest = torch.minimum(torch.minimum(red, green), blue).clamp_max_(-_TOLERANCE)
    room = torch.minimum((1 - luma).div_(highest), lowest.reciprocal_().mul_(luma).neg_()).clamp_(0, 1)
    return torch.cat((blue.mul_(room).div_(2 * (1 - kb)), red.mul_(room).div_(2 * (1 - kr))), dim=-3)


def _channels(rgb: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Split (..., 3, H, W) into its channels, (..., 1, H, W) each."""
    return rgb[..., 0:1, :, :], rgb[..., 1:2, :, :], rgb[..., 2:3, :, :]


def _weighted(rgb: Tensor, matrix: Matrix) -> Tensor:
    """Compute luma Y (..., 1, H, W) in 0..1 from R'G'B' (..., 3, H, W)."""
    kr, kb = _LUMA[matrix]
    red, green, blue = _channels(rgb)
    return (red * kr).add_(green, alpha=1 - kr - kb).add_(blue, alpha=kb)


def _cube_root(t: Tensor) -> Tensor:
    above = t.clamp_min(_DELTA**3)
    return above ** (1 / 3) + (t - above) / (3 * _DELTA**2)


def _cube(f: Tensor) -> Tensor:
    above = f.clamp_min(_DELTA)
    return (above**3).add_(f - above, alpha=3 * _DELTA**2)


def _per_channel(values: Sequence[float], like: Tensor) -> Tensor:
    return torch.tensor(values, dtype=like.dtype, device=like.device)[:, None, None]


def _along_chroma(lightness: Tensor, ab: Tensor) -> tuple[Tensor, Tensor]:
    """Compute the cube root of luminance (..., 1, H, W), and how far those of X and Z are from it (..., 2, H, W)."""
    return (lightness + 16) / 116, ab * _column(_AB_TO_XZ, ab.dtype, ab.device)


def _combine(y: Tensor, xz: Tensor, primaries: Primaries = "srgb") -> Tensor:
    """Convert Y (..., 1, H, W) and X and Z (..., 2, H, W), relative to white, to linear RGB (..., 3, H, W)."""
    of_x, of_y, of_z = _columns(primaries, y.dtype, y.device)
    return (y * of_y).addcmul_(xz[..., :1, :, :], of_x).addcmul_(xz[..., 1:, :, :], of_z)


@cache
def _columns(primaries: Primaries, dtype: torch.dtype, device: torch.device) -> tuple[Tensor, ...]:
    """Return the columns of the matrix from XYZ to linear RGB, (3, 1, 1) each."""
    return tuple(_column(column, dtype, device) for column in zip(*_XYZ_TO[primaries], strict=True))


@cache
def _column(values: tuple[float, ...], dtype: torch.dtype, device: torch.device) -> Tensor:
    """Return (n, 1, 1), which stays on the device."""
    with torch.inference_mode(mode=False):  # shared by all callers, some of whom need gradients
        return torch.tensor(values, dtype=dtype).to(device)[:, None, None]
