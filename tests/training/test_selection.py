import random
from collections import Counter
from pathlib import Path

import pytest
from msgspec.structs import replace
from PIL import Image

from colorcli.errors import DataError
from colorcli.media.photographs import Photograph, find_photographs
from colorcli.training.recipes import TrainingSettings
from colorcli.training.selection import (
    candidates_of,
    chosen_by,
    describe_unusable,
    expect_categories,
    find_unusable,
    fingerprint,
    sample,
    split,
)
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


def test_a_sample_has_the_requested_size():
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


def test_unreadable_and_gray_pictures_are_named(photographs, tmp_path):
    picture(0).convert("L").save(tmp_path / "gray.jpg")
    picture(0).convert("L").convert("RGB").save(tmp_path / "also-gray.jpg")
    (tmp_path / "text.jpg").write_text("no picture")
    (tmp_path / "cut.jpg").write_bytes((photographs / "000.jpg").read_bytes()[:600])
    picture(0).save(tmp_path / "fine.jpg")
    faults = find_unusable(find_photographs(tmp_path), workers=0)
    unreadable = dict.fromkeys(["cut.jpg", "text.jpg"], "cannot be read")
    assert faults == {"gray.jpg": "gray", "also-gray.jpg": "gray"} | unreadable
    assert "4 of 5 photographs are skipped" in describe_unusable(faults, 5)
    assert "gray.jpg (gray)" in describe_unusable(faults, 5)


def test_the_fingerprint_changes_with_the_photographs(photographs):
    found = find_photographs(photographs)
    assert fingerprint(found) == fingerprint(find_photographs(photographs))
    assert fingerprint(found) != fingerprint(found[1:])
