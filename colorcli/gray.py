"""What the author of a way of making gray writes: how a color picture becomes a gray one."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from torch import Tensor


@dataclass(frozen=True)
class Gray:
    """A way of making a color picture gray: a film that is blind to red, a television, a formula.

    Attributes:
        name: what people type after `--gray`, and write in recipes; lowercase letters, digits, - and _.
        summary: one line.
        convert: function from R'G'B' (B, 3, H, W), sRGB-encoded in 0..1, to the sRGB-encoded gray (B, 1, H, W) in
            0..1.
    """

    name: str
    summary: str
    convert: Callable[[Tensor], Tensor]
