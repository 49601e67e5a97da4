"""Profiles are applied by what they do, whatever their names are."""

from __future__ import annotations

import io
import struct

import imagecodecs
import numpy as np
import pytest
import tifffile
from PIL import Image, ImageCms

from colorcli.media.pictures import containers, profiles
from colorcli.media.pictures.files import open_picture
from tests.media.pictures.samples import color, distance, gray, image, only_frame, rewritten

PRIMARIES = [0.64, 0.33, 1, 0.3, 0.6, 1, 0.15, 0.06, 1]


def made(gamma: float, primaries=PRIMARIES) -> bytes:
    return bytes(imagecodecs.cms_profile("rgb", primaries=primaries, whitepoint=[0.3127, 0.329, 1], gamma=gamma))


def named(profile: bytes, text: str) -> bytes:
    """Replace the description of a profile."""
    words = text.encode("utf-16-be")
    tag = b"mluc\0\0\0\0" + struct.pack(">II", 1, 12) + b"enUS" + struct.pack(">II", len(words), 28) + words
    tag += bytes(-len(tag) % 4)
    whole = bytearray(profile)
    for at in range(132, 132 + 12 * struct.unpack(">I", profile[128:132])[0], 12):
        if whole[at : at + 4] == b"desc":
            whole[at + 4 : at + 12] = struct.pack(">II", len(whole), len(tag))
    whole += tag
    whole[:4] = struct.pack(">I", len(whole))
    return bytes(whole)


def read(pixels, profile: bytes):
    stream = io.BytesIO()
    photometric = "rgb" if pixels.ndim == 3 else "minisblack"
    tifffile.imwrite(stream, pixels, photometric=photometric, iccprofile=profile, metadata=None)
    stream.seek(0)
    return only_frame(open_picture(stream)).pixels


@pytest.mark.parametrize("name", ["Linear sRGB", "sRGB-elle-V2-g10", "sRGB IEC61966-2.1", "camera"])
@pytest.mark.parametrize("shape", ["gray", "color"])
def test_a_linear_profile_is_linear_under_any_name(name, shape):
    encoded = (gray(16) if shape == "gray" else color(16)) / 65535
    linear = np.where(encoded <= 0.04045, encoded / 12.92, ((encoded + 0.055) / 1.055) ** 2.4)
    pixels = read((linear * 65535).round().astype(np.uint16), named(made(1.0), name))
    assert np.abs(pixels / 65535 - encoded).max() < 0.004


@pytest.mark.parametrize("name", ["sRGB", "wide"])
def test_primaries_count_under_any_name(name):
    wide = [0.7347, 0.2653, 1, 0.1596, 0.8404, 1, 0.0366, 0.0001, 1]
    assert distance(read(color(), named(made(2.2, wide), name)), color()) > 3


@pytest.mark.parametrize("name", ["sRGB built-in", "scanner 7", ""])
def test_srgb_under_any_name_changes_nothing(name):
    profile = named(ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes(), name)
    assert np.array_equal(read(color(16), profile), color(16))
    assert np.array_equal(read(color(), profile), color())


def test_a_profile_that_cannot_be_used_changes_nothing():
    broken = made(1.0)[:200]
    assert np.array_equal(read(color(), broken), color())


def test_lab_white_is_white_and_gray_is_gray():
    white = profiles.lab_to_srgb(np.full((1, 1), 100.0), np.zeros((1, 1, 2)), np.uint16)
    assert white.tolist() == [[[65535] * 3]]
    (((red, green, blue),),) = profiles.lab_to_srgb(np.full((1, 1), 50.0), np.zeros((1, 1, 2)), np.uint8).tolist()
    assert red == green == blue == 119


# What lies behind a long profile


@pytest.mark.parametrize("size", [10, 5_000, 200_000])
@pytest.mark.parametrize("animated", [False, True])
def test_a_lossless_webp_stays_lossless_after_a_profile_of_any_length(tmp_path, size, animated):
    profile = named(made(2.2), "x" * size)
    more = {"save_all": True, "append_images": [image().rotate(180)], "duration": 100} if animated else {}
    image().save(tmp_path / "a.webp", lossless=True, icc_profile=profile, **more)
    assert containers.is_lossless_webp((tmp_path / "a.webp").read_bytes())
    assert rewritten(tmp_path / "a.webp", tmp_path / "b.webp").lossless
    image().save(tmp_path / "c.webp", quality=80, icc_profile=profile, **more)
    assert not rewritten(tmp_path / "c.webp", tmp_path / "d.webp").lossless
    with Image.open(tmp_path / "b.webp") as plain:
        assert plain.size == (64, 48)


def test_the_profile_of_outputs_does_not_depend_on_when_it_is_made():
    """Two runs write the same bytes."""
    assert profiles.srgb()[24:36] == bytes([7, 234, 0, 1, 0, 1, 0, 0, 0, 0, 0, 0])
