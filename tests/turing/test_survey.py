import base64
import io
import json
import re

import pytest
from PIL import Image

from colorcli.errors import DataError
from colorcli.pages.sheet import PictureVersions
from colorcli.turing.survey import make_survey
from tests.turing.squares import COLORS, MODELS, rows, write_test


def survey(count=12, **settings):
    return make_survey(rows(count), MODELS, **{"practice": 2, "seed": 0, **settings})


def data_of(page):
    found = re.search(r'<script type="application/json" id="survey">(.*?)</script>', page.read_text(), re.DOTALL)
    return json.loads(found[1])


def test_a_picture_shows_what_the_key_says_it_is(tmp_path):
    page, _, key = write_test(tmp_path)
    pictures = data_of(page)["pictures"]
    assert set(key.pictures) == set(pictures)
    for name, picture in key.pictures.items():
        scene, version = picture.scene, picture.version
        shown = Image.open(io.BytesIO(base64.b64decode(pictures[name]))).convert("RGB").getpixel((5, 5))
        red, green, blue = COLORS["original" if version == "real" else version]
        expected = (red, green, blue + int(re.findall(r"\d+", scene)[0]))
        assert max(abs(one - other) for one, other in zip(shown, expected, strict=True)) <= 3


def test_only_its_colors_distinguish_a_real_picture_from_a_colorized_one():
    made = survey()
    for scene in {scene for scene, _ in made.versions.values()}:
        files = [made.pictures[name] for name, (each, _) in made.versions.items() if each == scene]
        images = [Image.open(io.BytesIO(file)) for file in files]
        assert len(files) == 3
        assert len({len(file) for file in files}) == 1
        assert len({(image.size, image.mode, str(image.quantization), str(image.info)) for image in images}) == 1
        assert not any(image.getexif() for image in images)


def test_the_page_contains_no_names_of_scenes_or_models_and_no_key(tmp_path):
    page, _, key = write_test(tmp_path)
    text = page.read_text()
    for word in ("secret", *MODELS):
        assert word not in text
    data = data_of(page)
    assert data["solutions"] == {}
    assert set(data) == {"format", "test", "seconds", "practice", "solutions", "groups", "pictures"}
    assert all(re.fullmatch("[0-9a-f]{12}", name) for name in data["pictures"])
    in_order = [key.pictures[name].version for name in data["pictures"]]
    assert in_order != sorted(in_order)


def test_the_page_contains_the_solutions_of_the_practice_only(tmp_path):
    page, _, key = write_test(tmp_path, practice=4)
    data = data_of(page)
    assert sorted(data["solutions"]) == sorted({name for group in data["practice"] for name in group})
    assert sorted(data["solutions"].values()) == ["colored"] * 8 + ["real"] * 4
    assert not data["solutions"].keys() & key.pictures.keys()


def test_pictures_are_scaled_down_but_not_up():
    for side, expected in ((60, (60, 40)), (500, (90, 60))):
        sizes = {Image.open(io.BytesIO(jpeg)).size for jpeg in survey(max_side=side).pictures.values()}
        assert sizes == {expected}


def test_a_test_depends_on_its_seed():
    one, again, other = survey(seed=1), survey(seed=1), survey(seed=2)
    assert one == again
    assert one.test != other.test
    assert not one.pictures.keys() & other.pictures.keys()


def test_gray_photographs_are_skipped_and_named():
    gray = PictureVersions("gray.jpg", {"gray": Image.new("L", (9, 9)), "vivid": Image.new("RGB", (9, 9))})
    made = make_survey([*rows(3), gray], ["vivid"], practice=0, seed=0)
    assert made.gray == ["gray.jpg"]
    assert len(made.groups[0]) == 3


def test_too_few_photographs_in_color_are_an_error():
    with pytest.raises(DataError, match="needs 2 photographs in color, 0 of them for practice, got 1"):
        make_survey(rows(1), MODELS, practice=None, seed=0)
