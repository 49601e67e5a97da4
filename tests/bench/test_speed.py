import json

import pytest

from colorcli.bench import table
from colorcli.bench.speed import Speed

FACTS = {
    "model": "zhang.tiny",
    "device": "cpu in fp32",
    "batch_size": 1,
    "size": 256,
    "flops": 4_600_000_000,
    "memory": 700_000_000,
    "device_memory": None,
    "sizes": [[500, 375], [40, 30], [500, 375]],
    "threads": 2,
    "cpu": "Abacus",
    "instructions": ["avx2"],
    "gpu": None,
    "versions": {"python": "3.11", "torch": "2.15"},
}


def a_round(slower=1.0, count=4):
    """Two workers, four pictures: 2 seconds each, of which the network has half."""
    stages = {"decode": 0.4, "preprocess": 0.2, "network": 2.0, "join": 0.6, "encode": 0.4, "other": 0.1, "wait": 0.3}
    return {
        "whole": 2 * slower,
        "alone": 1.5 * slower,
        "stages": {name: seconds * slower for name, seconds in stages.items()},
        "workers": 2,
        "timed": 2 * slower,
        "count": count,
    }


@pytest.fixture
def speed():
    return Speed(FACTS, [a_round(3), a_round(), a_round(1.1)], 1.25, "")


def test_figures_are_medians_of_the_rounds(speed):
    assert speed.rates == pytest.approx([2 / 3, 2, 2 / 1.1])
    assert speed.rate == pytest.approx(2 / 1.1)
    assert speed.stages["network"] == pytest.approx(2.0 * 1.1 / 4)
    assert (speed.network_share, speed.of_alone) == pytest.approx((0.5, 0.75))


def test_the_stages_of_the_table_are_in_the_order_of_the_line(speed):
    assert list(speed.stages) == ["decode", "preprocess", "network", "join", "encode", "other", "wait"]


def test_the_table_has_a_row_for_each_setting_and_its_protocol(speed):
    lines = table.markdown([speed, speed], "some pictures", "colorcli bench zhang").splitlines()
    heads, cells = ([cell.strip() for cell in lines[n].split("|")[1:-1]] for n in (0, 2))
    row = dict(zip(heads, cells, strict=True))
    assert row[""] == "zhang.tiny, cpu in fp32"
    assert (row["pictures/s"], row["lowest to highest"]) == ("1.82", "0.67 to 2.00")
    assert (row["network ms"], row["network"], row["of the network alone"]) == ("550.0", "50%", "75%")
    assert (row["cold start"], row["memory"], row["GFLOP"]) == ("1.25 s", "0.70 GB", "4.6")
    assert lines[2] == lines[3]
    protocol = lines[5:]
    assert all(line.startswith("- ") for line in protocol)
    assert protocol[0] == "- some pictures of 40x30 to 500x375; network at 256x256"
    assert protocol[1].startswith("- medians of 3 rounds after a warm-up")
    assert protocol[2:5] == [
        "- Abacus; avx2; 2 threads, 2 workers",
        "- python 3.11, torch 2.15",
        "- `colorcli bench zhang`",
    ]


def test_the_table_of_films_counts_frames(speed):
    film = Speed({**FACTS, "sizes": []}, speed.rounds, 1.0, "")
    assert "| frames/s |" in table.markdown([film], "film.mp4: 4 frames", "")


def test_unmeasured_memory_is_unknown_and_that_of_a_device_is_added(speed):
    unknown = Speed({**FACTS, "memory": None}, speed.rounds, 1.0, "")
    assert "| unknown |" in table.markdown([unknown], "", "")
    gpu = Speed({**FACTS, "device_memory": 2_000_000_000, "gpu": "Slide rule"}, speed.rounds, 1.0, "")
    text = table.markdown([gpu], "", "")
    assert "| 0.70 GB + 2.00 GB |" in text
    assert "2 workers; Slide rule" in text


def test_json_has_the_figures_and_the_rounds(speed):
    facts = json.loads(table.as_json([speed], "some pictures", "colorcli bench zhang"))
    (found,) = facts["speeds"]
    assert (facts["source"], facts["command"]) == ("some pictures", "colorcli bench zhang")
    assert found["pictures_per_second"] == pytest.approx(2 / 1.1)
    assert found["stage_pictures_per_second"]["network"] == pytest.approx(1 / 0.55)
    assert len(found["rounds"]) == 3
    assert found["cpu"] == "Abacus"
