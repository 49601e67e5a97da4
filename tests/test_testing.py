"""The conformance suite finds every broken promise, each with the test that is about it."""

import inspect

import pytest
import torch
from torch import nn

from colorcli import Colorizer, Option, Recipe, Weights
from colorcli.errors import WeightsNotFound
from colorcli.testing import ColorizerSuite


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


def write_into(self, network, lightness, **options):
    return network(lightness.div_(100))


def forget(self, state):
    """Take nothing back."""


def attached(self, batch):
    return self.validate(self.network, batch)


def lazy(self, batch):
    return {"loss": torch.tensor(1.0)}


def weights(**changes):
    good = {"file": "a", "sha256": "0" * 64, "size": 1, "license": "MIT", "source": "here", "trained_on": "this"}
    return {"best": Weights(**{**good, "repo": "someone/something", **changes})}


def promises_of(colorizer):
    suite = ColorizerSuite()
    suite.colorizer = colorizer
    return {name: test for name, test in inspect.getmembers(suite, inspect.ismethod) if name.startswith("test_")}


def call(test, tmp_path):
    return test(tmp_path) if "tmp_path" in inspect.signature(test).parameters else test()


@pytest.mark.parametrize("name", [name for name in promises_of(Line()) if "imports_without_torch" not in name])
def test_a_colorizer_that_keeps_every_promise_passes(name, tmp_path):
    call(promises_of(Line())[name], tmp_path)


BROKEN = {
    "a dot in the name": (line(name="li.ne"), "test_the_name_can_be_typed", "no dot"),
    "no summary": (line(summary=" "), "test_the_summary_is_one_line", "empty"),
    "two lines of summary": (line(summary="a\nb"), "test_the_summary_is_one_line", "more than one line"),
    "torch at the top": (Line(), "test_its_module_imports_without_torch", "do it inside build and predict"),
    "a made-up licence": (line(weights=weights(license="MIT (I think)")), "test_every_tag_says_what_it_is", "SPDX"),
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
        predict(lambda ab: ab - ab.mean(dim=0) + ab.amax()),
        "test_a_picture_gets_the_same_chroma_alone_as_in_a_batch",
        "with the others in the batch",
    ),
    "chance": (
        predict(lambda ab: ab + torch.rand(1)),
        "test_the_same_picture_gets_the_same_chroma_again",
        "when it is predicted again",
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
def test_a_broken_promise_is_found_and_named(colorizer, name, reason, tmp_path):
    with pytest.raises(AssertionError, match=reason):
        call(promises_of(colorizer)[name], tmp_path)


def test_bundled_weights_that_are_missing_are_found(tmp_path):
    missing = line(weights=weights(repo="", file=str(tmp_path / "none.safetensors")))
    with pytest.raises(WeightsNotFound, match="are missing"):
        promises_of(missing)["test_bundled_weights_are_here_and_fit_their_network"]()
