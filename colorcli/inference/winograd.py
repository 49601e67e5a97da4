"""Convolutions of 3x3 in float32 on x86 CPUs with a quarter of the multiplications, after Winograd.

Lavin and Gray, Fast Algorithms for Convolutional Neural Networks, CVPR 2016: F(4x4, 3x3). Each tile of 4x4 results is
computed from 6x6 values, which are transformed by additions, multiplied place by place, and transformed back. The
products of all tiles are 36 products of matrices. The results differ from torch's by rounding, about 1e-5 of the
largest value.
"""

from __future__ import annotations

import platform
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn
from torch.nn import functional

if TYPE_CHECKING:
    from collections.abc import Sequence

_FEWEST = 96 * 96  # product of the channels before and after, from which this is faster than torch
_FEWEST_TILES = 48  # in a batch, likewise
_TILES = 64  # computed at once: enough for products of matrices to be fast, and few enough to fit the cache

# The transform G of the weights.
_WEIGHTS = (
    (1 / 4, 0, 0),
    (-1 / 6, -1 / 6, -1 / 6),
    (-1 / 6, 1 / 6, -1 / 6),
    (1 / 24, 1 / 12, 1 / 6),
    (1 / 24, -1 / 12, 1 / 6),
    (0, 0, 1),
)


def is_faster(convolution: nn.Conv2d) -> bool:
    """Whether a convolution, which computes as torch does otherwise, is faster by `Winograd`."""
    return (
        convolution.kernel_size == (3, 3)
        and convolution.stride == (1, 1)
        and convolution.groups == 1
        and len(set(convolution.dilation)) == 1
        and convolution.weight.device.type == "cpu"
        and convolution.weight.dtype == torch.float32
        and convolution.in_channels * convolution.out_channels >= _FEWEST
        and platform.machine() in {"x86_64", "AMD64"}  # the only ones where this was measured
    )


class Winograd:
    """Replaces the `_conv_forward` of a convolution for which `is_faster` holds.

    The transformed weights take four times the memory of the weights; they are computed by the first call.
    """

    def __init__(self, convolution: nn.Conv2d) -> None:
        self._padding: tuple[int, int] = convolution.padding  # type: ignore[assignment]
        self._dilation = convolution.dilation[0]
        self._weights: Tensor | None = None

    def __getstate__(self) -> dict[str, Any]:
        return {**vars(self), "_weights": None}

    def __call__(self, x: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
        height, width = (
            side + 2 * pad - 2 * self._dilation for side, pad in zip(x.shape[-2:], self._padding, strict=True)
        )
        usable = x.ndim == 4 and x.dtype == weight.dtype and x.shape[1] == weight.shape[1] and not x.requires_grad
        if not usable or min(height, width) < 1 or len(x) * height * width < 16 * _FEWEST_TILES:
            return functional.conv2d(x, weight, bias, 1, self._padding, self._dilation)
        if self._weights is None:  # two threads may do it at once, with the same result
            self._weights = _transform_weights(weight.detach())
        phases, rows, columns = self._phases(x, height, width)
        result = x.new_empty(len(phases), rows, 4, columns, 4, len(weight))
        for tiles, out in _strips(phases, result):
            _convolve(tiles, self._weights, bias, out)
        d = self._dilation
        phases = result.view(len(x), d, d, 4 * rows, 4 * columns, len(weight))
        whole = phases.permute(0, 3, 1, 4, 2, 5).reshape(len(x), 4 * rows * d, 4 * columns * d, len(weight))
        return whole[:, :height, :width].permute(0, 3, 1, 2)

    def _phases(self, x: Tensor, height: int, width: int) -> tuple[Tensor, int, int]:
        """Pad pictures (B, C, H, W), and cut them into the places that a dilated convolution sees together.

        Returns:
            (B d d, 4 rows + 2, 4 columns + 2, C), and the numbers of rows and columns of tiles.
        """
        d, (above, left) = self._dilation, self._padding
        rows, columns = (-(-side // (4 * d)) for side in (height, width))
        B, C, H, W = x.shape
        padded = x.new_zeros(B, (4 * rows + 2) * d, (4 * columns + 2) * d, C)
        padded[:, above : above + H, left : left + W] = x.permute(0, 2, 3, 1)
        phases = padded.view(B, 4 * rows + 2, d, 4 * columns + 2, d, C).permute(0, 2, 4, 1, 3, 5)
        return phases.reshape(B * d * d, 4 * rows + 2, 4 * columns + 2, C), rows, columns


def _strips(pictures: Tensor, result: Tensor) -> list[tuple[Tensor, Tensor]]:
    """Cut pictures (N, 4 rows + 2, 4 columns + 2, C) and results (N, rows, 4, columns, 4, O) into parts of tiles."""
    rows, columns = result.shape[1], result.shape[3]
    many = max(1, _TILES // (rows * columns))  # pictures
    high = -(-rows // max(1, round(rows * columns / _TILES)))
    return [
        (pictures[n : n + many, 4 * first : 4 * (first + high) + 2], result[n : n + many, first : first + high])
        for n in range(0, len(pictures), many)
        for first in range(0, rows, high)
    ]


def _convolve(pictures: Tensor, weights: Tensor, bias: Tensor | None, out: Tensor) -> None:
    """Convolve (N, 4 rows + 2, 4 columns + 2, C) with transformed weights to (N, rows, 4, columns, 4, O)."""
    N, rows, _, columns, _, O = out.shape  # noqa: E741
    C = pictures.shape[-1]
    halves = pictures.new_empty(6, N, rows, 4 * columns + 2, C)
    _transform([pictures[:, i : 4 * rows + i - 3 : 4] for i in range(6)], halves)
    tiles = pictures.new_empty(6, 6, N, rows, columns, C)
    _transform([halves[..., i : 4 * columns + i - 3 : 4, :] for i in range(6)], tiles.unbind(1))
    products = torch.bmm(tiles.view(36, -1, C), weights).view(6, 6, N, rows, columns, O)
    if bias is not None:
        products[1, 1] += bias  # which counts once in each of the 16 results
    halves = pictures.new_empty(4, 6, N, rows, columns, O)
    _transform_back(products, halves)
    _transform_back(halves.unbind(1), out.permute(4, 2, 0, 1, 3, 5))


def _transform_weights(weight: Tensor) -> Tensor:
    """Compute G g G^T of weights (O, C, 3, 3): (36, C, O)."""
    once = torch.tensor(_WEIGHTS, device=weight.device)
    by_place = weight.permute(2, 3, 1, 0).reshape(9, -1)
    return (torch.kron(once, once) @ by_place).view(36, weight.shape[1], len(weight))


def _transform(x: Sequence[Tensor] | Tensor, out: Sequence[Tensor] | Tensor) -> None:
    """Compute B^T d of six values, in as few additions as possible."""
    torch.sub(x[4], x[2], alpha=5, out=out[0]).add_(x[0], alpha=4)
    even, odd = torch.sub(x[4], x[2], alpha=4), torch.sub(x[3], x[1], alpha=4)
    torch.add(even, odd, out=out[1])
    torch.sub(even, odd, out=out[2])
    torch.sub(x[4], x[2], out=even)
    torch.sub(x[3], x[1], out=odd)
    torch.add(even, odd, alpha=2, out=out[3])
    torch.sub(even, odd, alpha=2, out=out[4])
    torch.sub(x[5], x[3], alpha=5, out=out[5]).add_(x[1], alpha=4)


def _transform_back(x: Sequence[Tensor] | Tensor, out: Sequence[Tensor] | Tensor) -> None:
    """Compute A^T m of six products: four results."""
    near, far = x[1] + x[2], x[3] + x[4]
    torch.add(x[0], near, out=out[0]).add_(far)
    torch.add(near, far, alpha=4, out=out[2])
    torch.sub(x[1], x[2], out=near)
    torch.sub(x[3], x[4], out=far)
    torch.add(near, far, alpha=2, out=out[1])
    torch.add(x[5], near, out=out[3]).add_(far, alpha=8)
