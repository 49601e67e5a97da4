"""CIEDE2000, the color difference of CIE 142-2001, on tensors."""

from __future__ import annotations

import math

import torch
from torch import Tensor

_TURN = 2 * math.pi
_25_TO_7 = 25.0**7


def ciede2000(one: Tensor, other: Tensor) -> Tensor:
    """Compute the CIEDE2000 difference of colors: Lab (..., 3, H, W) twice to (..., H, W), 0 or more.

    With kL = kC = kH = 1. Equations and the hue's special cases are those of Sharma, Wu and Dalal, "The CIEDE2000
    color-difference formula" (2005), equations 2 to 22.

    Raises:
        ValueError: the shapes differ.
    """
    if one.shape != other.shape:
        raise ValueError(f"Both tensors must have the same shape, got {tuple(one.shape)} and {tuple(other.shape)}.")
    l1, a1, b1 = one.unbind(-3)
    l2, a2, b2 = other.unbind(-3)
    chroma = (torch.hypot(a1, b1) + torch.hypot(a2, b2)) / 2
    stretch = 1.5 - 0.5 * _saturation(chroma)
    a1, a2 = a1 * stretch, a2 * stretch
    c1, c2 = torch.hypot(a1, b1), torch.hypot(a2, b2)
    h1, h2 = torch.atan2(b1, a1) % _TURN, torch.atan2(b2, a2) % _TURN
    gray = c1 * c2 == 0
    turn = h2 - h1
    far = turn.abs() > math.pi
    turn = (turn - far * _TURN * turn.sign()).masked_fill(gray, 0)
    hue = torch.where(gray, h1 + h2, (h1 + h2 + far * _TURN) / 2)  # the same hue, modulo one turn
    d_l, d_c = l2 - l1, c2 - c1
    d_h = 2 * (c1 * c2).sqrt() * torch.sin(turn / 2)
    lightness, c = (l1 + l2) / 2, (c1 + c2) / 2
    weight = (
        1
        - 0.17 * torch.cos(hue - math.radians(30))
        + 0.24 * torch.cos(2 * hue)
        + 0.32 * torch.cos(3 * hue + math.radians(6))
        - 0.20 * torch.cos(4 * hue - math.radians(63))
    )
    degrees = torch.rad2deg(hue % _TURN)
    rotation = math.radians(60) * torch.exp(-(((degrees - 275) / 25) ** 2))
    middle = (lightness - 50) ** 2
    d_l = d_l / (1 + 0.015 * middle / (20 + middle).sqrt())
    d_c = d_c / (1 + 0.045 * c)
    d_h = d_h / (1 + 0.015 * c * weight)
    crossed = -torch.sin(rotation) * 2 * _saturation(c) * d_c * d_h
    return (d_l**2 + d_c**2 + d_h**2 + crossed).clamp_min(0).sqrt()


def _saturation(chroma: Tensor) -> Tensor:
    seventh = chroma**7
    return (seventh / (seventh + _25_TO_7)).sqrt()
