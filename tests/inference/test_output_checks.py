import numpy as np
import pytest
import torch

from colorcli import Prediction
from colorcli.errors import PluginError
from colorcli.inference.output_checks import checked_colors, checked_planes

LIGHTNESS = torch.zeros(2, 1, 4, 4)
CHROMA = torch.ones(2, 2, 4, 4)


@pytest.mark.parametrize("dtype", [torch.float64, torch.float16, torch.bfloat16, torch.int64])
def test_chroma_of_any_real_type_becomes_float32(dtype):
    answer = checked_planes("sunset", CHROMA.to(dtype), LIGHTNESS)
    assert answer.values.dtype == torch.float32
    assert answer.values.equal(CHROMA)
    assert list(answer.notes) == [{}, {}]


@pytest.mark.parametrize("shape", [(2, 2, 1, 1), (2, 2, 512, 3)])
def test_chroma_may_have_any_size(shape):
    assert checked_planes("sunset", torch.zeros(shape), LIGHTNESS).values.shape == shape


WRONG = {
    "three channels": (torch.zeros(2, 3, 4, 4), r"of shape \(2, 3, 4, 4\); expected a tensor of shape \(2, 2, h, w\)"),
    "one picture for two": (torch.zeros(1, 2, 4, 4), r"of shape \(1, 2, 4, 4\); expected"),
    "two dimensions": (torch.zeros(2, 2), r"of shape \(2, 2\); expected"),
    "no pixels": (torch.zeros(2, 2, 0, 4), r"of shape \(2, 2, 0, 4\); expected"),
    "an array": (np.zeros((2, 2, 4, 4)), r"returned ndarray as chroma; expected a tensor"),
    "nothing": (None, "returned NoneType as chroma"),
    "a tuple": ((CHROMA, {}), "returned tuple as chroma"),
    "the meta device": (torch.zeros(2, 2, 4, 4, device="meta"), "chroma without values, on the meta device"),
    "complex numbers": (torch.zeros(2, 2, 4, 4, dtype=torch.complex64), "of complex numbers"),
    "NaN": (CHROMA * float("nan"), "chroma that is not finite"),
    "infinity": (CHROMA / 0, "chroma that is not finite"),
    "a note too few": (Prediction(CHROMA, [{}]), "returned 1 notes for 2 pictures"),
    "a list in a note": (Prediction(CHROMA, [{}, {"a": [1]}]), r"returned the note 'a': \[1\]; expected text"),
    "a NumPy number in a note": (Prediction(CHROMA, [{}, {"a": np.float32(1)}]), "returned the note 'a'"),
    "a number for a key": (Prediction(CHROMA, [{}, {1: 1}]), "returned the note 1: 1"),
    "a note of text": (Prediction(CHROMA, ["people", "city"]), "returned str as a note; expected a mapping"),
    "one note for all": (Prediction(CHROMA, {"category": "people"}), "returned dict as notes; expected a list"),
    "text for notes": (Prediction(CHROMA, "ab"), "returned str as notes; expected a list"),
}


@pytest.mark.parametrize(("answer", "reason"), WRONG.values(), ids=WRONG)
def test_anything_else_is_an_error_that_names_the_model(answer, reason):
    with pytest.raises(PluginError, match=f"^sunset .*{reason}"):
        checked_planes("sunset", answer, LIGHTNESS)


def test_an_entropy_has_one_channel():
    assert checked_planes("sunset", CHROMA[:, :1], LIGHTNESS, channels=1).values.shape == (2, 1, 4, 4)
    with pytest.raises(
        PluginError, match=r"returned entropy of shape \(2, 2, 4, 4\); expected a tensor of shape \(2, 1, h, w\)"
    ):
        checked_planes("sunset", CHROMA, LIGHTNESS, channels=1)


def test_likely_colors_are_sorted_by_their_probability():
    colors = torch.tensor([[1.0, 2.0, 0.2], [3.0, 4.0, 0.7], [5.0, 6.0, 0.1]], dtype=torch.float64)
    assert checked_colors("sunset", colors)[:, 0].tolist() == [3, 1, 5]


WRONG_COLORS = {
    "a list": ([[0, 0, 1]], "list as likely colors"),
    "one color without its row": (torch.tensor([0, 0, 1.0]), r"of shape \(3,\)"),
    "none": (torch.zeros(0, 3), r"of shape \(0, 3\)"),
    "a negative probability": (torch.tensor([[0, 0, -0.1]]), "not from 0 to 1"),
    "not a number": (torch.tensor([[float("nan"), 0, 0.1]]), "not finite"),
}


@pytest.mark.parametrize(("returned", "message"), WRONG_COLORS.values(), ids=WRONG_COLORS)
def test_anything_but_colors_with_probabilities_is_an_error(returned, message):
    with pytest.raises(PluginError, match=message):
        checked_colors("sunset", returned)
