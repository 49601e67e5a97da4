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


def test_a_manifest_is_read_as_weights_by_tag_in_its_own_order(tmp_path):
    weights = read(tmp_path, GOOD)
    assert list(weights) == ["best", "small"]
    assert weights["small"].network == {"widths": [8, 16]}


def test_bundled_weights_are_found_beside_their_manifest(tmp_path):
    weights = read(tmp_path, GOOD)
    assert weights["small"].bundled
    assert weights["small"].file == str(tmp_path / "small.safetensors")
    assert weights["best"].file == "best.safetensors"


def test_the_manifest_of_zhang_describes_the_published_file():
    weights = read_manifest("zhang")["eccv16"]
    assert (weights.repo, weights.file) == ("ckpt/colorization", "colorization_release_v2-9b330a0b.pth")
    assert weights.sha256 == "9b330a0bae53f4ded77b1e23defbf78beaa09c10ebc4c4999e8e4f4a160b93f9"
    assert (weights.size, weights.license, weights.format) == (128_976_165, "BSD-2-Clause", "torch")
    assert weights.network == {"folded_temperature": 0.38}


WRONG = {
    "an unknown field": (
        GOOD.replace("license", "licence", 1),  # codespell:ignore
        "best.licence is not a known field. Did you mean license",  # codespell:ignore
    ),
    "a missing field": (GOOD.replace("size = 7\n", ""), "best.size is missing"),
    "a wrong type": (
        GOOD.replace("size = 7", 'size = "7"'),
        "best.size must be a number of bytes, at least 1, got '7'",
    ),
    "a boolean": (
        GOOD.replace("size = 7", "size = true"),
        "best.size must be a number of bytes, at least 1, got True",
    ),
    "a short hash": (
        GOOD.replace("0" * 64, "0" * 63),
        "best.sha256 must be 64 lowercase hexadecimal digits, or first-use, got '000",
    ),
    "a first use without a Hub": (GOOD.replace("1" * 64, "first-use"), "small.sha256 must be that of the file"),
    "a hash and a newline": (GOOD.replace("0" * 64, "0" * 64 + "\\n"), "best.sha256 must be 64 lowercase"),
    "size 0": (GOOD.replace("size = 7", "size = 0"), "best.size must be a number of bytes, at least 1, got 0"),
    "input_size -1": (
        GOOD.replace("size = 7", "size = 7\ninput_size = -1"),
        "best.input_size must be a number of pixels",
    ),
    "input_size 0": (
        GOOD.replace("size = 5", "size = 5\ninput_size = 0"),
        "small.input_size must be a number of pixels",
    ),
    "negative parameters": (
        GOOD.replace("size = 7", "size = 7\nparameters = -1"),
        "best.parameters must be an integer",
    ),
    "an unknown format": (GOOD.replace("size = 7", 'size = 7\nformat = "pickle"'), "best.format must be"),
    "no owner": (GOOD.replace("someone/something", "something"), "best.repo must be owner/name, got 'something'"),
    "a parent as owner": (GOOD.replace("someone/", "../"), "best.repo must be owner/name, got '../something'"),
    "three parts": (GOOD.replace("someone/", "some/one/"), "best.repo must be owner/name"),
    "a file above": (GOOD.replace("small.safe", "../../small.safe"), "small.file must be a path inside"),
    "an absolute file": (GOOD.replace("small.safe", "/etc/small.safe"), "small.file must be a path inside"),
    "a remote file above": (GOOD.replace("best.safe", "a/../../best.safe"), "best.file must be a path inside"),
    "a Windows path": (GOOD.replace("best.safe", "a\\\\..\\\\best.safe"), "best.file must be a path inside"),
    "a revision above": (GOOD.replace("size = 7", 'size = 7\nrevision = "../../x"'), "best.revision must be a branch"),
    "a page without https": (
        GOOD.replace("size = 7", 'size = 7\npage = "http://x.org/a"'),
        "best.page must be an https:// URL",
    ),
    "an empty license": (GOOD.replace("MIT", "", 1), "best.license must be 1 to 2000 characters on one line, got ''"),
    "an escape": (GOOD.replace("photographs", "\\u001b[2J", 1), "best.trained_on must be 1 to 2000 characters"),
    "two lines": (GOOD.replace("photographs", "a\\nb", 1), "best.trained_on must be 1 to 2000 characters on one line"),
    "an endless text": (GOOD.replace("photographs", "a" * 5000, 1), "best.trained_on must be 1 to 2000 characters"),
    "a value outside a table": (f"version = 1\n{GOOD}", "version must be inside a table"),
    "an invalid tag": (
        GOOD.replace("[best]", '["be.st"]'),
        "the tag 'be.st' must have 1 to 64 letters, digits, - and _",
    ),
    "a tag above": (GOOD.replace("[best]", '["../x"]'), "the tag '../x' must have 1 to 64 letters, digits, - and _"),
    "an empty file": ("", "the file must have a table for each tag, such as [eccv16]"),
}


@pytest.mark.parametrize(("text", "message"), WRONG.values(), ids=WRONG)
def test_an_invalid_manifest_is_an_error_that_names_file_table_and_field(tmp_path, text, message):
    with pytest.raises(PluginError) as caught:
        read(tmp_path, text)
    first, *problems = caught.value.message.splitlines()
    assert first == f"Invalid manifest {tmp_path / 'plain.toml'}:"
    assert any(problem.startswith(f"  {message}") for problem in problems)


def test_every_wrong_field_has_a_line(tmp_path):
    text = GOOD.replace("size = 7", "size = 0\ninput_size = -1").replace("small.safe", "../small.safe")
    with pytest.raises(PluginError) as caught:
        read(tmp_path, text)
    fields = [line.split()[0] for line in caught.value.message.splitlines()[1:]]
    assert fields == ["best.size", "best.input_size", "small.file"]


@pytest.mark.parametrize("content", [b"[best", b"\xff\xfe", b"a = " + b"[" * 100_000], ids=["cut", "binary", "deep"])
def test_a_file_that_is_not_toml_is_an_error(tmp_path, content):
    (tmp_path / "plain.toml").write_bytes(content)
    with pytest.raises(PluginError, match=r"Cannot read .*plain\.toml"):
        read_manifest("plain", tmp_path)


def test_a_plugin_without_a_manifest_has_no_weights_yet(tmp_path):
    assert read_manifest("plain", tmp_path) == {}
    assert read_manifest("plain", tmp_path / "weights") == {}


def test_a_manifest_that_is_not_a_file_is_an_error(tmp_path):
    (tmp_path / "plain.toml").mkdir()
    with pytest.raises(PluginError, match=r"Cannot read .*plain\.toml"):
        read_manifest("plain", tmp_path)


def test_a_missing_manifest_of_colorcli_itself_is_an_error_with_the_path():
    with pytest.raises(PluginError, match="plain has no manifest") as caught:
        read_manifest("plain")
    assert "weights" in caught.value.message


def test_a_written_table_can_be_read(tmp_path):
    weights = Weights(
        file="run.safetensors",
        sha256="a" * 64,
        size=12,
        license="CC-BY-4.0",
        source='colorcli train zhang "my photos" -o run\\1',
        trained_on="Fotos aus Köln, 🎨, and more",
        input_size=176,
        network={"widths": [8, 16], "folded_temperature": 1.0, "deep": {"of the sea": True, "empty": {}}},
        metrics={"auc": 57.1, "learning_rate": 1e-05, "protocol": "256x256, bicubic\n\u001b"},
    )
    (tmp_path / "plain.toml").write_text(format_table("run", weights), encoding="utf-8")
    assert read_manifest("plain", tmp_path) == {"run": replace(weights, file=str(tmp_path / "run.safetensors"))}


@pytest.mark.parametrize("source", ["two\nlines.pth", "\u001b[31mred.pth", "del\x7f.pth", "x" * 3000])
def test_a_table_with_an_odd_source_can_be_read(tmp_path, source):
    weights = Weights("a", "0" * 64, 1, "MIT", source, "this")
    (tmp_path / "plain.toml").write_text(format_table("run", weights), encoding="utf-8")
    assert read_manifest("plain", tmp_path)["run"].source.isprintable()


def test_a_table_leaves_out_default_values():
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
