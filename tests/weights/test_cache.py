import os
import time
from dataclasses import replace
from pathlib import Path

import pytest
from huggingface_hub import hf_hub_download

from colorcli.weights import locate
from colorcli.weights.cache import find_waste
from colorcli.weights.verification import seals
from tests.weights.conftest import BEST, describe

NEWER = b"newer weights" * 100
FILE = "someone/something/best.bin"


@pytest.fixture
def outdated(hub, plain):
    """What the manifest named yesterday is in the cache, and what it names today."""
    old = locate(plain, "best").path
    hub.files[FILE], hub.commits["someone/something"] = NEWER, "beef" * 10
    type(plain).weights = plain.weights | {
        "best": describe("best.bin", NEWER, "someone/something", revision="beef" * 10)
    }
    new = locate(plain, "best").path
    return old, new


def test_what_no_manifest_names_any_more_goes(outdated, plain):
    old, new = outdated
    waste = find_waste(plain.weights.values())
    assert waste.files == {"someone/something/best.bin": len(BEST)}
    assert old.exists()  # nothing is deleted before it is wished
    waste.remove()
    assert not old.exists()
    assert new.read_bytes() == NEWER
    assert [seal.sha256 for seal in seals()] == [plain.weights["best"].sha256]
    assert find_waste(plain.weights.values()).files == {}


def test_a_repository_that_no_manifest_names_any_more_goes(hub, plain, tmp_path):
    locate(plain, "best")
    find_waste([plain.weights["starter"]]).remove()
    assert not list((tmp_path / "huggingface").rglob("best.bin"))


def test_what_other_programs_have_fetched_stays(hub, outdated, plain):
    hub.files["someone/something/config.json"] = b"{}"
    hub.files[FILE] = BEST
    hub.commits["someone/something"] = "c0ffee" * 6 + "c0de"
    theirs = Path(hf_hub_download("someone/something", "config.json", revision="c0ffee" * 6 + "c0de"))
    assert theirs.parent == outdated[0].parent
    assert find_waste(plain.weights.values()).files == {}
    hub.files["another/one/model.bin"] = b"theirs"
    hf_hub_download("another/one", "model.bin")
    assert find_waste([]).files.keys() == {"someone/something/best.bin"}


def test_what_a_killed_download_left_goes_and_one_under_way_stays(hub, plain):
    blobs = locate(plain, "best").path.resolve().parent
    killed, under_way = blobs / "a.1.incomplete", blobs / "a.2.incomplete"
    for path in (killed, under_way):
        path.write_bytes(b"half")
    os.utime(killed, (time.time() - 7200,) * 2)
    waste = find_waste(plain.weights.values())
    assert waste.files == {str(killed): 4}
    waste.remove()
    assert not killed.exists()
    assert under_way.exists()


def test_weights_named_under_another_place_stay(hub, plain):
    locate(plain, "best")
    moved = replace(plain.weights["best"], repo="someone/elsewhere")
    assert find_waste([moved]).files == {}


def test_without_a_cache_there_is_nothing_to_delete(hub, plain):
    assert find_waste(plain.weights.values()).files == {}
