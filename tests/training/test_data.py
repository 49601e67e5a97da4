import random
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from msgspec.structs import replace
from PIL import Image

from colorcli.errors import DataError
from colorcli.media.photographs import Photograph, find_photographs, read_square
from colorcli.training.data import (
    BatchSchedule,
    Crop,
    Photographs,
    candidates_of,
    chosen_by,
    describe_unusable,
    expect_categories,
    find_unusable,
    fingerprint,
    random_box,
    sample,
    split,
)
from colorcli.training.recipes import TrainingSettings
from tests.training.photographs import picture

SETTINGS = TrainingSettings(epochs=3, batch_size=4, sizes=((0.0, 16), (0.5, 32)))


def test_a_photograph_is_held_out_independently_of_the_others(photographs):
    found = find_photographs(photographs)
    validate = split(found).validation
    shuffled = split(random.Random(0).sample(found, len(found))).validation
    fewer = split(found[::-2]).validation
    assert validate == shuffled
    assert set(fewer) == set(validate) & set(found[::-2])
    assert 0 < len(validate) < len(found) / 8


def test_too_few_photographs_are_an_error(photographs):
    with pytest.raises(DataError, match="2 usable photographs are too few"):
        split(find_photographs(photographs)[:2])


def in_categories(**counts):
    return [
        Photograph(f"{category}/{i:03}.jpg", Path("data"), category=category)
        for category, count in counts.items()
        for i in range(count)
    ]


def test_a_stratified_split_keeps_its_shares_in_every_category():
    found = in_categories(animals=200, city=50, people=10)
    parts = split(found, (80, 10, 10))
    counts = [Counter(p.category for p in part) for part in (parts.training, parts.validation, parts.test)]
    assert counts[0] == {"animals": 160, "city": 40, "people": 8}
    assert counts[1] == counts[2] == {"animals": 20, "city": 5, "people": 1}
    assert sorted(p.name for part in (parts.training, parts.validation, parts.test) for p in part) == [
        p.name for p in found
    ]
    assert split(found[::-1], (80, 10, 10)) == parts


def test_a_split_without_test_photographs_is_an_error():
    with pytest.raises(DataError, match="3 usable photographs are too few"):
        split(in_categories(city=3), (80, 10, 10))


def test_a_missing_category_is_an_error_that_lists_the_others():
    found = in_categories(city=2, people=1)
    assert chosen_by(replace(SETTINGS, only="people"), found) == in_categories(people=1)
    assert chosen_by(SETTINGS, found) == found
    with pytest.raises(DataError, match="Categories found: city, people"):
        chosen_by(replace(SETTINGS, only="persons"), found)


def licensed(**rows):
    return [Photograph(f"{name}.jpg", Path("data"), row={"license": text}) for name, text in rows.items()]


def test_photographs_are_left_out_by_words_in_the_manifest():
    found = licensed(a="CC BY 2.0", b="CC BY-SA 2.0", c="cc by-sa or GFDL", d="MIT", e="", f=None, g="LGPL")
    found.append(Photograph("not-in-the-manifest.jpg", Path("data")))
    chosen = candidates_of(replace(SETTINGS, exclude={"license": ("BY-SA", "gpl")}), found)
    assert [p.name for p in chosen] == ["a.jpg", "d.jpg"]
    assert candidates_of(replace(SETTINGS, exclude={}), found) == found
    both = replace(SETTINGS, exclude={"license": ("BY-SA",), "tier": ("declared",)})
    with pytest.raises(DataError, match=r"Columns not found in manifest\.csv: tier\."):
        candidates_of(both, found)


@pytest.mark.parametrize("category", ["", "category,", "license,category,"])
def test_a_manifest_may_have_any_columns(tmp_path, category):
    (tmp_path / "people").mkdir()
    for name in ("a", "b"):
        Image.new("RGB", (9, 9)).save(tmp_path / "people" / f"{name}.jpg")
    fields = {"license,category,": "MIT,city,", "category,": "city,", "": ""}[category]
    (tmp_path / "manifest.csv").write_text(f"{category}file\n{fields}people/a.jpg\n")
    first, second = find_photographs(tmp_path)
    assert first.category == ("city" if category else "people")
    assert second.category == ("" if category else "people")
    assert first.row.get("license") == ("MIT" if "license" in category else None)
    assert second.row == {}


def test_photographs_are_chosen_by_their_names():
    """Liège: cats only, from a folder of cats and dogs."""
    found = [Photograph(f"train/{kind}.{number}.jpg", Path("x")) for kind in ("cat", "dog") for number in range(50)]
    cats = candidates_of(replace(SETTINGS, names="*cat.*"), found)
    assert cats == found[:50]
    fewer = chosen_by(replace(SETTINGS, most=10), cats)
    assert len(fewer) == 10
    assert set(fewer) < set(cats)
    assert fewer == chosen_by(replace(SETTINGS, most=10), cats[::-1])
    with pytest.raises(DataError, match="No photograph has a name like \\*owl\\*"):
        candidates_of(replace(SETTINGS, names="*owl*"), found)


def test_no_more_photographs_are_inspected_than_a_run_may_need():
    found = in_categories(city=100)
    settings = replace(SETTINGS, most=40)
    candidates = candidates_of(settings, found)
    assert len(candidates) == 50
    usable = candidates[::2] + candidates[1::3]  # some are gray
    assert len(chosen_by(settings, usable)) == 40
    assert candidates_of(SETTINGS, found) == found


def test_what_is_tested_in_one_run_is_not_learned_from_in_the_run_of_a_category():
    """Edinburgh: the generators of an ensemble are evaluated on the test photographs of the baseline."""
    found = in_categories(animals=300, city=100, people=50)
    whole = replace(SETTINGS, most=120, split=(75, 15, 10))
    baseline = split(chosen_by(whole, candidates_of(whole, found)), whole.split)
    assert len(baseline.training + baseline.validation + baseline.test) == 120
    for category in ("animals", "city", "people"):
        alone = replace(whole, only=category)
        member = split(chosen_by(alone, candidates_of(alone, found)), alone.split)
        assert member.training == [p for p in baseline.training if p.category == category]
        assert member.test == [p for p in baseline.test if p.category == category]


def test_a_sample_has_the_size_that_is_asked_for():
    """Of 8,919 photographs it had 2,973 instead of 4,000."""
    found = [Photograph(str(number), Path("x")) for number in range(8919)]
    assert len(set(sample(found, 4000))) == 4000
    assert sample(found, 9000) == found


def test_a_split_may_be_written_in_photographs_as_papers_print_it():
    """Rome: 16,000, 3,000 and 6,000."""
    settings = replace(SETTINGS, most=25, split=(16, 3, 6))
    parts = split(chosen_by(settings, in_categories(city=40)), settings.split)
    assert [len(part) for part in (parts.training, parts.validation, parts.test)] == [16, 3, 6]


def test_all_missing_categories_are_named():
    with pytest.raises(DataError, match=r"No photograph has a category. Missing: cities, people."):
        expect_categories([], ["people", "cities"])
    with pytest.raises(DataError, match=r"Categories found: city, people. Missing: animals, nature."):
        expect_categories(in_categories(city=2, people=1), ["people", "nature", "animals"])
    expect_categories(in_categories(city=2, people=1), ["people"])


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


def test_random_crops_of_ordinary_pictures_have_the_share_that_was_asked_for():
    left, top, right, bottom = random_box((400, 300), (0.4, 0.4), random.Random(2))
    assert (right - left) * (bottom - top) == pytest.approx(400 * 300 * 0.4)


def test_a_crop_of_all_is_the_whole_picture():
    assert random_box((640, 200), (1.0, 1.0), random.Random(0)) == (0, 0, 640, 200)


def test_a_large_jpeg_decoded_small_shows_what_it_shows_when_decoded_whole(tmp_path):
    picture(3, 1600, 1200).save(tmp_path / "large.jpg", quality=95)
    picture(3, 1600, 1200).save(tmp_path / "large.png")
    squares = [read_square(Photograph(name, tmp_path / name), 64) for name in ("large.jpg", "large.png")]
    jpeg, png = (np.asarray(square).astype(int) for square in squares)
    assert np.abs(jpeg - png).mean() < 2


def test_a_part_of_a_large_jpeg_is_the_part_that_was_asked_for(tmp_path):
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


def test_unreadable_and_gray_pictures_are_named(photographs, tmp_path):
    picture(0).convert("L").save(tmp_path / "gray.jpg")
    picture(0).convert("L").convert("RGB").save(tmp_path / "also-gray.jpg")
    (tmp_path / "text.jpg").write_text("no picture")
    (tmp_path / "cut.jpg").write_bytes((photographs / "000.jpg").read_bytes()[:600])
    (tmp_path / "folder.jpg").mkdir()
    picture(0).save(tmp_path / "fine.jpg")
    faults = find_unusable(find_photographs(tmp_path), workers=0)
    unreadable = dict.fromkeys(["cut.jpg", "folder.jpg", "text.jpg"], "cannot be read")
    assert faults == {"gray.jpg": "gray", "also-gray.jpg": "gray"} | unreadable
    assert "5 of 6 photographs are skipped" in describe_unusable(faults, 6)
    assert "gray.jpg (gray)" in describe_unusable(faults, 6)


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


def test_the_fingerprint_changes_with_the_photographs(photographs):
    found = find_photographs(photographs)
    assert fingerprint(found) == fingerprint(find_photographs(photographs))
    assert fingerprint(found) != fingerprint(found[1:])
