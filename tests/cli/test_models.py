import json

import pytest
from huggingface_hub import constants

from colorcli import read_manifest
from colorcli.cli import main
from tests.site_packages import SitePackages, working


@pytest.fixture(autouse=True)
def empty_cache(tmp_path, monkeypatch):
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "huggingface"))


@pytest.fixture
def site(tmp_path, monkeypatch):
    site = SitePackages(tmp_path / "site")
    monkeypatch.syspath_prepend(site.folder)
    return site


BUILT_IN = ["iizuka", "koalarization", "pix2pix", "zhang"]


def models(capsys, *args):
    assert main(["models", *args]) == 0
    return capsys.readouterr()


def test_every_tag_is_listed_with_size_license_and_whereabouts(capsys):
    lines = models(capsys).out.splitlines()
    named = [line.partition(":")[0] for line in lines if line and not line.startswith(" ")]
    assert [name for name in named if name in BUILT_IN] == BUILT_IN
    (published,) = (line for line in lines if "zhang.eccv16" in line)
    assert published.split(maxsplit=4) == ["zhang.eccv16", "129.0", "MB", "BSD-2-Clause", "downloaded when first used"]


def test_weights_that_are_here_are_said_to_be_here(capsys, tmp_path):
    published = read_manifest("zhang")["eccv16"]
    cached = tmp_path / "huggingface" / f"models--{published.repo.replace('/', '--')}"
    (cached / "refs").mkdir(parents=True)
    (cached / "refs" / "main").write_text("c0ffee")
    (cached / "snapshots" / "c0ffee").mkdir(parents=True)
    (cached / "snapshots" / "c0ffee" / published.file).touch()
    (line,) = (line for line in models(capsys).out.splitlines() if "zhang.eccv16" in line)
    assert line.endswith("  here")


def test_json_has_the_facts_of_the_manifest(capsys):
    (zhang,) = (model for model in json.loads(models(capsys, "--json").out) if model["name"] == "zhang")
    published = zhang["weights"][0]
    assert zhang["summary"]
    assert (published["name"], published["tag"]) == ("zhang.eccv16", "eccv16")
    assert (published["size"], published["license"], published["here"]) == (128_976_165, "BSD-2-Clause", False)


def test_a_colorizer_without_weights_is_listed_too(capsys, site):
    site.add("models-plain", working("plain"), "plain")
    assert "plain: Stays gray.\n  needs no weights" in models(capsys).out


def test_broken_plugins_are_mentioned_on_stderr_only(capsys, site):
    site.add("models-broken", "import nothing_of_that_name", "odd")
    captured = models(capsys)
    assert "broken" not in captured.out
    assert captured.err == "note: 1 of the plugins is broken; `colorcli plugins` says why.\n"


def test_no_colorizer_at_all_is_said_in_words(capsys, monkeypatch):
    monkeypatch.setenv("COLORCLI_PLUGINS", "")
    assert models(capsys).out == "No colorizer is installed.\n"
    assert models(capsys, "--json").out == "[]\n"
