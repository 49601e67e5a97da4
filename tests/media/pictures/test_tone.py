"""Gray, tinted or in color: decided by how colors depend on lightness."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from colorcli.media.pictures.tone import is_in_color, tone_of
from tests.media.pictures.samples import color, gray


def picture(size=(120, 160)) -> np.ndarray:
    """Smooth lightness with some grain, 0..1."""
    chance = np.random.default_rng(0)
    coarse = Image.fromarray(chance.integers(20, 235, (6, 8), np.uint8)).resize(size[::-1], Image.Resampling.BICUBIC)
    return np.clip(np.asarray(coarse) / 255 + chance.normal(0, 0.02, size), 0, 1)


def toned(values: np.ndarray, dark: tuple, light: tuple) -> np.ndarray:
    """Color from dark to light along a line."""
    mixed = np.array(dark) + values[..., None] * (np.array(light) - np.array(dark))
    return mixed.round().clip(0, 255).astype(np.uint8)


SEPIA = ((30, 18, 10), (250, 235, 205))
CYANOTYPE = ((10, 25, 80), (225, 240, 250))
SELENIUM = ((35, 22, 30), (240, 235, 240))


@pytest.mark.parametrize("ends", [SEPIA, CYANOTYPE, SELENIUM])
@pytest.mark.parametrize("bits", [8, 16])
def test_toned_prints_are_tinted(ends, bits):
    pixels = toned(picture(), *ends)
    assert tone_of(pixels.astype(np.uint16) * 257 if bits == 16 else pixels) == "tinted"


def test_a_sepia_print_that_faded_unevenly_is_tinted():
    values = picture()
    pixels = toned(values, *SEPIA).astype(float)
    pixels[:, :60] *= (1.0, 0.99, 0.96)
    assert tone_of(pixels.round().astype(np.uint8)) == "tinted"


def test_jpeg_noise_and_a_slight_cast_leave_a_picture_gray():
    values = (picture() * 255).round()
    noise = np.random.default_rng(1).normal(0, 4, (*values.shape, 3))
    pixels = np.clip(np.dstack([values] * 3) + noise + (1.5, 0, -1.5), 0, 255).astype(np.uint8)
    assert tone_of(pixels) == "gray"


@pytest.mark.parametrize("pixels", [gray(), gray(16), np.dstack([gray()] * 3)])
def test_without_colors_a_picture_is_gray(pixels):
    assert tone_of(pixels) == "gray"


def test_a_picture_with_several_colors_is_in_color():
    assert is_in_color(color())
    assert is_in_color(color(16))


def test_a_picture_with_a_hand_colored_detail_is_in_color():
    pixels = np.dstack([(picture() * 255).astype(np.uint8)] * 3)
    assert not is_in_color(pixels)
    pixels[40:70, 50:80] = (200, 40, 40)
    assert is_in_color(pixels)


def test_one_strong_color_is_a_color_and_not_a_tone():
    assert is_in_color(np.full((32, 32, 3), (200, 30, 30), np.uint8))
    assert is_in_color(np.full((32, 32, 3), (120, 150, 90), np.uint8))


@pytest.mark.parametrize("size", [(1, 1), (1, 500), (500, 1), (2, 3)])
def test_pictures_of_any_size_have_a_tone(size):
    assert tone_of(np.full((*size, 3), 90, np.uint8)) == "gray"
