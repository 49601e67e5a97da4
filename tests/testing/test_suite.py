"""The conformance suite finds every broken promise, each with the test that is about it."""

import hashlib
import inspect
import time

import pytest
import torch
from torch import nn

from colorcli import Colorizer, Option, Prediction, Recipe, Weights
from colorcli.errors import UsageError
from colorcli.testing import ColorizerSuite
from colorcli.weights import Header, write_state

HERE = "test_weights_that_are_here_fit_their_network_and_give_finite_chroma"


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
    """Take nothing back."""


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
    """What it learned is in no state dict."""

    def __init__(self):
        super().__init__()
        self.color = torch.rand(1, 2, 1, 1)

    def forward(self, lightness):
        return self.color * lightness


class Absent(nn.Module):
    """Puts what it is given on a shelf for itself, as hooks do, and finds there what another thread has put."""

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


@pytest.mark.parametrize("name", [name for name in promises_of(Line()) if "imports_nothing_slow" not in name])
def test_a_colorizer_that_keeps_every_promise_passes(name):
    promises_of(Line())[name]()


BROKEN = {
    "a dot in the name": (line(name="li.ne"), "test_the_name_can_be_typed", "no dot"),
    "no summary": (line(summary=" "), "test_the_summary_is_one_line", "empty"),
    "two lines of summary": (line(summary="a\nb"), "test_the_summary_is_one_line", "more than one line"),
    "torch at the top": (Line(), "test_its_module_imports_nothing_slow", "do it inside build and predict"),
    "a made-up license": (line(weights=weights(license="MIT (I think)")), "test_every_tag_says_what_it_is", "SPDX"),
    "no hash": (line(weights=weights(sha256="")), "test_every_tag_says_what_it_is", "sha256"),
    "another count of parameters": (
        line(weights=weights(parameters=7)),
        "test_every_tag_builds_the_network_that_it_describes",
        "promises 7 parameters, build has 6",
    ),
    "an option without help": (
        line(options=(Option("strength", 1.0, "", minimum=0, maximum=1),)),
        "test_every_option_is_documented_and_bounded",
        "no help",
    ),
    "an option without bounds": (
        line(options=(Option("strength", 1.0, "help", minimum=0),)),
        "test_every_option_is_documented_and_bounded",
        "no maximum",
    ),
    "a default that is not allowed": (
        line(options=(Option("strength", 3.0, "help", minimum=0, maximum=1),)),
        "test_every_option_is_documented_and_bounded",
        "the default of the option strength is not allowed",
    ),
    "three channels": (
        predict(lambda ab: ab[:, [0, 1, 1]]),
        "test_chroma_has_two_finite_channels_for_every_picture",
        r"not \(B, 2, h, w\)",
    ),
    "no return": (
        predict(lambda ab: None),
        "test_chroma_has_two_finite_channels_for_every_picture",
        r"predict gave NoneType, where a tensor \(B, 2, h, w\) was promised",
    ),
    "an array": (
        predict(lambda ab: ab.detach().numpy()),
        "test_predict_leaves_the_lightness_alone",
        r"predict gave ndarray, where a tensor \(B, 2, h, w\) was promised",
    ),
    "a coloring without return": (
        sample(lambda ab, seed: None),
        "test_a_seed_brings_another_coloring_and_brings_it_back",
        r"sample gave NoneType, where a tensor \(B, 2, h, w\) was promised",
    ),
    "an entropy without return": (
        explain(lambda ab: None),
        "test_an_entropy_is_in_bits_and_of_each_picture_alone",
        r"explain gave NoneType, where a tensor \(B, 1, h, w\) was promised",
    ),
    "not a number": (
        predict(lambda ab: ab * float("nan")),
        "test_chroma_has_two_finite_channels_for_every_picture",
        "NaN",
    ),
    "another scale": (
        predict(lambda ab: ab * 1e4),
        "test_chroma_has_two_finite_channels_for_every_picture",
        "-128..127 is the scale",
    ),
    "writing into its input": (line(predict=write_into), "test_predict_leaves_the_lightness_alone", "wrote into"),
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
    "a note too few": (noted({}, {}), "test_every_picture_has_its_notes", "2 notes for 3 pictures"),
    "a note of another kind": (
        noted({}, {}, {"a": []}),
        "test_every_picture_has_its_notes",
        "text to text or numbers",
    ),
    "a coloring of chance": (
        sample(lambda ab, seed: ab + torch.rand(1)),
        "test_a_seed_brings_another_coloring_and_brings_it_back",
        "when it is drawn again",
    ),
    "a coloring of the batch": (
        sample(lambda ab, seed: ab * seed - ab.mean()),
        "test_a_seed_brings_another_coloring_and_brings_it_back",
        "when it is drawn again",
    ),
    "one coloring for every seed": (
        sample(lambda ab, seed: ab),
        "test_a_seed_brings_another_coloring_and_brings_it_back",
        "two seeds gave the same coloring",
    ),
    "an entropy of two channels": (
        explain(lambda ab: ab.abs()),
        "test_an_entropy_is_in_bits_and_of_each_picture_alone",
        r"not \(B, 1, h, w\)",
    ),
    "an entropy below zero": (
        explain(lambda ab: -ab[:, :1].abs() - 1),
        "test_an_entropy_is_in_bits_and_of_each_picture_alone",
        "never negative",
    ),
    "an entropy of the batch": (
        explain(lambda ab: ab[:, :1].abs() + ab.abs().mean()),
        "test_an_entropy_is_in_bits_and_of_each_picture_alone",
        "with the others in the batch",
    ),
    "a shelf that threads share": (
        line(build=lambda self: Absent()),
        "test_pictures_in_several_threads_do_not_mix",
        "while other threads predict",
    ),
    "state that is not in the state dict": (
        line(build=lambda self: Forgetful()),
        "test_weights_survive_a_file",
        "when the weights have been through a file",
    ),
    "one precision only": (
        line(predict=in_one_precision),
        "test_predict_works_on_every_device_that_is_here_in_every_precision",
        "on cpu in fp32: RuntimeError",
    ),
    "a loss with its graph": (
        recipe(step=attached),
        "test_training_steps_give_finite_losses_and_change_the_network",
        "not detached",
    ),
    "a step that does nothing": (
        recipe(step=lazy),
        "test_training_steps_give_finite_losses_and_change_the_network",
        "changed no parameter",
    ),
    "a forgotten optimizer": (
        recipe(load=forget),
        "test_resumed_training_goes_on_as_if_it_had_not_stopped",
        "is another after training was resumed",
    ),
}


@pytest.mark.parametrize(("colorizer", "name", "reason"), BROKEN.values(), ids=BROKEN)
def test_a_broken_promise_is_found_and_named(colorizer, name, reason):
    with pytest.raises(AssertionError, match=reason):
        promises_of(colorizer)[name]()


def test_every_promise_can_be_broken():
    broken = {name for _, name, _ in BROKEN.values()}
    assert set(promises_of(Line())) - broken == {HERE}


def test_bundled_weights_that_are_missing_are_found(tmp_path):
    missing = line(weights=weights(repo="", file=str(tmp_path / "none.safetensors")))
    with pytest.raises(AssertionError, match="the bundled weights best are missing"):
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
