import pytest
import torch
from torchvision.models import VGG16_Weights, vgg16

from colorcli.evaluation.metrics.judges import Judge
from colorcli.evaluation.metrics.recognition import URL, Vgg16
from colorcli.metric import Colors
from tests.evaluation.metrics.judges import picture, save_vgg16

TENCH, GOLDFISH = "n01440764", "n01443537"


@pytest.fixture(scope="module")
def judge(tmp_path_factory):
    return Judge("vgg16", URL, save_vgg16(tmp_path_factory.mktemp("vgg16") / "vgg16.pth"))


@pytest.fixture(scope="module")
def agreement(judge):
    return Vgg16(judge, ["people", "city"])


def test_the_class_is_that_of_torchvisions_network_and_its_transforms(agreement, judge):
    with torch.device("meta"):
        network = vgg16()
    network.load_state_dict(torch.load(judge.file), assign=True)
    for side in (64, 256):
        shown = picture(3, side=side)
        wide = Colors(torch.cat([shown.rgb, shown.rgb], dim=2), shown.ab)
        for colors in (shown, wide):
            with torch.inference_mode():
                expected = network.eval()(VGG16_Weights.IMAGENET1K_V1.transforms()(colors.rgb)[None])[0]
            assert torch.allclose(agreement.logits(colors), expected, atol=1e-4)
            assert colors.once(agreement._classify) == int(expected.argmax())


def test_without_labels_it_is_agreement_with_the_original_and_named_so(agreement):
    shown = picture(4)
    assert agreement.measure(shown, shown) == 100
    assert agreement.heading == "VGG-16 agreement %"
    assert "its top class for the original, not the true class" in agreement.definition
    assert not agreement.alone


@pytest.mark.parametrize(("names", "numbers"), [((TENCH, GOLDFISH), (0, 1)), (("Tench", "great_white_shark"), (0, 2))])
def test_categories_that_are_synsets_or_names_of_classes_are_the_labels(judge, names, numbers):
    metric = Vgg16(judge, names)
    assert metric.heading == "VGG-16 top-1 %"
    assert metric.alone  # the originals have a row of their own
    assert [metric._labels[name] for name in names] == list(numbers)


def test_a_picture_is_right_where_its_class_is_that_of_its_category(judge):
    shown = picture(5)
    names = VGG16_Weights.IMAGENET1K_V1.meta["categories"]
    seen = names[shown.once(Vgg16(judge, ())._classify)]
    other = "tench" if seen != "tench" else "goldfish"
    metric = Vgg16(judge, [seen, other])
    assert metric.measure(shown, Colors(shown.rgb, shown.ab, seen)) == 100
    assert metric.measure(shown, Colors(shown.rgb, shown.ab, other)) == 0


@pytest.mark.parametrize("names", [["tench", "people"], ["tench", ""], ["cardigan"], []])
def test_names_that_are_not_all_of_one_class_are_not_labels(judge, names):
    """Two classes are called cardigan, a dog and what one wears."""
    assert Vgg16(judge, names).heading == "VGG-16 agreement %"
