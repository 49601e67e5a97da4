"""The conformance suite finds every broken promise, each with the test that is about it."""

import hashlib
import importlib
import inspect
import time
from uuid import uuid4

import pytest
import torch
from torch import nn

from colorcli import Colorizer, Option, Prediction, Recipe, Weights
from colorcli.errors import UsageError
from colorcli.testing import ColorizerSuite
from colorcli.weights import Header, write_state

# Promises about modules; this one imports torch and pytest.
OF_MODULES = {
    "test_its_module_imports_nothing_slow",
    "test_its_module_is_imported_within_a_second",
    "test_nothing_is_printed_to_standard_output",
}
HERE = "test_available_weights_fit_their_network_and_give_finite_chroma"


class Line(Colorizer):
    """Keeps every promise."""

    name = "line"
    summary = "Chroma is a straight line in lightness."
    size = 16
    options = (Option("strength", 1.0, "how strong it is", minimum=0.0, maximum=2.0),)

    def build(self, channels=1):
        return nn.Sequential(nn.Conv2d(1, channels, 1), nn.Conv2d(channels, 2, 1))

    def predict(self, network, lightness, **options):
        return network(lightness / 100) * options["strength"]

    def sample(self, network, lightness, seed, **options):
        return network(lightness / 100) + seed

    def explain(self, network, lightness, **options):
        return network(lightness / 100)[:, :1].abs()

    def likely_colors(self, network, lightness, place, **options):
        return torch.tensor([[20.0, -30.0, 0.25], [0.0, 0.0, 0.75]])

    def recipe(self):
        return LineRecipe()


class LineRecipe(Recipe):
    """Plain least squares."""

    saved = None

    def start(self, network, fabric, steps):
        self.network, self.optimizer = fabric.setup(network, torch.optim.Adam(network.parameters(), 0.01))
        if self.saved:
            self.optimizer.load_state_dict(self.saved["optimizer"])
        return self.network

    def step(self, batch):
        loss = self.validate(self.network, batch)["loss"]
        self.optimizer.zero_grad()
        loss.backward()
        self.optimizer.step()
        return {"loss": loss.detach()}

    def validate(self, network, batch):
        return {"loss": (network(batch.lightness / 100) - batch.ab).square().mean()}

    def state(self):
        return {"optimizer": self.optimizer.state_dict()}

    def load(self, state):
        self.saved = state


def line(**changes):
    """A colorizer that differs from one that keeps every promise."""
    return type("Line", (Line,), {"__module__": __name__, **changes})()


def recipe(**changes):
    """A colorizer whose recipe differs from one that keeps every promise."""
    changed = type("LineRecipe", (LineRecipe,), changes)
    return line(recipe=lambda self: changed())


def predict(change):
    return line(predict=lambda self, network, lightness, **options: change(network(lightness / 100)))


def sample(change):
    return line(sample=lambda self, network, lightness, seed, **options: change(network(lightness / 100), seed))


def explain(change):
    return line(explain=lambda self, network, lightness, **options: change(network(lightness / 100)))


def write_into(self, network, lightness, **options):
    return network(lightness.div_(100))


def forget(self, state):
    """Discard the state."""


def attached(self, batch):
    return self.validate(self.network, batch)


def lazy(self, batch):
    return {"loss": torch.tensor(1.0)}


def noted(*notes):
    """A colorizer with these notes on three pictures."""

    def predict(self, network, lightness, **options):
        return Prediction(network(lightness / 100), notes[: len(lightness)])

    return line(predict=predict)


def own_size_only(self, network, lightness, **options):
    if lightness.shape[-1] % 8:
        raise ValueError("8 was expected")
    return network(lightness / 100)


def in_one_precision(self, network, lightness, **options):
    return network[1](network[0](lightness / 100).float().double()).float()


class Forgetful(nn.Module):
    """Its state dict does not contain what it learned."""

    def __init__(self):
        super().__init__()
        self.color = torch.rand(1, 2, 1, 1)

    def forward(self, lightness):
        return self.color * lightness


class Absent(nn.Module):
    """Stores its input on itself, as hooks do, and may find the input of another thread there."""

    def forward(self, lightness):
        self.shelf = lightness
        time.sleep(0.01)
        return torch.cat([self.shelf, self.shelf], dim=1)


def weights(**changes):
    good = {"file": "a", "sha256": "0" * 64, "size": 1, "license": "MIT", "source": "here", "trained_on": "this"}
    return {"best": Weights(**{**good, "repo": "someone/something", **changes})}


def promises_of(colorizer):
    suite = ColorizerSuite()
    suite.colorizer = colorizer
    return {name: test for name, test in inspect.getmembers(suite, inspect.ismethod) if name.startswith("test_")}


@pytest.mark.parametrize("name", [name for name in promises_of(Line()) if name not in OF_MODULES])
def test_a_colorizer_that_keeps_every_promise_passes(name):
    promises_of(Line())[name]()


BROKEN = {
    "a dot in the name": (
        line(name="li.ne"),
        "test_every_field_is_valid",
        "name must be lowercase letters, digits, - and _",
    ),
    "no summary": (line(summary=" "), "test_every_field_is_valid", "summary must be a line of text"),
    "two lines of summary": (line(summary="a\nb"), "test_every_field_is_valid", "summary must be a single line"),
    "a long summary": (line(summary="a" * 101), "test_the_summary_fits_on_a_line", "at most 100 characters, got 101"),
    "torch at the top": (Line(), "test_its_module_imports_nothing_slow", "do it inside build and predict"),
    "a made-up license": (
        line(weights=weights(license="MIT (I think)")),
        "test_every_license_is_an_spdx_identifier",
        "not an SPDX identifier",
    ),
    "no hash": (line(weights=weights(sha256="")), "test_every_field_is_valid", "sha256"),
    "another count of parameters": (
        line(weights=weights(parameters=7)),
        "test_every_tag_builds_the_network_that_it_describes",
        "says that best has 7 parameters; build has 6",
    ),
    "an option without help": (
        line(options=(Option("strength", 1.0, "", minimum=0, maximum=1),)),
        "test_every_option_is_documented_and_bounded",
        "its help must not be empty",
    ),
    "an option without bounds": (
        line(options=(Option("strength", 1.0, "help", minimum=0),)),
        "test_every_option_is_documented_and_bounded",
        "no maximum",
    ),
    "a default that is not allowed": (
        line(options=(Option("strength", 3.0, "help", minimum=0, maximum=1),)),
        "test_every_option_is_documented_and_bounded",
        "the option strength: its default must be a number from 0 to 1, got 3.0",
    ),
    "three channels": (
        predict(lambda ab: ab[:, [0, 1, 1]]),
        "test_chroma_has_two_finite_channels_for_every_picture",
        r"predict must return \(1, 2, h, w\), got \(1, 3, ",
    ),
    "no return": (
        predict(lambda ab: None),
        "test_chroma_has_two_finite_channels_for_every_picture",
        r"predict must return a tensor \(B, 2, h, w\), got NoneType",
    ),
    "an array": (
        predict(lambda ab: ab.detach().numpy()),
        "test_predict_does_not_modify_the_lightness",
        r"predict must return a tensor \(B, 2, h, w\), got ndarray",
    ),
    "a coloring without return": (
        sample(lambda ab, seed: None),
        "test_a_seed_always_gives_the_same_coloring_and_another_seed_another",
        r"sample must return a tensor \(B, 2, h, w\), got NoneType",
    ),
    "an entropy without return": (
        explain(lambda ab: None),
        "test_the_entropy_of_a_picture_is_in_bits_and_depends_on_that_picture_only",
        r"explain must return a tensor \(B, 1, h, w\), got NoneType",
    ),
    "not a number": (
        predict(lambda ab: ab * float("nan")),
        "test_chroma_has_two_finite_channels_for_every_picture",
        "NaN",
    ),
    "another scale": (
        predict(lambda ab: ab * 1e4),
        "test_chroma_has_two_finite_channels_for_every_picture",
        r"chroma must be about -128\.\.127, got",
    ),
    "writing into its input": (
        line(predict=write_into),
        "test_predict_does_not_modify_the_lightness",
        "modified the lightness",
    ),
    "looking at the batch": (
        predict(lambda ab: ab - ab.mean()),
        "test_a_picture_gets_the_same_chroma_alone_as_in_a_batch",
        "with the others in the batch",
    ),
    "chance": (
        predict(lambda ab: ab + torch.rand(1)),
        "test_the_same_picture_gets_the_same_chroma_again",
        "when it is predicted again",
    ),
    "a bound that is not finite": (
        line(predict=lambda self, network, lightness, *, strength: network(lightness / 100) / strength),
        "test_every_option_gives_finite_chroma_at_its_bounds",
        r"NaN .* with -p strength=0\.0",
    ),
    "a size that fits no network": (
        line(size=None, predict=own_size_only),
        "test_pictures_of_any_size_are_colored",
        "a picture of 1 x 1 fails: ValueError: 8 was expected",
    ),
    "a note too few": (noted({}, {}), "test_every_picture_has_its_own_notes", "a note for each of 3 pictures, got 2"),
    "a note of another kind": (
        noted({}, {}, {"a": []}),
        "test_every_picture_has_its_own_notes",
        "a note must map text to text or numbers",
    ),
    "a coloring of chance": (
        sample(lambda ab, seed: ab + torch.rand(1)),
        "test_a_seed_always_gives_the_same_coloring_and_another_seed_another",
        "when it is drawn again",
    ),
    "a coloring of the batch": (
        sample(lambda ab, seed: ab * seed - ab.mean()),
        "test_a_seed_always_gives_the_same_coloring_and_another_seed_another",
        "when it is drawn again",
    ),
    "one coloring for every seed": (
        sample(lambda ab, seed: ab),
        "test_a_seed_always_gives_the_same_coloring_and_another_seed_another",
        "two seeds gave the same coloring",
    ),
    "an entropy of two channels": (
        explain(lambda ab: ab.abs()),
        "test_the_entropy_of_a_picture_is_in_bits_and_depends_on_that_picture_only",
        r"explain must return \(B, 1, h, w\), got",
    ),
    "an entropy below zero": (
        explain(lambda ab: -ab[:, :1].abs() - 1),
        "test_the_entropy_of_a_picture_is_in_bits_and_depends_on_that_picture_only",
        "an entropy must be 0 or more",
    ),
    "probabilities above one": (
        line(likely_colors=lambda self, network, lightness, place, **options: torch.ones(4, 3)),
        "test_likely_colors_have_probabilities",
        r"at \(0\.0, 0\.0\): line returned probabilities of likely colors that are not from 0 to 1",
    ),
    "likely colors of two columns": (
        line(likely_colors=lambda self, network, lightness, place, **options: torch.ones(4, 2)),
        "test_likely_colors_have_probabilities",
        r"of shape \(4, 2\); expected a tensor of shape \(n, 3\)",
    ),
    "a place beyond the edge": (
        line(
            likely_colors=lambda self, network, lightness, place, **options: (
                0 * lightness[0, 0, int(16 * place[1]), :1, None] + torch.tensor([[0.0, 0.0, 1.0]])
            )
        ),
        "test_likely_colors_have_probabilities",
        r"at \(1\.0, 1\.0\): IndexError",
    ),
    "hints for the picture beside": (
        line(
            predict_with_hints=lambda self, network, lightness, hints, **options: (
                self.predict(network, lightness, **options) + hints[:, :2].mean(dim=(0, 2, 3))[None, :, None, None]
            )
        ),
        "test_hints_are_for_the_picture_that_they_are_given_for",
        "with the hints of another",
    ),
    "an entropy of the batch": (
        explain(lambda ab: ab[:, :1].abs() + ab.abs().mean()),
        "test_the_entropy_of_a_picture_is_in_bits_and_depends_on_that_picture_only",
        "with the others in the batch",
    ),
    "a shelf that threads share": (
        line(build=lambda self: Absent()),
        "test_threads_do_not_mix_their_pictures",
        "while other threads predict",
    ),
    "state that is not in the state dict": (
        line(build=lambda self: Forgetful()),
        "test_weights_survive_being_saved_and_loaded",
        "when the weights are saved and loaded",
    ),
    "one precision only": (
        line(predict=in_one_precision),
        "test_predict_works_on_every_available_device_in_every_precision",
        "on cpu in fp32: RuntimeError",
    ),
    "a loss with its graph": (
        recipe(step=attached),
        "test_training_steps_give_finite_losses_and_change_the_network",
        "must be detached",
    ),
    "a step that does nothing": (
        recipe(step=lazy),
        "test_training_steps_give_finite_losses_and_change_the_network",
        "changed no parameter",
    ),
    "a forgotten optimizer": (
        recipe(load=forget),
        "test_resumed_training_equals_uninterrupted_training",
        "differs after training was resumed",
    ),
}


@pytest.mark.parametrize(("colorizer", "name", "reason"), BROKEN.values(), ids=BROKEN)
def test_a_broken_promise_is_found_and_named(colorizer, name, reason):
    with pytest.raises(AssertionError, match=reason):
        promises_of(colorizer)[name]()


def test_every_promise_can_be_broken():
    broken = {name for _, name, _ in BROKEN.values()}
    assert set(promises_of(Line())) - broken == {HERE, *OF_MODULES - {"test_its_module_imports_nothing_slow"}}


def test_bundled_weights_that_are_missing_are_found(tmp_path):
    missing = line(weights=weights(repo="", file=str(tmp_path / "none.safetensors")))
    with pytest.raises(AssertionError, match="the bundled weights best were not found"):
        promises_of(missing)[HERE]()


def test_bundled_weights_that_are_not_finite_are_found(tmp_path):
    file = tmp_path / "nan.safetensors"
    network = Line().build()
    network[0].bias.data.fill_(float("nan"))
    write_state(file, network.state_dict(), Header("line", "best"))
    digest = hashlib.sha256(file.read_bytes()).hexdigest()
    wrong = line(weights=weights(repo="", file=str(file), size=file.stat().st_size, sha256=digest))
    with pytest.raises(AssertionError, match="the weights best: line returned chroma that is not finite"):
        promises_of(wrong)[HERE]()


def test_a_value_that_is_refused_in_words_breaks_no_promise():
    def refuse(self, network, lightness, *, strength):
        if strength != 1:
            raise UsageError("This network has one strength.")
        return network(lightness / 100)

    promises_of(line(predict=refuse))["test_every_option_gives_finite_chroma_at_its_bounds"]()


def test_pictures_are_of_the_side_that_the_suite_names():
    class Quick(ColorizerSuite):
        colorizer = Line()
        side = 8

    assert {tuple(lightness.shape[-2:]) for lightness in Quick()._pictures()} == {(8, 8)}


# Modules


MODULE = """
from colorcli import Colorizer

class Plain(Colorizer):
    name = "plain"
    summary = "Stays gray."
    size = 8

    def build(self):
        from torch import nn
        return nn.Conv2d(1, 2, 1)

    def predict(self, network, lightness):
        return network(lightness / 100)
"""
MODULES = {
    "sleeps": (
        "import time\ntime.sleep(1.2)\n" + MODULE,
        "test_its_module_is_imported_within_a_second",
        "the limit is 1 s",
    ),
    "imports numpy": ("import numpy\n" + MODULE, "test_its_module_imports_nothing_slow", "imports numpy at its top"),
    "prints when imported": (
        "print('hello')\n" + MODULE,
        "test_nothing_is_printed_to_standard_output",
        "prints 'hello",
    ),
    "prints in predict": (
        MODULE.replace("return network(l", "print('hello'); return network(l"),
        "test_nothing_is_printed_to_standard_output",
        "build or predict prints 'hello",
    ),
    "writes in build": (
        MODULE.replace("return nn", "import sys; sys.stdout.write('hi'); return nn"),
        "test_nothing_is_printed_to_standard_output",
        "build or predict prints 'hi'",
    ),
    "fails in a fresh Python": (
        "import sys\nassert 'pytest' in sys.modules\n" + MODULE,
        "test_its_module_imports_nothing_slow",
        "fails in a fresh Python",
    ),
}


@pytest.fixture
def module(tmp_path, monkeypatch):
    """Import the source of a colorizer."""
    monkeypatch.syspath_prepend(tmp_path)

    def load(source):
        name = f"module_{uuid4().hex[:8]}"
        (tmp_path / f"{name}.py").write_text(source)
        return importlib.import_module(name).Plain()

    return load


@pytest.mark.parametrize(("source", "name", "reason"), MODULES.values(), ids=MODULES)
def test_a_broken_promise_of_a_module_is_found_and_named(module, source, name, reason):
    with pytest.raises(AssertionError, match=reason):
        promises_of(module(source))[name]()


@pytest.mark.parametrize("name", sorted(OF_MODULES))
def test_a_module_that_keeps_every_promise_passes(module, name):
    promises_of(module(MODULE))[name]()


@pytest.mark.parametrize(("side", "unit", "tried"), [(20, 8, 24), (24, 8, 24), (1, 32, 32), (16, 1, 16)])
def test_the_side_is_rounded_up_to_what_the_network_can_divide(side, unit, tried):
    suite = type("Suite", (ColorizerSuite,), {"colorizer": line(multiple_of=unit, size=None), "side": side})()
    assert {tuple(lightness.shape[-2:]) for lightness in suite._pictures()} == {(tried, tried)}


@pytest.mark.parametrize(
    ("option", "tried"),
    [
        (Option("on", True, "help"), (False, True)),
        (Option("mood", "calm", "help", choices=("calm", "bold")), ("calm", "bold")),
        (Option("prompt", "", "help", maximum=3), ("", "xxx")),
        (Option("steps", 2, "help", minimum=1, maximum=4), [1, 4]),
    ],
)
def test_options_are_tried_at_their_bounds(option, tried):
    seen = []

    def predict(self, network, lightness, **options):
        seen.append(options[option.name])
        return network(lightness / 100)

    promises_of(line(options=(option,), predict=predict))["test_every_option_gives_finite_chroma_at_its_bounds"]()
    assert seen == list(tried)
