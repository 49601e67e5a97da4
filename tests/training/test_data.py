import random

import numpy as np
import pytest
from PIL import Image

from colorcli.errors import DataError
from colorcli.media.photographs import Photograph, find_photographs, read_square
from colorcli.training.data import BatchSchedule, Crop, Photographs, random_box
from colorcli.training.recipes import TrainingSettings
from tests.training.photographs import picture

SETTINGS = TrainingSettings(epochs=3, batch_size=4, sizes=((0.0, 16), (0.5, 32)))


def test_a_picture_comes_with_the_index_of_its_category(tmp_path):
    for name in ("city/a.png", "people/b.png", "c.png"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        picture(0).save(tmp_path / name)
    found = Photographs(find_photographs(tmp_path), ["city", "people"])
    assert {found.photographs[i].name: found[Crop(i, 16, None)][1] for i in range(3)} == {
        "c.png": -1,
        "city/a.png": 0,
        "people/b.png": 1,
    }


@pytest.mark.parametrize("size", [(500, 375), (1000, 10), (3, 700), (1, 1), (97, 101)])
@pytest.mark.parametrize("area", [(0.05, 0.3), (0.3, 1.0), (0.99, 0.999)])
def test_random_crops_lie_within_the_picture_and_keep_its_proportions(size, area):
    chance = random.Random(1)
    for _ in range(500):
        left, top, right, bottom = random_box(size, area, chance)
        assert 0 <= left < right <= size[0]
        assert 0 <= top < bottom <= size[1]
        assert 0.749 < (right - left) / (bottom - top) < 1.334
        assert (right - left) * (bottom - top) <= size[0] * size[1] * area[1] * 1.001


def test_random_crops_of_ordinary_pictures_have_the_requested_share():
    left, top, right, bottom = random_box((400, 300), (0.4, 0.4), random.Random(2))
    assert (right - left) * (bottom - top) == pytest.approx(400 * 300 * 0.4)


def test_a_crop_with_a_share_of_one_is_the_whole_picture():
    assert random_box((640, 200), (1.0, 1.0), random.Random(0)) == (0, 0, 640, 200)


def test_a_large_jpeg_decoded_small_shows_what_it_shows_when_decoded_whole(tmp_path):
    picture(3, 1600, 1200).save(tmp_path / "large.jpg", quality=95)
    picture(3, 1600, 1200).save(tmp_path / "large.png")
    squares = [read_square(Photograph(name, tmp_path / name), 64) for name in ("large.jpg", "large.png")]
    jpeg, png = (np.asarray(square).astype(int) for square in squares)
    assert np.abs(jpeg - png).mean() < 2


def test_a_part_of_a_large_jpeg_is_the_requested_part(tmp_path):
    quarters = Image.new("RGB", (1600, 1200), "red")
    quarters.paste("blue", (800, 600, 1600, 1200))
    quarters.save(tmp_path / "quarters.jpg")
    square = read_square(Photograph("", tmp_path / "quarters.jpg"), 32, lambda _: (820.0, 620.0, 1600.0, 1200.0))
    assert np.asarray(square).reshape(-1, 3).mean(axis=0) == pytest.approx([0, 0, 254], abs=3)


@pytest.mark.parametrize(("orientation", "turn"), [(3, Image.Transpose.ROTATE_180), (6, Image.Transpose.ROTATE_90)])
def test_pictures_are_upright(tmp_path, orientation, turn):
    exif = Image.Exif()
    exif[0x0112] = orientation
    picture(4).transpose(turn).save(tmp_path / "turned.png", exif=exif)
    picture(4).save(tmp_path / "upright.png")
    turned, upright = (read_square(Photograph(n, tmp_path / n), 16) for n in ("turned.png", "upright.png"))
    assert np.abs(np.asarray(turned).astype(int) - np.asarray(upright)).max() <= 2


def test_an_unreadable_photograph_is_replaced_by_the_next_and_logged_once(tmp_path, caplog):
    for seed in range(3):
        picture(seed).save(tmp_path / f"{seed}.png")
    found = Photographs(find_photographs(tmp_path))
    third, _ = found[Crop(2, 16, None)]
    (tmp_path / "1.png").write_bytes(b"")
    assert found[Crop(1, 16, None)][0].equal(third)
    assert found[Crop(1, 16, None)][0].equal(third)
    assert [record.getMessage().count("1.png") > 0 for record in caplog.records] == [True]


def test_a_missing_disk_is_an_error(tmp_path):
    gone = Photographs([Photograph(f"{i}.jpg", tmp_path / f"{i}.jpg") for i in range(5)])
    with pytest.raises(DataError, match="5 photographs in a row cannot be read"):
        gone[Crop(0, 16, 1)]


def test_the_same_crop_is_the_same_square(photographs):
    found = Photographs(find_photographs(photographs), crop=(0.3, 0.8))
    assert found[Crop(5, 16, 7)][0].equal(found[Crop(5, 16, 7)][0])
    assert not found[Crop(5, 16, 7)][0].equal(found[Crop(5, 16, 8)][0])


def test_a_schedule_that_starts_later_has_the_same_batches():
    whole = list(BatchSchedule(18, SETTINGS))
    assert len(whole) == 12
    for first in (1, 4, 11, 12):
        assert list(BatchSchedule(18, SETTINGS, first)) == whole[first:]


def test_each_epoch_uses_a_photograph_at_most_once_and_has_its_own_order():
    epochs = [
        [crop.index for batch in list(BatchSchedule(18, SETTINGS))[start : start + 4] for crop in batch]
        for start in (0, 4, 8)
    ]
    assert all(len(set(epoch)) == 16 for epoch in epochs)
    assert epochs[0] != epochs[1] != epochs[2]


def test_sizes_change_at_the_given_point_of_the_run():
    assert [batch[0].size for batch in BatchSchedule(18, SETTINGS)] == [16] * 6 + [32] * 6


def test_each_of_several_processes_takes_its_share_of_every_batch():
    shares = [list(BatchSchedule(18, SETTINGS, rank=rank, ranks=2)) for rank in (0, 1)]
    for whole, one, other in zip(BatchSchedule(18, SETTINGS), *shares, strict=True):
        assert len(one) == len(other)
        assert sorted(one + other, key=str) == sorted(whole, key=str)
