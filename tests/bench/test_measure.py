from dataclasses import replace

import numpy as np
import pytest
import torch

from colorcli.bench.measure import Measurement
from colorcli.bench.photographs import make_photograph
from colorcli.bench.speed import Setting
from colorcli.errors import UnreadableMedia, UsageError
from tests.media.films.clips import make_clip
from tests.tiny import WIDTHS, write_tiny_weights


@pytest.fixture
def setting(tmp_path):
    weights = write_tiny_weights(tmp_path / "tiny.safetensors")
    return Setting("zhang", str(weights), ("temperature=0.5",), "cpu", "fp32")


@pytest.fixture
def folder(tmp_path):
    for number in range(6):
        make_photograph(tmp_path / "photos" / f"{number}.jpg", (600, 400), number)
    return tmp_path / "photos"


def test_the_stages_add_up_to_the_whole(setting, folder, tmp_path):
    measurement = Measurement(setting, folder, tmp_path / "out")
    measurement.first()
    others = []
    while len(others) < 20 and min(others, default=1) >= 0.05:  # other programs may interrupt a round
        found = measurement.round()
        stages, whole = found["stages"], found["workers"] * found["timed"]
        assert set(stages) == {"decode", "preprocess", "network", "join", "encode", "other", "wait"}
        assert all(seconds >= 0 for seconds in stages.values())
        assert sum(stages.values()) == pytest.approx(whole)
        others.append(stages["other"] / whole)
    assert min(others) < 0.05  # what is in no stage


def test_a_round_counts_the_pictures_and_writes_them(setting, folder, tmp_path):
    found = Measurement(setting, folder, tmp_path / "out").round()
    assert found["count"] == 6
    assert found["whole"] > 0
    assert found["alone"] > 0
    assert len(list((tmp_path / "out").iterdir())) == 6


def test_films_are_counted_in_frames(setting, tmp_path):
    clip = make_clip(tmp_path / "film.mp4")
    measurement = Measurement(setting, clip, tmp_path / "out")
    measurement.first()
    found = measurement.round()
    assert found["count"] > 1
    assert set(found["stages"]) == {"network", "other"}
    assert sum(found["stages"].values()) == pytest.approx(found["workers"] * found["timed"])


def test_the_floating_point_operations_are_those_of_the_layers(setting, folder, tmp_path):
    """A convolution takes two for each weight and each place of its output."""
    facts = Measurement(setting, folder, tmp_path / "out").facts()
    first, second, third, fourth = WIDTHS
    chain = [  # (before, after, how far the input is halved for the output, kernel's area)
        *[(1, first, 1, 9), (first, first, 2, 9)],
        *[(first, second, 2, 9), (second, second, 4, 9)],
        *[(second, third, 4, 9), (third, third, 4, 9), (third, third, 8, 9)],
        *[(third, fourth, 8, 9)],
        *[(fourth, fourth, 8, 9)] * 11,
        (fourth, third, 8, 16),  # transposed: for each place of its input
        *[(third, third, 4, 9)] * 2,
        (third, 313, 4, 1),
    ]
    network = sum(2 * before * after * area * (256 // halved) ** 2 for before, after, halved, area in chain)
    annealing = 2 * 313 * 2 * 64**2  # the mean of 313 colors at every fourth pixel
    assert facts["flops"] == network + annealing


def test_the_facts_describe_the_model_and_the_machine(setting, folder, tmp_path):
    facts = Measurement(setting, folder, tmp_path / "out").facts()
    assert (facts["model"], facts["device"], facts["batch_size"]) == ("zhang.tiny", "cpu in fp32", 1)
    assert (facts["size"], facts["sizes"]) == (256, [[600, 400]] * 6)
    assert facts["threads"] == torch.get_num_threads()
    assert facts["memory"] is None or facts["memory"] > 100e6
    assert facts["versions"]["torch"] == torch.__version__.partition("+")[0]
    assert facts["cpu"]


@pytest.mark.parametrize("way", ["demo", "floor"])
@pytest.mark.parametrize("kind", ["pictures", "films"])
def test_a_demo_and_the_floor_count_the_same_pictures(setting, folder, tmp_path, way, kind):
    source = folder if kind == "pictures" else make_clip(tmp_path / "film.mp4")
    measurement = Measurement(replace(setting, way=way), source, tmp_path / "out")
    measurement.first()
    found = measurement.round()
    whole = 6 if kind == "pictures" else Measurement(setting, source, tmp_path / "ours").round()["count"]
    assert found["count"] == (min(whole, 8) if (way, kind) == ("demo", "films") else whole)
    assert found["whole"] > 0
    assert any(path.is_file() for path in (tmp_path / "out").iterdir())


def test_pictures_and_films_are_not_measured_together(setting, folder, tmp_path):
    make_clip(folder / "film.mp4")
    with pytest.raises(UsageError, match="must contain either pictures or films, got both"):
        Measurement(setting, folder, tmp_path / "out")


def test_a_folder_without_either_is_an_error(setting, tmp_path):
    (tmp_path / "empty").mkdir()
    with pytest.raises(UsageError, match="must contain either pictures or films, got neither"):
        Measurement(setting, tmp_path / "empty", tmp_path / "out")


def test_a_picture_that_cannot_be_read_is_an_error(setting, tmp_path):
    (tmp_path / "bad.png").write_bytes(np.random.default_rng(0).bytes(100))
    with pytest.raises(UnreadableMedia, match=r"bad\.png"):
        Measurement(setting, tmp_path / "bad.png", tmp_path / "out").round()
