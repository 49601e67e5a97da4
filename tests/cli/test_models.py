import json

import pytest
from huggingface_hub import constants

from colorcli import read_manifest
from colorcli.cli import main
from tests.site_packages import working


@pytest.fixture(autouse=True)
def empty_cache(tmp_path, monkeypatch):
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "huggingface"))


BUILT_IN = ["iizuka", "koalarization", "pix2pix", "siggraph17", "zhang"]


def models(capsys, *args):
    assert main(["models", *args]) == 0
    return capsys.readouterr()


def test_every_tag_is_listed_with_size_license_and_whereabouts(capsys):
    lines = models(capsys).out.splitlines()
    named = [line.partition(":")[0] for line in lines if line and not line.startswith(" ")]
    assert [name for name in named if name in BUILT_IN] == BUILT_IN
    (published,) = (line for line in lines if "zhang.eccv16" in line)
    assert published.split(maxsplit=4) == ["zhang.eccv16", "129.0", "MB", "BSD-2-Clause", "downloaded when first used"]


def test_local_weights_are_listed_as_local(capsys, tmp_path):
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
    assert captured.err == "note: 1 of the plugins is broken; see `colorcli plugins`.\n"


def test_an_empty_list_of_colorizers_is_a_sentence(capsys, monkeypatch):
    monkeypatch.setenv("COLORCLI_PLUGINS", "")
    assert models(capsys).out == "No colorizers are installed.\n"
    assert models(capsys, "--json").out == "[]\n"


# One model


OPTIONS = """
    from colorcli import Colorizer, Option, Weights, hookimpl

    def weights(tag, **options):
        return Weights(
            repo="someone/plain", file=f"{tag}.safetensors", sha256="0" * 64, size=2_000_000, license="MIT",
            source="https://example.org", trained_on="four evenings", options=options, input_size=64,
        )

    class Plain(Colorizer):
        name = "described"
        summary = "Has options of every kind."
        weights = {"large": weights("large"), "small": weights("small", warmth=0.5, steps=4)}
        options = (
            Option("warmth", 1.0, "how warm it is", minimum=0.0, maximum=2.0),
            Option("steps", 8, "how often it looks", minimum=1, maximum=50),
            Option("mood", "calm", "how bold it is", choices=("calm", "bold")),
            Option("haze", False, "whether distant things are blue"),
            Option("prompt", "", "what is in the picture", maximum=200),
        )
        def build(self):
            raise NotImplementedError
        def predict(self, network, lightness, **options):
            raise NotImplementedError

    @hookimpl
    def register_colorizers(register):
        register(Plain())
"""
SHOWN = {
    "warmth": ("how warm it is", "a number from 0 to 2; default 1 (large), 0.5 (small)"),
    "steps": ("how often it looks", "a whole number from 1 to 50; default 8 (large), 4 (small)"),
    "mood": ("how bold it is", "one of calm, bold; default calm"),
    "haze": ("whether distant things are blue", "true or false; default false"),
    "prompt": ("what is in the picture", 'text of at most 200 characters; default ""'),
}


@pytest.mark.parametrize("name", SHOWN)
def test_every_option_is_shown_with_its_help_bounds_and_the_defaults_of_each_tag(capsys, site, name):
    site.add("models-described", OPTIONS, "described")
    lines = models(capsys, "described").out.splitlines()
    help_line = lines.index(f"  -p {name}=...  {SHOWN[name][0]}")
    assert lines[help_line + 1].strip() == SHOWN[name][1]


def test_a_tag_shows_its_own_weights_and_defaults_only(capsys, site):
    site.add("models-described", OPTIONS, "described")
    text = models(capsys, "described.small").out
    assert "described.large" not in text
    assert "  network     64 x 64\n  trained on  four evenings\n  source      https://example.org\n" in text
    assert "a number from 0 to 2; default 0.5\n" in text


def test_json_has_the_options_with_the_default_of_each_tag(capsys, site):
    site.add("models-described", OPTIONS, "described")
    (described,) = json.loads(models(capsys, "described", "--json").out)
    warmth = described["options"][0]
    assert (warmth["name"], warmth["minimum"], warmth["maximum"]) == ("warmth", 0.0, 2.0)
    assert (warmth["default"], warmth["defaults"]) == (1.0, {"large": 1.0, "small": 0.5})


def test_the_defaults_of_a_built_in_colorizer_are_those_in_use(capsys):
    assert "default 0.38 (eccv16), 1 (starter)" in models(capsys, "zhang").out
    assert "a number from 0 to 2; default 1\n" in models(capsys, "zhang.starter").out


def test_a_colorizer_without_options_is_described_too(capsys):
    assert models(capsys, "siggraph17").out.endswith("\nIt has no options.\n")


@pytest.mark.parametrize(
    ("name", "message"), [("zang", "Did you mean zhang?"), ("zhang.startr", "starter"), ("zhang.", "COLORIZER.TAG")]
)
def test_a_name_that_does_not_exist_is_an_error(capsys, name, message):
    assert main(["models", name]) == 2
    assert message in capsys.readouterr().err
