"""Assertions about tensors that the suites share, with messages for the author of a plugin."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from colorcli.errors import ColorcliError, PluginError

if TYPE_CHECKING:
    from torch import Tensor

_MAX_CHROMA = 256.0  # chroma of an untrained network may exceed sRGB's, but not by another order of magnitude


def assert_tensor(method: str, returned: object, channels: int) -> None:
    """Require a tensor; its shape is for `assert_chroma`."""
    import torch

    kind = type(returned).__name__
    assert isinstance(returned, torch.Tensor), f"{method} must return a tensor (B, {channels}, h, w), got {kind}"


def assert_chroma(ab: Tensor, lightness: Tensor, when: str = "") -> None:
    """Require finite chroma on the scale of CIE ab, (B, 2, h, w) for lightness (B, 1, H, W)."""
    given = f"for lightness {tuple(lightness.shape)} {when}".strip()
    expected = f"({len(lightness)}, 2, h, w)"
    assert ab.ndim == 4, f"predict must return {expected}, got {tuple(ab.shape)} {given}"
    assert ab.shape[:2] == (len(lightness), 2), f"predict must return {expected}, got {tuple(ab.shape)} {given}"
    assert ab.is_floating_point(), f"predict must return floats, got {ab.dtype} {given}"
    assert ab.isfinite().all(), f"predict returned infinities or NaN {given}"
    assert ab.abs().max() <= _MAX_CHROMA, f"chroma must be about -128..127, got {ab.abs().max():.0f} {given}"


def difference(one: Tensor, other: Tensor) -> float:
    """Return the largest difference as a share of the chroma's range, because untrained networks may be pale."""
    spread = one.amax() - one.amin()
    return float((one - other).abs().amax() / (spread + 1e-2))


def one_by_one(batch: Tensor) -> list[Tensor]:
    """Split a batch (B, ...) into B batches of one."""
    return [batch[i : i + 1] for i in range(len(batch))]


def seeded() -> Any:
    """Make a generator of the same random numbers every time."""
    import torch

    return torch.Generator().manual_seed(0)


def reason(error: BaseException) -> str:
    """Describe an error: the text of one for the user, the type and text of any other, as the plugin raised it."""
    if isinstance(error, PluginError) and error.__cause__ is not None:
        error = error.__cause__
    return str(error) if isinstance(error, ColorcliError) else f"{type(error).__name__}: {error}"
