"""Whether the colorizer keeps the promises of every colorizer, and what is special about it."""

import pytest
import torch
from colorcli.errors import UsageError
from colorcli.testing import ColorizerSuite

from colorcli_editor import Toner

GRAY = torch.full((1, 1, 8, 8), 50.0)


class TestToner(ColorizerSuite):
    colorizer = Toner()


def predicted(prompt):
    with torch.inference_mode():
        return Toner().predict(Toner().build(), GRAY, prompt=prompt)


def test_the_prompt_chooses_the_tone():
    assert predicted("a sepia print").ab[:, 1].min() > 5
    assert predicted("a Cyanotype of a fern").ab[:, 1].max() < -10


def test_the_drift_of_the_lightness_is_noted():
    (note,) = predicted("sepia").notes
    assert 5 < note["lightness drift"] < 15


def test_a_prompt_that_it_cannot_follow_is_refused():
    with pytest.raises(UsageError, match="must name a tone, got 'a tintype'"):
        predicted("a tintype")
