import numpy as np
import pytest
import torch
from PIL import Image

from colorcli.errors import DataError, UnwritableMedia
from colorcli.pages.sheet import PictureVersions, write_sheet

RED, BLUE = (255, 0, 0), (0, 0, 255)


def colors(path):
    return {color for _, color in Image.open(path).convert("RGB").getcolors(2**24)}


def test_every_version_is_drawn_at_the_height_asked_for(tmp_path):
    row = PictureVersions(
        "a", {"one": Image.new("RGB", (60, 40), RED), "two": torch.tensor([0.0, 0, 1])[:, None, None].expand(3, 8, 8)}
    )
    write_sheet(tmp_path / "sheet.png", [row], height=80)
    pixels = np.asarray(Image.open(tmp_path / "sheet.png"))
    assert (pixels == RED).all(-1).sum() == 120 * 80
    assert (pixels == BLUE).all(-1).sum() == 80 * 80


def test_labels_wider_than_their_pictures_do_not_overlap(tmp_path):
    def sheet(labels):
        write_sheet(
            tmp_path / "s.png", [PictureVersions("", dict.fromkeys(labels, Image.new("RGB", (4, 40), RED)))], height=40
        )
        return np.asarray(Image.open(tmp_path / "s.png"))[:22]

    def ink(pixels):
        return int((pixels > 100).any(-1).sum())

    labels = ["colorizer.of-a-long-name", "colorizer.of-another-long-name"]
    assert ink(sheet(labels)) == sum(ink(sheet([label])) for label in labels)


def test_rows_are_arranged_in_columns(tmp_path):
    rows = [PictureVersions("", {"": Image.new("RGB", (30, 30), RED)})] * 4
    write_sheet(tmp_path / "one.png", rows, height=30)
    write_sheet(tmp_path / "two.png", rows, height=30, columns=2)
    one, two = (Image.open(tmp_path / name).size for name in ("one.png", "two.png"))
    assert two == (2 * one[0], one[1] // 2)


def test_rows_are_taken_one_at_a_time(tmp_path):
    taken = (PictureVersions(str(index), {"": Image.new("RGB", (5, 5), RED)}) for index in range(3))
    write_sheet(tmp_path / "sheet.png", taken, height=16)
    assert RED in colors(tmp_path / "sheet.png")


def test_a_sheet_of_nothing_is_an_error(tmp_path):
    with pytest.raises(DataError, match="No pictures to draw"):
        write_sheet(tmp_path / "sheet.png", [])


def test_a_sheet_that_cannot_be_written_is_named(tmp_path):
    with pytest.raises(UnwritableMedia, match=r"nowhere.*sheet\.png"):
        write_sheet(tmp_path / "nowhere" / "sheet.png", [PictureVersions("", {"": Image.new("RGB", (5, 5), RED)})])
