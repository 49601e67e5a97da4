from types import SimpleNamespace

import pytest

from colorcli import Colorizer, Option
from colorcli.serve.models import ModelCache, describe_models
from tests.serve.test_album import Clock


class Plain(Colorizer):
    name = "plain"
    summary = "Stays gray."
    options = (
        Option("steps", 8, "how many", minimum=1, maximum=50),
        Option("haze", False, "whether it is hazy"),
        Option("mood", "calm", "how it feels", choices=("calm", "bold")),
        Option("prompt", "", "what it shows", maximum=200),
    )

    def build(self):
        raise NotImplementedError

    def predict(self, network, lightness, **options):
        raise NotImplementedError


class Loader:
    """Loads models that are only names, and remembers how often."""

    def __init__(self):
        self.loaded = []

    def __call__(self, name):
        self.loaded.append(name)
        return SimpleNamespace(name=name)


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def load():
    return Loader()


@pytest.fixture
def models(load, clock):
    return ModelCache(SimpleNamespace(name="zhang.starter"), load, clock)


def test_the_default_model_is_never_loaded_again(models, load):
    assert models.get("") is models.get("zhang.starter") is models.default
    assert load.loaded == []


def test_another_model_is_loaded_once_and_unloaded_five_minutes_after_its_last_use(models, load, clock):
    model = models.get("iizuka")
    clock.now = 200
    assert models.get("iizuka") is model
    clock.now = 499
    models.release_idle()
    assert [*models._loaded] == ["iizuka"]
    clock.now = 501
    models.release_idle()
    assert [*models._loaded] == []
    assert load.loaded == ["iizuka"]


def test_a_third_model_takes_the_place_of_the_one_that_was_used_longest_ago(models, clock):
    for clock.now, name in enumerate(["a", "b", "a", "c"]):
        models.get(name)
    assert [*models._loaded] == ["a", "c"]


def test_a_model_that_cannot_be_loaded_leaves_no_trace(clock):
    def fail(name):
        raise RuntimeError(name)

    models = ModelCache(SimpleNamespace(name="zhang"), fail, clock)
    with pytest.raises(RuntimeError):
        models.get("iizuka")
    assert [*models._loaded] == []


def test_every_kind_of_option_is_described():
    default = SimpleNamespace(colorizer=Plain(), tag="", options=lambda given: {"steps": 20})
    (described,) = describe_models([Plain()], default)
    assert [option["kind"] for option in described["options"]] == ["integer", "switch", "choice", "text"]
    assert [option["default"] for option in described["options"]] == [20, False, "calm", ""]
    assert described["options"][2]["choices"] == ["calm", "bold"]
    assert described["here"]
    assert not described["samples"]
