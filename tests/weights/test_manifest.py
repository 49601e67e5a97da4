import tomllib
from dataclasses import replace

import pytest

import colorcli
from colorcli import Weights, read_manifest
from colorcli.errors import PluginError
from colorcli.weights.manifest import format_table

GOOD = f"""
[best]
repo = "someone/something"
file = "best.safetensors"
sha256 = "{"0" * 64}"
size = 7
license = "MIT"
source = "https://example.org"
trained_on = "photographs"

[small]
file = "small.safetensors"
sha256 = "{"1" * 64}"
size = 5
license = "MIT"
source = "colorcli train"
trained_on = "photographs"
[small.network]
widths = [8, 16]
"""


def read(folder, text):
    (folder / "plain.toml").write_text(text)
    return read_manifest("plain", folder)


def test_a_manifest_gives_the_weights_by_tag_in_its_own_order(tmp_path):
    weights = read(tmp_path, GOOD)
    assert list(weights) == ["best", "small"]
    assert weights["small"].network == {"widths": [8, 16]}


def test_bundled_weights_are_found_beside_their_manifest(tmp_path):
    weights = read(tmp_path, GOOD)
    assert weights["small"].bundled
    assert weights["small"].file == str(tmp_path / "small.safetensors")
    assert weights["best"].file == "best.safetensors"


def test_the_manifest_of_zhang_has_the_facts_of_the_published_file():
    weights = read_manifest("zhang")["eccv16"]
    assert (weights.repo, weights.file) == ("ckpt/colorization", "colorization_release_v2-9b330a0b.pth")
    assert weights.sha256 == "9b330a0bae53f4ded77b1e23defbf78beaa09c10ebc4c4999e8e4f4a160b93f9"
    assert (weights.size, weights.license, weights.format) == (128_976_165, "BSD-2-Clause", "torch")
    assert weights.network == {"folded_temperature": 0.38}


WRONG = {
    "an unknown field": (GOOD.replace("license", "license", 1), r"\[best\]: there is no field license.*license"),
    "a missing field": (GOOD.replace("size = 7\n", ""), r"\[best\]: the field size is missing"),
    "a wrong type": (GOOD.replace("size = 7", 'size = "7"'), r"\[best\]: size is '7', where a whole number"),
    "a truth for a number": (GOOD.replace("size = 7", "size = true"), r"\[best\]: size is True, where a whole number"),
    "no hash": (GOOD.replace("0" * 64, "0" * 63), r"\[best\]: sha256 is .* not 64"),
    "no size": (GOOD.replace("size = 7", "size = 0"), r"\[best\]: size is 0"),
    "an unknown format": (GOOD.replace("size = 7", 'size = 7\nformat = "pickle"'), r"\[best\]: format is 'pickle'"),
    "an odd repository": (GOOD.replace("someone/something", "something"), r"\[best\]: repo is 'something'"),
    "a value outside of a table": (f"version = 1\n{GOOD}", r"version stands outside of a table"),
    "an odd tag": (GOOD.replace("[best]", '["be.st"]'), r"\[be\.st\]: a tag has letters"),
    "no table": ("", r"plain\.toml has no table"),
    "no TOML": ("[best", r"plain\.toml cannot be read"),
}


@pytest.mark.parametrize(("text", "message"), WRONG.values(), ids=WRONG)
def test_a_wrong_manifest_is_an_error_that_names_file_table_and_field(tmp_path, text, message):
    with pytest.raises(PluginError, match=message) as caught:
        read(tmp_path, text)
    assert str(tmp_path / "plain.toml") in caught.value.message


def test_a_missing_manifest_is_an_error_that_says_where_it_was_looked_for(tmp_path):
    with pytest.raises(PluginError, match="no manifest") as caught:
        read_manifest("plain", tmp_path)
    assert str(tmp_path / "plain.toml") in caught.value.message


def test_a_table_that_is_written_reads_back_the_same(tmp_path):
    weights = Weights(
        file="run.safetensors",
        sha256="a" * 64,
        size=12,
        license="CC-BY-4.0",
        source='colorcli train zhang "my photos" -o run\\1',
        trained_on="Fotos aus Köln, \u001b 🎨, del \x7f, and\nmore",
        input_size=176,
        network={"widths": [8, 16], "folded_temperature": 1.0, "deep": {"of the sea": True, "empty": {}}},
        metrics={"auc": 57.1, "learning_rate": 1e-05, "protocol": "256x256, bicubic"},
    )
    (tmp_path / "plain.toml").write_text(format_table("run", weights), encoding="utf-8")
    assert read_manifest("plain", tmp_path) == {"run": replace(weights, file=str(tmp_path / "run.safetensors"))}


def test_a_table_leaves_out_what_has_its_default_value():
    weights = Weights("a", "0" * 64, 1, "MIT", "here", "this")
    assert set(tomllib.loads(format_table("run", weights))["run"]) == {
        "file",
        "sha256",
        "size",
        "license",
        "source",
        "trained_on",
    }


def test_reading_a_manifest_is_a_public_name():
    assert colorcli.read_manifest is read_manifest
