"""Rome, table 1: what a classifier recognizes in each version of a picture, and how confidently."""

import pytest
import torch

from colorcli.errors import UsageError
from colorcli.evaluation.classifiers import classifier
from colorcli.evaluation.metrics.recognition import likeliest
from colorcli.experiments.classes import recognize
from colorcli.experiments.declaration import Classes
from colorcli.experiments.measured import RunOptions
from colorcli.metric import Colors
from colorcli.pages.sheet import PictureVersions
from tests.training.photographs import picture

DECLARED = Classes(
    title="Table 1",
    variants={"T = 0.09": "t=0.09", "T = 0": "t=0"},
    gray="BW IMG",
    original="ORIGINAL",
    printed=(("figure 3", "ORIGINAL", "basset", 0.9923388957977295),),
)


def test_a_class_comes_with_its_probability():
    logits = torch.zeros(1000)
    logits[1] = 10
    name, confidence = likeliest(logits)
    assert name == "goldfish"
    assert confidence == pytest.approx(2.718281828459045**10 / (2.718281828459045**10 + 999), rel=1e-4)


@pytest.mark.paper("rome", "class and confidence of every version")
def test_every_version_has_a_row_in_the_papers_order_after_the_papers_own():
    original = picture(0)
    versions = {"gray": original.convert("L"), "T = 0.09": original, "T = 0": picture(1), "original": original}
    table = recognize(DECLARED, [PictureVersions("a.jpg", versions)], "lite2", RunOptions(device="cpu"))
    assert list(table.heading) == ["picture", "version", "class", "confidence"]
    assert table.note == "Here, EfficientNet-Lite2 recognizes the pictures."
    assert table.rows[0] == ["paper: figure 3", "ORIGINAL", "basset", "0.9923"]
    assert [row[1] for row in table.rows[1:5]] == ["ORIGINAL", "t=0.09", "t=0", "BW IMG"]
    assert all(row[0] == "a.jpg" and 0 < float(row[3]) <= 1 for row in table.rows[1:5])
    assert table.rows[1][2:] == table.rows[2][2:], "the same picture is recognized alike"
    summary = {row[1]: row[2] for row in table.rows[5:]}
    assert summary["ORIGINAL"] == summary["t=0.09"] == "100 % as in the original"


def test_the_classifier_is_the_judge_of_the_column_recognition():
    from colorcli.evaluation.metrics.lite2 import Lite2

    rgb = torch.rand(3, 40, 40, generator=torch.Generator().manual_seed(0))
    colors = Colors(rgb, torch.zeros(2, 1, 1))
    judge = Lite2()
    assert classifier("lite2", "cpu")(colors)[0] == likeliest(judge.logits(Colors(rgb, torch.zeros(2, 1, 1))))[0]
    assert judge.rank(colors)[0] == judge.logits(colors).argmax()


def test_an_unknown_classifier_is_an_error():
    with pytest.raises(UsageError, match="Classifier not found: vgg61"):
        classifier("vgg61")
