import csv

import pytest

from colorcli.cli import main
from colorcli.media.photographs import find_photographs
from tests.training.photographs import picture

TOPICS = {
    "people": [1],
    "animals": [1, 2],
    "structures": [3],
    "sky": [3, 4],
    "tree": [4, 5],
}
PEOPLE_AND_ANIMALS = "people portrait female male baby animals bird dog"
PLACES = "structures transport car sky clouds sunset water sea lake river plant_life flower tree"


@pytest.fixture
def mirflickr(tmp_path):
    """Six pictures and their annotations, as MIRFLICKR-25000 has them."""
    (tmp_path / "mirflickr").mkdir()
    (tmp_path / "annotations").mkdir()
    for number in range(1, 7):
        picture(number).save(tmp_path / "mirflickr" / f"im{number}.jpg")
    for topic in f"{PEOPLE_AND_ANIMALS} {PLACES}".split():
        lines = "".join(f"{number}\r\n" for number in TOPICS.get(topic, []))
        (tmp_path / "annotations" / f"{topic}.txt").write_text(lines, newline="")
    return tmp_path


def run(folder, *more):
    return main(["paper", "mirflickr", str(folder / "mirflickr"), str(folder / "annotations"), *more])


@pytest.mark.paper("edinburgh", "MIRFLICKR in six categories")
def test_each_picture_belongs_to_the_first_category_one_of_whose_topics_it_has(mirflickr, capsys):
    assert run(mirflickr) == 0
    with (mirflickr / "mirflickr" / "manifest.csv").open(newline="") as file:
        categories = {row["file"]: row["category"] for row in csv.DictReader(file)}
    expected = ["people", "animals", "city", "scenery", "nature", "others"]
    assert categories == {f"im{number}.jpg": name for number, name in enumerate(expected, start=1)}
    found = find_photographs(mirflickr / "mirflickr")
    assert [photograph.category for photograph in found] == expected
    assert capsys.readouterr().out.splitlines()[0] == "animals  1"


def test_a_manifest_is_replaced_only_on_request(mirflickr, capsys):
    assert run(mirflickr) == 0
    assert run(mirflickr) == 1
    assert "already exists. hint: Replace it with --overwrite." in " ".join(capsys.readouterr().err.split())
    assert run(mirflickr, "--overwrite") == 0


def test_other_folders_are_errors(mirflickr, capsys):
    (mirflickr / "annotations" / "tree.txt").write_text("oak")
    assert run(mirflickr) == 1
    assert "tree.txt must have the number of a picture on each line" in capsys.readouterr().err
    (mirflickr / "annotations" / "tree.txt").unlink()
    assert run(mirflickr) == 1
    assert "Annotation not found" in capsys.readouterr().err
    assert not (mirflickr / "mirflickr" / "manifest.csv").exists()
