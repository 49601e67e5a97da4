import pytest

from colorcli.errors import UsageError
from colorcli.evaluation.metrics.selection import choose
from colorcli.evaluation.metrics.standard import STANDARD
from colorcli.metric import Metric


class Redness(Metric):
    name, heading = "redness", "redness"

    def measure(self, predicted, true):
        raise NotImplementedError


def names(*asked, **settings):
    return [metric.name for metric in choose(asked, lambda: {"redness": Redness()}, **settings)][len(STANDARD) :]


def test_the_standard_metrics_come_first_and_the_others_in_the_requested_order():
    assert choose([], dict) == list(STANDARD)
    assert names("vgg16", "redness", "fid", "lpips", "colorfulness_unsigned") == [
        *("vgg16", "redness", "fid", "lpips", "colorfulness_unsigned")
    ]


def test_plugins_are_asked_only_for_what_is_not_our_own():
    def plugins():
        raise AssertionError

    assert choose(["fid"], plugins)[-1].name == "fid"


def test_recognition_is_two_columns_and_fd_lite2_one():
    assert names("recognition", "fd_lite2") == ["recognition", "recognition_top5", "fd_lite2"]


def test_a_file_goes_to_the_network_that_judges(tmp_path):
    (tmp_path / "a.pth").touch()
    metric = choose([f"lpips={tmp_path / 'a.pth'}"], dict)[-1]
    assert metric._judge.file == tmp_path / "a.pth"


def test_labels_come_from_the_categories():
    assert choose(["vgg16"], dict, categories={"n01440764"})[-1].heading == "VGG-16 top-1 %"


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        (["rednes"], "Metric not found: rednes.* Did you mean redness"),
        (["psnr"], "psnr: already in the table"),
        (["fid", "fid"], "fid: already in the table"),
        (["recognition", "recognition"], "recognition: already in the table"),
        (["fid=nowhere.pth"], "file not found"),
        (["redness=a.pth"], "redness takes no file"),
    ],
)
def test_what_is_not_available_raises_a_usage_error(asked, said):
    with pytest.raises(UsageError, match=said) as caught:
        names(*asked)
    assert caught.value.exit_code == 2
