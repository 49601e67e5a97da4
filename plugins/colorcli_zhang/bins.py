"""The quantized ab space of Zhang 2016: bins, soft encoding, class rebalancing and the annealed mean."""

import math
from collections.abc import Iterable
from functools import cache
from itertools import pairwise

import torch
from torch import Tensor

from colorcli.color import lab_to_linear, linear_to_srgb, rgb_to_lab

AB_UNIT = 110.0  # bin centers in the published file are divided by this
_REACH = 128  # the table of soft encodings covers ab in -128..127
_PLACES = 1600  # distributions that a CPU computes at once: 2 MB


@cache
def bin_centers(grid: int = 10) -> Tensor:
    """Compute the centers of the in-gamut bins: (Q, 2) ab, sorted by a then b; 313 of them for a grid of 10.

    They are the corners of all grid cells that the ab projection of the sRGB cube overlaps (Zhang 2016, section
    2.1, as the published array has it).
    """
    with torch.device("cpu"), torch.inference_mode(mode=False):  # the cached result is shared by all callers
        reach = 130 // grid * grid
        axis = torch.arange(-reach, reach + 1, grid, dtype=torch.float64)
        corners = torch.stack(torch.meshgrid(axis, axis, indexing="ij"), dim=-1)
        cells = _overlapped(torch.tensor(_convex_hull(_cube_outline()), dtype=torch.float64), corners)
        used = torch.zeros(corners.shape[:2], dtype=torch.bool)
        for corner in _four(used):
            corner.logical_or_(cells)
        return corners[used].float()


@cache
def circle_classes(grid: int = 16, radius: float = 128.0) -> tuple[Tensor, Tensor]:
    """Compute the classes of the Rome paper that colors can have (its section 4).

    The Lab disc at L = 50 is averaged over cells of 16 by 16 units, without the points outside the disc. Of these 224
    cells, the 114 that sRGB touches are the classes.

    Returns:
        The mean ab of each cell (Q, 2), by which pixels find their class, and the color of each class (Q, 2) ab: that
        of the mean R'G'B' over the cell in the picture of the disc, clipped as on a screen.
    """
    points, cells, cell = _disc(grid, radius)
    touched = {(a, b) for a, b in _cube_surface(256).div(grid, rounding_mode="floor").int().tolist()}
    kept = torch.tensor([(a, b) in touched for a, b in cells.int().tolist()])
    linear = lab_to_linear(torch.full((1, len(points), 1), 50.0), points.T[:, :, None])
    rgb = _means(linear_to_srgb(linear).clamp(0, 1)[:, :, 0].T, cell)
    colors = rgb_to_lab(rgb.T[:, :, None])[1:, :, 0].T
    return _means(points, cell)[kept], colors[kept]


def _disc(grid: int, radius: float) -> tuple[Tensor, Tensor, Tensor]:
    """List the points of the Lab disc (N, 2), the cells of a grid (Q, 2), and the number of each point's cell (N,)."""
    axis = torch.arange(-128, 128) + 0.5
    points = torch.cartesian_prod(axis, axis)
    points = points[points.norm(dim=1) <= radius]
    cells, cell = torch.unique(points.div(grid, rounding_mode="floor"), dim=0, return_inverse=True)
    return points, cells, cell


def _means(values: Tensor, cell: Tensor) -> Tensor:
    """Average values (N, C) over the cells that they are in: (Q, C)."""
    sums = torch.zeros(int(cell.max()) + 1, values.shape[1]).index_add_(0, cell, values)
    return sums / torch.bincount(cell)[:, None]


def count_nearest(ab: Iterable[Tensor], centers: Tensor) -> Tensor:
    """Count the pixels nearest to each center over batches (B, 2, h, w): (Q,) counts."""
    counts = torch.zeros(len(centers), dtype=torch.float64)
    nearest = nearest_table(centers, neighbors=1)[0][:, 0]
    for batch in ab:
        counts += torch.bincount(nearest[table_index(batch).flatten()], minlength=len(centers))
    return counts


def table_index(ab: Tensor) -> Tensor:
    """Round ab (B, 2, h, w) to integers, and return the rows of `nearest_table`: (B, h, w)."""
    a, b = ab.round().long().add_(_REACH).clamp_(0, 2 * _REACH - 1).unbind(1)
    return a * (2 * _REACH) + b


def nearest_table(centers: Tensor, neighbors: int = 5, sigma: float = 5.0) -> tuple[Tensor, Tensor]:
    """Compute the soft encoding of every integer ab, so that encoding a batch is a table lookup.

    Returns:
        The indices (65536, k) of the k nearest centers, and their Gaussian weights (65536, k), which sum to 1
        (Zhang 2016, section 2.1: five neighbors, sigma 5).
    """
    axis = torch.arange(-_REACH, _REACH, dtype=torch.float32)
    points = torch.cartesian_prod(axis, axis)
    distance, index = torch.cdist(points, centers).topk(neighbors, largest=False)
    return index, (-(distance**2) / (2 * sigma**2)).softmax(dim=1)


def smooth_prior(counts: Tensor, centers: Tensor, sigma: float = 5.0) -> Tensor:
    """Compute the smoothed distribution (Q,) of the bins, which sums to 1, from counts (Q,) (section 2.2)."""
    kernel = torch.exp(-(torch.cdist(centers, centers) ** 2) / (2 * sigma**2)).double()
    kernel = kernel / kernel.sum(dim=0, keepdim=True)
    smoothed = kernel @ (counts.double() / counts.sum())
    return (smoothed / smoothed.sum()).float()


def rebalancing_weights(prior: Tensor, mix: float = 0.5) -> Tensor:
    """Compute weights (Q,) that favor rare colors, with sum(p w) = 1 (Zhang 2016, equation 4, lambda = mix)."""
    weights = 1 / ((1 - mix) * prior + mix / len(prior))
    return weights / (prior * weights).sum()


def annealed_mean(logits: Tensor, centers: Tensor, temperature: float) -> Tensor:
    """Compute the mean color of the distribution at a temperature (Zhang 2016, equation 5).

    Args:
        logits: (B, Q, h, w).
        centers: (Q, 2) ab.
        temperature: 1 for the mean, 0 for the mode, the most likely color.

    Returns:
        (B, 2, h, w) ab.
    """
    with torch.autocast(logits.device.type, enabled=False):  # rounding in bf16 is visible
        if temperature == 0:
            return centers.float()[logits.argmax(dim=1)].movedim(-1, 1)
        rows = logits.movedim(1, -1).flatten(0, 1)  # (B h, w, Q)
        # All at once, a CPU would spend more time on getting memory for the distributions than on computing them.
        height = max(1, _PLACES // rows.shape[1]) if logits.is_cpu else len(rows)
        means = [_mean_colors(strip, centers.float(), temperature) for strip in torch.split(rows, height)]
        ab = torch.cat(means).view(len(logits), -1, rows.shape[1], 2)
        return ab.movedim(-1, 1).contiguous()  # two planes are scaled faster than pairs


def _mean_colors(logits: Tensor, centers: Tensor, temperature: float) -> Tensor:
    """Compute the mean colors (h, w, 2) of distributions (h, w, Q) at a temperature above 0."""
    sharpened = logits if temperature == 1 else logits.float() / temperature
    return sharpened.softmax(dim=-1, dtype=torch.float32) @ centers


def entropy(logits: Tensor) -> Tensor:
    """Compute the entropy of a distribution in bits, (B, 1, h, w), from logits (B, Q, h, w)."""
    with torch.autocast(logits.device.type, enabled=False):
        log_p = logits.movedim(1, -1).log_softmax(dim=-1, dtype=torch.float32)
        return -(log_p.exp() * log_p).sum(dim=-1)[:, None] / math.log(2)


def distribution_at(logits: Tensor, place: tuple[float, float]) -> Tensor:
    """Compute the distribution at a place: the mean of those of the nine nearest.

    Args:
        logits: (1, Q, h, w).
        place: x and y, 0..1.

    Returns:
        (Q,) probabilities, which sum to 1.
    """
    height, width = logits.shape[-2:]
    column, row = (min(int(each * side), side - 1) for each, side in zip(place, (width, height), strict=True))
    near = logits[0, :, max(0, row - 1) : row + 2, max(0, column - 1) : column + 2]
    return near.float().softmax(dim=0).mean(dim=(1, 2))


def _cube_surface(levels: int) -> Tensor:
    """Project the faces of the sRGB cube, with this number of levels per side, to (N, 2) ab."""
    steps = torch.linspace(0, 1, levels)
    u, v = (t.flatten() for t in torch.meshgrid(steps, steps, indexing="ij"))
    faces = []
    for axis in range(3):
        for level in (0.0, 1.0):
            channels = [u, v]
            channels.insert(axis, torch.full_like(u, level))
            faces.append(torch.stack(channels))
    lab = rgb_to_lab(torch.cat(faces, dim=1)[:, :, None].double())
    return lab[1:, :, 0].T


def _cube_outline() -> Tensor:
    """Project the six edges of the sRGB cube between saturated colors to (N, 2) ab; their hull is that of the cube."""
    corners = torch.tensor([[1, 0, 0], [1, 1, 0], [0, 1, 0], [0, 1, 1], [0, 0, 1], [1, 0, 1], [1, 0, 0]])
    steps = torch.linspace(0, 1, 65, dtype=torch.float64)[:, None]
    edges = [torch.lerp(start, end, steps) for start, end in pairwise(corners.double())]
    return rgb_to_lab(torch.cat(edges).T[:, :, None])[1:, :, 0].T


def _convex_hull(points: Tensor) -> list[tuple[float, float]]:
    """Compute the convex hull of (N, 2) points counterclockwise, by the monotone chain algorithm (Andrew 1979)."""
    ordered = sorted({(a, b) for a, b in points.tolist()})

    def half(chain: Iterable[tuple[float, float]]) -> list[tuple[float, float]]:
        hull: list[tuple[float, float]] = []
        for p in chain:
            while len(hull) > 1 and _turn(hull[-2], hull[-1], p) <= 0:
                hull.pop()
            hull.append(p)
        return hull[:-1]

    return half(ordered) + half(reversed(ordered))


def _turn(o: tuple[float, float], p: tuple[float, float], q: tuple[float, float]) -> float:
    return (p[0] - o[0]) * (q[1] - o[1]) - (p[1] - o[1]) * (q[0] - o[0])


def _overlapped(hull: Tensor, corners: Tensor) -> Tensor:
    """Return which cells of a grid share a positive area with a hull, by the separating axis theorem.

    Args:
        hull: (E, 2), counterclockwise.
        corners: (n, n, 2) of the cells, ascending.

    Returns:
        (n - 1, n - 1), true where they do.
    """
    starts, ends = hull[:, None, None], hull.roll(-1, dims=0)[:, None, None]
    (run, rise), (across, up) = (ends - starts).unbind(-1), (corners - starts).unbind(-1)
    outside = run * up - rise * across <= 0  # of each edge, (E, n, n)
    separated = torch.stack(_four(outside)).all(dim=0).any(dim=0)
    low, high = corners[:-1, :-1], corners[1:, 1:]
    return ~separated & (hull.amax(dim=0) > low).all(dim=-1) & (hull.amin(dim=0) < high).all(dim=-1)


def _four(corners: Tensor) -> list[Tensor]:
    """Return views of the four corners of all cells, (..., n - 1, n - 1) each, of values (..., n, n) of corners."""
    return [corners[..., down : down - 1 or None, right : right - 1 or None] for down in (0, 1) for right in (0, 1)]
