import pytest
import torch
from torch.nn import functional

from colorcli.evaluation.metrics.lite2 import FrechetLite2, Lite2, Recognition, RecognitionTop5
from colorcli.metric import Colors
from tests.evaluation.metrics.judges import picture


@pytest.fixture(scope="module")
def judge():
    return Lite2()


def field_of(red, green, blue):
    """A picture of one color, which the network takes for some class, but not for that of noise."""
    return Colors(torch.tensor([red, green, blue])[:, None, None].expand(3, 64, 64), torch.zeros(2, 64, 64))


def test_a_picture_is_scaled_to_the_size_of_the_network(judge):
    small = picture(3)
    scaled = functional.interpolate(small.rgb[None], (260, 260), mode="bicubic", antialias=True)[0].clamp(0, 1)
    assert torch.equal(judge.embed(small), judge.embed(Colors(scaled, small.ab)))


def test_without_labels_the_original_is_right_and_the_columns_are_called_agreement(judge):
    shown = picture(4)
    metric = Recognition(judge, ["people", "city"])
    assert metric.measure(shown, shown) == 100
    assert metric.heading == "Lite2 agreement top-1 %"
    assert not metric.alone


def test_a_class_among_the_first_five_is_recognized_in_the_second_column_alone(judge):
    shown, other = picture(4), field_of(0.2, 0.4, 0.9)
    ranked = judge.rank(other)
    labels = ["tench", "goldfish"]
    first, fifth = Recognition(judge, labels), RecognitionTop5(judge, labels)
    assert first.heading == "Lite2 top-1 %"
    assert first.alone
    for metric in (first, fifth):
        metric._labels = {"third": int(ranked[2]), "first": int(ranked[0]), "last": int(ranked[-1])}
    truths = [Colors(shown.rgb, shown.ab, name) for name in ("first", "third", "last")]
    assert [first.measure(other, truth) for truth in truths] == [100, 0, 0]
    assert [fifth.measure(other, truth) for truth in truths] == [100, 100, 0]


def test_the_distance_is_nothing_between_the_same_pictures_and_grows_as_they_lose_their_color(judge):
    metric = FrechetLite2(judge)
    true = [picture(seed) for seed in range(4)]
    gray = [Colors(each.rgb.mean(dim=0, keepdim=True).expand(3, -1, -1), each.ab) for each in true]
    same = torch.stack([metric.measure(each, each) for each in true])
    pale = torch.stack([metric.measure(each, other) for each, other in zip(gray, true, strict=True)])
    assert metric.of_set(same) == pytest.approx(0, abs=1e-3)
    assert metric.of_set(pale) > 1


def test_one_picture_has_no_distance(judge):
    with pytest.raises(ValueError, match="two pictures"):
        FrechetLite2(judge).of_set(torch.zeros(1, 2, 1280))
