"""Options check their values, and chroma is taken from edited pictures."""

import numpy as np
import pytest
import torch

from colorcli import Option, Prediction, color
from colorcli.errors import UsageError

WARMTH = Option("warmth", 1.0, "help", minimum=0.0, maximum=2.0)
STEPS = Option("steps", 8, "help", minimum=1, maximum=50)
HAZE = Option("haze", False, "help")
MOOD = Option("mood", "calm", "help", choices=("calm", "bold"))
PROMPT = Option("prompt", "", "help", maximum=10)


@pytest.mark.parametrize(
    ("option", "given", "value"),
    [
        (WARMTH, 1, 1.0),
        (WARMTH, np.float32(0.5), 0.5),
        (WARMTH, 2.0, 2.0),
        (STEPS, np.int64(3), 3),
        (HAZE, True, True),
        (MOOD, "bold", "bold"),
        (PROMPT, "a red hat,", "a red hat,"),
    ],
)
def test_a_value_is_returned_as_the_type_of_its_option(option, given, value):
    checked = option.check(given)
    assert (checked, type(checked)) == (value, type(value))


@pytest.mark.parametrize(
    ("option", "given", "expected"),
    [
        (WARMTH, 2.1, "-p warmth must be a number from 0 to 2, got 2.1."),
        (WARMTH, float("nan"), "-p warmth must be a number from 0 to 2, got nan."),
        (WARMTH, "1", "-p warmth must be a number from 0 to 2, got 1."),
        (WARMTH, True, "-p warmth must be a number from 0 to 2, got True."),
        (WARMTH, None, "-p warmth must be a number from 0 to 2, got None."),
        (STEPS, 2.5, "-p steps must be a whole number from 1 to 50, got 2.5."),
        (STEPS, True, "-p steps must be a whole number from 1 to 50, got True."),
        (HAZE, 1, "-p haze must be true or false, got 1."),
        (MOOD, "mild", "-p mood must be one of calm, bold, got mild."),
        (MOOD, 3, "-p mood must be one of calm, bold, got 3."),
        (PROMPT, "a red hat, a", "-p prompt must be text of at most 10 characters, got a red hat, a."),
        (PROMPT, "x" * 99, f"-p prompt must be text of at most 10 characters, got {'x' * 57}...."),
    ],
)
def test_any_other_value_is_refused(option, given, expected):
    with pytest.raises(UsageError) as caught:
        option.check(given)
    assert caught.value.message == expected


@pytest.mark.parametrize(
    ("option", "text", "value"),
    [(WARMTH, "1e-1", 0.1), (STEPS, "12", 12), (HAZE, "Yes", True), (HAZE, "0", False), (PROMPT, "a=b,c", "a=b,c")],
)
def test_text_is_parsed_as_the_type_of_its_option(option, text, value):
    assert option.parse(text) == value


@pytest.mark.parametrize(("option", "text"), [(WARMTH, "hot"), (STEPS, "1.5"), (HAZE, "maybe"), (WARMTH, "")])
def test_text_of_another_type_is_refused(option, text):
    with pytest.raises(UsageError, match=f"^-p {option.name} must be "):
        option.parse(text)


# Editors


def edited(lightness, ab, shift):
    """A picture of those colors whose lightness an editor has changed."""
    return color.lab_to_rgb(lightness + shift, ab)


@pytest.mark.parametrize("shift", [0.0, 8.0, -15.0])
def test_an_edited_picture_gives_its_chroma_and_says_by_how_much_its_lightness_drifted(shift):
    lightness = torch.full((2, 1, 16, 16), 50.0)
    ab = torch.tensor([10.0, 20.0]).reshape(1, 2, 1, 1).expand(2, 2, 16, 16)
    predicted = Prediction.from_rgb(edited(lightness, ab, shift), lightness)
    assert torch.allclose(predicted.ab, ab, atol=0.1)
    assert predicted.notes == [{"lightness drift": pytest.approx(abs(shift), abs=0.05)}] * 2


def test_each_picture_has_a_drift_of_its_own():
    lightness = torch.full((2, 1, 8, 8), 50.0)
    rgb = edited(lightness, torch.zeros(2, 2, 8, 8), torch.tensor([0.0, 20.0]).reshape(2, 1, 1, 1))
    assert [note["lightness drift"] for note in Prediction.from_rgb(rgb, lightness).notes] == [
        pytest.approx(0, abs=0.05),
        pytest.approx(20, abs=0.05),
    ]


@pytest.mark.parametrize("size", [(8, 8), (24, 40)])
def test_an_editor_may_return_another_size(size):
    lightness = torch.full((1, 1, 16, 32), 40.0)
    rgb = edited(torch.full((1, 1, *size), 40.0), torch.zeros(1, 2, *size), 0)
    predicted = Prediction.from_rgb(rgb, lightness)
    assert predicted.ab.shape == (1, 2, *size)
    assert predicted.notes == [{"lightness drift": pytest.approx(0, abs=0.05)}]


def test_what_leaves_the_range_of_rgb_is_clamped():
    rgb = torch.tensor([1.5, -0.5, float(0)]).reshape(1, 3, 1, 1).expand(1, 3, 4, 4)
    red = torch.tensor([1.0, 0.0, 0.0]).reshape(1, 3, 1, 1).expand(1, 3, 4, 4)
    lightness = torch.full((1, 1, 4, 4), 53.0)
    assert Prediction.from_rgb(rgb, lightness).ab.equal(Prediction.from_rgb(red, lightness).ab)
