"""Every field that a plugin registers is checked, and each wrong one is named with what was found."""

from pathlib import Path

import pytest

from colorcli import Colorizer, Metric, Option, Weights
from colorcli.plugin.registry import Registry
from colorcli.plugin.validation import problems_of_colorizer, problems_of_metric


class Plain(Colorizer):
    name = "plain"
    summary = "Stays gray."

    def build(self):
        raise NotImplementedError

    def predict(self, network, lightness, **options):
        raise NotImplementedError


class Redness(Metric):
    name = "redness"
    heading = "redness"

    def measure(self, predicted, true):
        return predicted.rgb[0].mean()


def plain(**changes):
    return type("Plain", (Plain,), changes)()


def weights(**changes):
    good = {"file": "a", "sha256": "0" * 64, "size": 1, "license": "MIT", "source": "here", "trained_on": "this"}
    return Weights(**{**good, "repo": "someone/something", **changes})


def number(default=1.0, text="help", minimum=0.0, maximum=2.0, name="warmth", **more):
    return plain(options=(Option(name, default, text, minimum, maximum, **more),))


def text(default="", **more):
    return plain(options=(Option("prompt", default, "help", **more),))


VALID = {
    "nothing but what is required": plain(),
    "an own size with a bound": plain(size=None, multiple_of=32, longest_side=1024),
    "a folder of recipes": plain(recipe_folder=Path("recipes")),
    "weights": plain(weights={"large": weights(), "small-2": weights(input_size=64)}),
    "bundled weights": plain(weights={"best": weights(repo="", file="/somewhere/best.safetensors")}),
    "numbers": number(),
    "a whole number": number(8, minimum=1, maximum=50),
    "whole bounds of a number": number(0.5, minimum=0, maximum=1),
    "a choice": text("calm", choices=("calm", "bold")),
    "free text": text(maximum=200),
    "a truth": plain(options=(Option("haze", False, "help"),)),
    "options of weights": plain(
        options=(Option("warmth", 1.0, "help", 0.0, 2.0),), weights={"best": weights(options={"warmth": 2})}
    ),
    "named arguments": plain(
        options=(Option("warmth", 1.0, "help", 0.0, 2.0),),
        predict=lambda self, network, lightness, *, warmth: None,
        sample=lambda self, network, lightness, seed, *, warmth: None,
        likely_colors=lambda self, network, lightness, place, *, warmth: None,
    ),
}


@pytest.mark.parametrize("colorizer", VALID.values(), ids=VALID)
def test_a_valid_colorizer_has_no_problems(colorizer):
    assert problems_of_colorizer(colorizer) == []


@pytest.mark.parametrize("name", ["iizuka", "koalarization", "pix2pix", "siggraph17", "zhang"])
def test_the_built_in_colorizers_are_valid(name):
    assert problems_of_colorizer(Registry().get(name)) == []


class Nameless(Colorizer):
    def build(self):
        raise NotImplementedError

    def predict(self, network, lightness):
        raise NotImplementedError


INVALID = {
    "no name": (Nameless(), "name must be lowercase letters, digits, - and _, got nothing"),
    "no summary": (Nameless(), "summary must be a line of text, got nothing"),
    "a name with a dot": (plain(name="a.b"), "name must be lowercase letters, digits, - and _, got 'a.b'"),
    "a name with a capital": (plain(name="Plain"), "got 'Plain'"),
    "an empty name": (plain(name=""), "got ''"),
    "a number for a name": (plain(name=3), "got 3"),
    "an empty summary": (plain(summary=" "), "summary must be a line of text, got ' '"),
    "bytes for a summary": (plain(summary=b"x"), "summary must be a line of text, got b'x'"),
    "a summary that fills a screen": (plain(summary="x" * 9999), "summary must be at most 500 characters, got 9,999"),
    "two lines of summary": (plain(summary="a\nb"), "summary must be a single line"),
    "text for a size": (plain(size="32"), "size must be a whole number of pixels or None, got '32'"),
    "a pair for a size": (plain(size=(32, 32)), "got (32, 32)"),
    "no pixels": (plain(size=0), "size must be a whole number of pixels or None, got 0"),
    "a truth for a size": (plain(size=True), "got True"),
    "half a pixel": (plain(multiple_of=0.5), "multiple_of must be a whole number of pixels, got 0.5"),
    "a multiple of nothing": (plain(multiple_of=0), "multiple_of must be a whole number of pixels, got 0"),
    "a bound for a square": (
        plain(longest_side=512),
        "longest_side is for colorizers whose size is None, got size 256",
    ),
    "a bound below the step": (
        plain(size=None, multiple_of=32, longest_side=16),
        "longest_side must be a whole number of pixels from 32, got 16",
    ),
    "text for a folder": (
        plain(recipe_folder="recipes"),
        "recipe_folder must be a pathlib.Path or None, got 'recipes'",
    ),
    "a list of weights": (plain(weights=["x"]), "weights must be a mapping of tags to colorcli.Weights, got ['x']"),
    "no weights at all": (plain(weights=None), "weights must be a mapping of tags to colorcli.Weights, got None"),
    "a file for weights": (plain(weights={"best": "x.pt"}), "the weights best must be a colorcli.Weights, got 'x.pt'"),
    "a tag with a dot": (plain(weights={"v1.2": weights()}), "a tag must be letters, digits, - and _"),
    "a reserved tag": (plain(weights={"random": weights()}), "and not random, got 'random'"),
    "a short hash": (plain(weights={"best": weights(sha256="XYZ")}), "the weights best: sha256 must be 64 lowercase"),
    "a negative size of a file": (plain(weights={"best": weights(size=-1)}), "the weights best: size must be"),
    "no license": (plain(weights={"best": weights(license="")}), "the weights best: license must be"),
    "a path as repository": (plain(weights={"best": weights(repo="../../x")}), "the weights best: repo must be"),
    "text for a number of bytes": (plain(weights={"best": weights(size="1")}), "the weights best: size must be"),
    "an option of weights that is not declared": (
        plain(weights={"best": weights(options={"warmth": 1.0})}),
        "the weights best set the option warmth, which is not declared",
    ),
    "an option of weights out of bounds": (
        plain(options=(Option("warmth", 1.0, "help", 0.0, 2.0),), weights={"best": weights(options={"warmth": 3})}),
        "the weights best: the option warmth must be a number from 0 to 2, got 3",
    ),
    "a dict of options": (plain(options={"a": 1}), "options must be a tuple of colorcli.Option, got {'a': 1}"),
    "text for options": (plain(options="warmth"), "options must be a tuple of colorcli.Option, got 'warmth'"),
    "a tuple for an option": (plain(options=(("warmth", 1.0),)), "got one that contains ('warmth', 1.0)"),
    "an option twice": (
        plain(options=(Option("on", True, "help"), Option("on", False, "help"))),
        "the option on is declared twice",
    ),
    "no help": (number(text=" "), "the option warmth: its help must not be empty"),
    "a name of two words": (number(name="two words"), "can have, got 'two words'"),
    "a name that is taken": (number(name="lightness"), "can have, got 'lightness'"),
    "no default": (number(None), "the option warmth: its default must be a number, text, True or False, got None"),
    "a list as default": (number([1]), "its default must be a number, text, True or False, got [1]"),
    "no minimum": (number(minimum=None), "the option warmth: it has no minimum"),
    "no maximum": (number(maximum=None), "the option warmth: it has no maximum"),
    "a bound that is infinite": (number(maximum=float("inf")), "its maximum must be a finite number, got inf"),
    "a bound of text": (number(maximum="2"), "its maximum must be a finite number, got '2'"),
    "bounds the wrong way round": (number(minimum=2.0, maximum=0.0), "its minimum 2 is above its maximum 0"),
    "a default out of bounds": (number(5.0), "its default must be a number from 0 to 2, got 5.0"),
    "a default that is not a number": (number(float("nan")), "its default must be a number from 0 to 2, got nan"),
    "text without an end": (text(), "text needs `choices`, or `maximum` for its length in characters"),
    "a default that is too long": (text("x" * 9, maximum=8), "its default must be text of at most 8 characters"),
    "a default that is no choice": (text("mild", choices=("calm", "bold")), "its default must be one of calm, bold"),
    "choices that are numbers": (text("1", choices=(1, 2)), "its choices must be a tuple of texts, got (1, 2)"),
    "choices in one text": (text("a", choices="abc"), "its choices must be a tuple of texts, got 'abc'"),
    "a number with choices": (number(choices=(1.0, 2.0)), "a number has a minimum and a maximum instead of choices"),
    "an option that predict does not take": (
        plain(options=(Option("on", True, "help"),), predict=lambda self, network, lightness: None),
        "predict must take the arguments network, lightness, on",
    ),
    "no lightness": (
        plain(predict=lambda self, network: None),
        "predict must take the arguments network, lightness: too many positional arguments",
    ),
    "likely colors without a place": (
        plain(likely_colors=lambda self, network, lightness: None),
        "likely_colors must take the arguments network, lightness, place",
    ),
    "a sample without a seed": (
        plain(sample=lambda self, network, lightness: None),
        "sample must take the arguments network, lightness, seed",
    ),
    "an explanation without options": (
        plain(options=(Option("on", True, "help"),), explain=lambda self, network, lightness: None),
        "explain must take the arguments network, lightness, on",
    ),
}


@pytest.mark.parametrize(("colorizer", "problem"), INVALID.values(), ids=INVALID)
def test_a_wrong_field_of_a_colorizer_is_named_with_what_was_found(colorizer, problem):
    assert problem in "; ".join(problems_of_colorizer(colorizer))


def test_all_wrong_fields_are_named_at_once():
    assert len(problems_of_colorizer(plain(name="A", size="1", weights=[], options=1))) == 4


def test_long_values_are_shortened():
    (problem,) = problems_of_colorizer(plain(size="x" * 1000))
    assert len(problem) < 130


@pytest.mark.parametrize(
    "changes", [{}, {"better": "lower", "decimals": 0}, {"definition": "Mean of R.", "alone": True}]
)
def test_a_valid_metric_has_no_problems(changes):
    assert problems_of_metric(type("Redness", (Redness,), changes)()) == []


class WithoutHeading(Metric):
    name = "redness"

    def measure(self, predicted, true):
        return 0.0


@pytest.mark.parametrize(
    ("metric", "problem"),
    [
        (WithoutHeading(), "heading must be text, got nothing"),
        (type("M", (Redness,), {"heading": ""})(), "heading must not be empty"),
        (type("M", (Redness,), {"heading": 3})(), "heading must be text, got 3"),
        (
            type("M", (Redness,), {"name": "Red ness"})(),
            "name must be lowercase letters, digits, - and _, got 'Red ness'",
        ),
        (type("M", (Redness,), {"decimals": "1"})(), "decimals must be a whole number from 0 to 10, got '1'"),
        (type("M", (Redness,), {"decimals": -1})(), "decimals must be a whole number from 0 to 10, got -1"),
        (type("M", (Redness,), {"better": "up"})(), 'better must be "higher", "lower" or "", got \'up\''),
        (type("M", (Redness,), {"definition": None})(), "definition must be text, got None"),
        (type("M", (Redness,), {"alone": 1})(), "alone must be True or False, got 1"),
        (type("M", (Redness,), {"additive": None})(), "additive must be True or False, got None"),
    ],
)
def test_a_wrong_field_of_a_metric_is_named_with_what_was_found(metric, problem):
    assert problem in problems_of_metric(metric)
