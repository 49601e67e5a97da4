"""`colorcli run --samples` and `--explain`."""

import json
import os
import time

import numpy as np
import pytest
from PIL import Image

from colorcli.media.pictures.provenance import read_provenance


@pytest.fixture(autouse=True)
def photos(tmp_path):
    """Two pictures beside which the command is run."""
    chance = np.random.default_rng(0)
    (tmp_path / "photos").mkdir()
    for name in ("a.png", "b.jpg"):
        coarse = Image.fromarray(chance.integers(40, 200, (4, 5), np.uint8))
        coarse.resize((40, 32)).save(tmp_path / "photos" / name)


def files(folder):
    return sorted(path.name for path in folder.iterdir())


def pixels(path):
    return np.asarray(Image.open(path).convert("RGB")).astype(int)


def test_samples_are_numbered_and_differ(colorcli, tmp_path):
    assert colorcli("photos", "--samples", "2") == (0, "", "4 colorized in photos-color\n")
    assert files(tmp_path / "photos-color") == ["a-1.png", "a-2.png", "b-1.jpg", "b-2.jpg"]
    one, two = (pixels(tmp_path / "photos-color" / f"a-{number}.png") for number in (1, 2))
    assert np.abs(one - two).mean() > 1


def test_a_sample_has_the_lightness_of_its_picture(colorcli, tmp_path):
    assert colorcli("photos/a.png", "--samples", "1")[0] == 0
    gray, sample = pixels(tmp_path / "photos" / "a.png"), pixels(tmp_path / "photos" / "a-color-1.png")
    assert np.abs(sample - gray).max() > 10
    luminance = (((sample / 255 + 0.055) / 1.055) ** 2.4) @ [0.2126, 0.7152, 0.0722]
    expected = ((gray[..., 0] / 255 + 0.055) / 1.055) ** 2.4
    assert np.abs(luminance - expected).max() < 0.01


def test_a_seed_gives_the_same_samples_and_the_next_one_is_shifted_by_one(colorcli, tmp_path):
    for folder, seed in (("one", "5"), ("again", "5"), ("next", "6")):
        assert colorcli("photos/a.png", "-o", folder, "--samples", "2", "--seed", seed)[0] == 0
    read = {f: [(tmp_path / f / f"a-{n}.png").read_bytes() for n in (1, 2)] for f in ("one", "again", "next")}
    assert read["one"] == read["again"]
    assert np.array_equal(pixels(tmp_path / "one" / "a-2.png"), pixels(tmp_path / "next" / "a-1.png"))


def test_existing_samples_are_skipped_and_others_are_added(colorcli, tmp_path):
    assert colorcli("photos", "--samples", "1")[0] == 0
    assert colorcli("photos", "--samples", "2")[2] == "2 colorized, 2 done before in photos-color\n"
    code, _, err = colorcli("photos", "--samples", "1", "--seed", "1")
    assert (code, "0 colorized, 2 failed" in err, "with other settings" in err) == (1, True, True)
    assert colorcli("photos", "--samples", "1", "--seed", "1", "--overwrite")[0] == 0


def test_an_entropy_map_is_written_next_to_each_output(colorcli, tmp_path):
    assert colorcli("photos", "--explain") == (0, "", "2 colorized, 2 explained in photos-color\n")
    assert files(tmp_path / "photos-color") == ["a-entropy.png", "a.png", "b-entropy.png", "b.jpg"]
    entropy = pixels(tmp_path / "photos-color" / "b-entropy.png")
    assert entropy.shape == (32, 40, 3)
    assert np.abs(entropy - [251, 252, 191]).max() <= 1  # these weights are random: they have no idea
    assert read_provenance(tmp_path / "photos-color" / "b-entropy.png").model == "zhang"
    assert colorcli("photos", "--explain")[2] == "0 colorized, 4 done before in photos-color\n"


def test_several_colorings_share_one_entropy_map(colorcli, tmp_path):
    assert colorcli("photos/b.jpg", "--samples", "2", "--explain")[0] == 0
    assert files(tmp_path / "photos") == ["a.png", "b-color-1.jpg", "b-color-2.jpg", "b-color-entropy.png", "b.jpg"]


def test_outputs_next_to_their_inputs_are_not_inputs_the_next_time(colorcli, tmp_path):
    assert colorcli("photos/a.png", "photos/b.jpg", "--samples", "2", "--explain")[0] == 0
    for inputs in (["photos"], [f"photos/{name}" for name in files(tmp_path / "photos")]):
        out = colorcli(*inputs, "--dry-run")[1]
        assert len(out.splitlines()) == 2


def test_a_changed_picture_is_sampled_and_explained_again(colorcli, tmp_path):
    assert colorcli("photos/a.png", "--samples", "1", "--explain")[0] == 0
    later = time.time() + 10
    os.utime(tmp_path / "photos" / "a.png", (later, later))
    assert colorcli("photos/a.png", "--samples", "1", "--explain")[2] == "1 colorized, 1 explained in photos\n"


def test_rows_have_the_seed_and_mark_entropy(colorcli):
    out = colorcli("photos/a.png", "--samples", "2", "--seed", "7", "--explain", "--json")[1]
    told = [{key: row.get(key) for key in ("seed", "entropy")} for row in map(json.loads, out.splitlines())]
    assert told == [{"seed": 7, "entropy": None}, {"seed": 8, "entropy": None}, {"seed": None, "entropy": True}]


def test_a_dry_run_names_every_output(colorcli):
    out = colorcli("photos/a.png", "--samples", "2", "--explain", "--dry-run")[1]
    assert out.splitlines() == [f"photos/a.png -> photos/a-color-{each}.png" for each in ("1", "2", "entropy")]


@pytest.mark.parametrize("option", ["--explain", "--samples=2"])
def test_an_unsupported_option_is_refused_and_colorizers_that_support_it_are_named(colorcli, option):
    code, _, err = colorcli("photos", "--model", "iizuka", option)
    assert code == 2
    assert "is not available for iizuka" in err
    assert "Colorizers that support it: zhang." in err


def test_films_have_one_coloring(colorcli, tmp_path):
    (tmp_path / "film.mkv").write_bytes(b"\x1a\x45\xdf\xa3")
    code, _, err = colorcli("film.mkv", "--samples", "2")
    assert code == 2
    assert "--samples is for pictures, but film.mkv is a film" in err


def test_standard_input_has_one_coloring(colorcli):
    assert colorcli("-", "--samples", "2")[0] == 2
    assert "--samples" in colorcli("-", "--explain")[2]
