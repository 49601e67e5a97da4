"""Damage in faxes is found by coding them again."""

from __future__ import annotations

import io

import numpy as np
import pytest
import tifffile
from PIL import Image

from colorcli.media.pictures import fax
from colorcli.media.pictures.files import open_picture
from tests.media.pictures.samples import only_frame

ROWS_PER_STRIP, INVERTED, REVERSED, OPTIONS = 278, {262: 0}, {266: 2}, 292
TWO_DIMENSIONS, FILLED = 1, 4
WRITTEN = [
    *(
        (coding, fields)
        for coding in fax.CODINGS.values()
        for fields in ({}, {ROWS_PER_STRIP: 50}, INVERTED, REVERSED)
    ),
    *(("group3", {OPTIONS: options}) for options in (TWO_DIMENSIONS, FILLED, TWO_DIMENSIONS | FILLED)),
    ("group3", {OPTIONS: TWO_DIMENSIONS, 282: 300.0, 283: 300.0}),  # every fourth row alone
]


def squares() -> np.ndarray:
    return np.kron(np.random.default_rng(0).random((30, 40)) > 0.5, np.ones((6, 8), bool))


def written(coding: str, fields: dict, bits: np.ndarray | None = None) -> bytearray:
    stream = io.BytesIO()
    bits = squares() if bits is None else bits
    Image.fromarray(bits).save(stream, "TIFF", compression=coding, tiffinfo=fields)
    return bytearray(stream.getvalue())


def data_of(file: bytes) -> tuple[int, int]:
    with tifffile.TiffFile(io.BytesIO(file)) as tiff:
        return tiff.pages[0].dataoffsets[0], tiff.pages[0].databytecounts[0]


@pytest.mark.parametrize(("coding", "fields"), WRITTEN)
def test_a_good_fax_is_read_without_a_remark(coding, fields):
    data = bytes(written(coding, fields))
    picture = open_picture(io.BytesIO(data))
    assert np.array_equal(only_frame(picture).pixels, np.asarray(Image.open(io.BytesIO(data)).convert("L")))
    assert picture.remarks == []


@pytest.mark.parametrize("bits", [np.zeros((9, 3000), bool), np.ones((1, 5200), bool), np.eye(40, dtype=bool)])
@pytest.mark.parametrize("coding", [*fax.CODINGS.values()])
def test_long_runs_and_single_pixels_are_not_damage(coding, bits):
    picture = open_picture(io.BytesIO(bytes(written(coding, {}, bits))))
    assert np.array_equal(only_frame(picture).pixels, np.where(bits, 255, 0))
    assert picture.remarks == []


@pytest.mark.parametrize("filling", [b"\0", b"\x55", b"\xff"])
@pytest.mark.parametrize("length", [8, 400])
@pytest.mark.parametrize(("coding", "fields"), [*WRITTEN[:2], *WRITTEN[4:6], *WRITTEN[8:10], WRITTEN[13]])
def test_a_damaged_fax_is_reported(capfd, coding, fields, length, filling):
    data = written(coding, fields)
    start, size = data_of(bytes(data))
    middle, length = start + size // 2, min(length, size // 2 - 8)
    data[middle : middle + length] = filling * length
    picture = open_picture(io.BytesIO(bytes(data)))
    list(picture.frames())
    assert "fax data" in picture.remarks[0]
    assert capfd.readouterr().err == ""


@pytest.mark.parametrize("filling", [b"\0", b"\x55", b"\xff"])
def test_a_fax_whose_rows_refer_to_each_other_is_refused_where_it_cannot_be_decoded(capfd, filling):
    data = written("group3", {OPTIONS: TWO_DIMENSIONS})
    start, size = data_of(bytes(data))
    data[start + size // 2 : start + size // 2 + 8] = filling * 8
    with pytest.raises(Exception, match="TIFF file is damaged"):
        list(open_picture(io.BytesIO(bytes(data))).frames())
    assert capfd.readouterr().err == ""
