import pytest
import torch

from colorcli.color import rgb_to_lab
from colorcli.inference.pipeline import Pipeline
from colorcli.serve import suggestions
from colorcli.serve.album import OpenPicture
from tests.serve.pictures import encoded, gray


class Sure:
    """A model that names the colors of a place."""

    def __init__(self, colors):
        self.colors = torch.tensor(colors)

    def likely_colors(self, lightness, place, **options):
        return self.colors[self.colors[:, 2].argsort(descending=True)]


@pytest.fixture
def picture():
    return OpenPicture("a.png", encoded(gray()), 10**6)


@pytest.fixture
def pipeline_of(picture, monkeypatch):
    """A pipeline of a model that names colors, or of one that does not if there are none."""

    def made(colors=None):
        pipeline = object.__new__(Pipeline)
        pipeline.options = {}
        pipeline.model = Sure(colors or [[0.0, 0.0, 1.0]])
        pipeline.model.colorizer = None
        monkeypatch.setattr(suggestions, "declares", lambda _colorizer, _method: colors is not None)
        monkeypatch.setattr(picture, "lightness", lambda _pipeline: torch.full((1, 1, 8, 8), 60.0))
        return pipeline

    return made


def lab(color):
    rgb = torch.tensor([int(color[at : at + 2], 16) / 255 for at in (1, 3, 5)]).view(3, 1, 1)
    return rgb_to_lab(rgb).flatten().tolist()


def test_similar_colors_are_merged_and_unlikely_ones_left_out(picture, pipeline_of):
    colors = [[30.0, 20.0, 0.3], [34.0, 20.0, 0.1], [-30.0, 20.0, 0.35], [0.0, -40.0, 0.003], [0.0, 0.0, 0.2]]
    found = suggestions.suggest(picture, pipeline_of(colors), torch.zeros(1, 2, 8, 8), (0.5, 0.5))
    assert found["source"] == "model"
    assert [each["share"] for each in found["colors"]] == [0.4, 0.35, 0.2]
    assert lab(found["colors"][0]["color"]) == pytest.approx([60, 31, 20], abs=1)
    assert lab(found["colors"][1]["color"]) == pytest.approx([60, -30, 20], abs=1)


def test_colors_have_the_lightness_of_the_place_and_are_in_gamut(picture, pipeline_of):
    found = suggestions.suggest(picture, pipeline_of([[100.0, 100.0, 1.0]]), torch.zeros(1, 2, 8, 8), (1.0, 1.0))
    lightness, a, b = lab(found["colors"][0]["color"])
    assert lightness == pytest.approx(60, abs=1)
    assert 0 < a < 100
    assert a == pytest.approx(b, abs=2)


def test_without_a_distribution_the_color_of_the_place_comes_first_then_others_of_the_picture(picture, pipeline_of):
    chroma = torch.zeros(1, 2, 8, 8)
    chroma[:, 0, :, :6] = 40.0
    chroma[:, 1, 0, 7] = -45.0
    found = suggestions.suggest(picture, pipeline_of(), chroma, (0.99, 0.01))
    assert found["source"] == "picture"
    assert {each["share"] for each in found["colors"]} == {None}
    here, most, *_ = [lab(each["color"]) for each in found["colors"]]
    assert here == pytest.approx([60, 0, -45], abs=4)
    assert most == pytest.approx([60, 40, 0], abs=2)
