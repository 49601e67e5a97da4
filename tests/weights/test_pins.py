from dataclasses import replace

import pytest

from colorcli.errors import LicenseNotAccepted, WeightsCorrupt, WeightsNotFound
from colorcli.weights import is_local, locate
from colorcli.weights.cache import find_unused
from colorcli.weights.manifest import FIRST_USE
from colorcli.weights.pins import recorded
from tests.hub import COMMIT
from tests.weights.conftest import BEST, describe


@pytest.fixture(autouse=True)
def home(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    return tmp_path / "data" / "colorcli" / "pins.toml"


@pytest.fixture
def unpinned(plain):
    type(plain).weights = {"best": replace(plain.weights["best"], sha256=FIRST_USE, size=1)}
    return plain


def test_the_first_use_records_the_commit_the_size_and_the_sha256(hub, unpinned, home):
    assert not is_local(unpinned.weights["best"])
    located = locate(unpinned, "best")
    assert located.path.read_bytes() == BEST
    assert located.weights == replace(describe("best.bin", BEST, "someone/something"), revision=COMMIT)
    assert "someone/something/best.bin" in home.read_text()
    assert recorded(unpinned.weights["best"]) == located.weights
    assert is_local(unpinned.weights["best"])


def test_later_uses_do_not_ask_the_hub(hub, unpinned):
    locate(unpinned, "best")
    hub.requests.clear()
    assert locate(unpinned, offline=True).path.read_bytes() == BEST
    assert hub.requests == []


def test_another_version_is_not_accepted_later(hub, unpinned):
    path = locate(unpinned, "best").path
    path.resolve().unlink()
    path.unlink()
    hub.files["someone/something/best.bin"] = BEST[:-1] + b"!"
    with pytest.raises(WeightsCorrupt, match="was replaced on the Hub"):
        locate(unpinned, "best")


def test_a_first_use_offline_raises_weights_not_found(hub, unpinned, home):
    with pytest.raises(WeightsNotFound, match="--offline forbids downloads"):
        locate(unpinned, "best", offline=True)
    assert hub.requests == []
    assert not home.exists()


def test_a_license_is_accepted_before_the_hub_is_asked(hub, unpinned):
    type(unpinned).weights = {"best": replace(unpinned.weights["best"], license="CC-BY-NC-4.0")}
    with pytest.raises(LicenseNotAccepted):
        locate(unpinned, "best")
    assert hub.requests == []


def test_a_file_whose_sha256_the_hub_does_not_name_is_not_used(hub, unpinned, home):
    hub.headers = {"ETag": '"a-git-hash"'}
    with pytest.raises(WeightsNotFound, match="does not state the sha256"):
        locate(unpinned, "best")
    assert not home.exists()


def test_a_damaged_record_counts_as_none(hub, unpinned, home):
    locate(unpinned, "best")
    home.write_text(home.read_text().replace('sha256 = "', 'sha256 = "x'))
    assert recorded(unpinned.weights["best"]).sha256 == FIRST_USE


def test_what_was_recorded_is_not_pruned(hub, unpinned):
    locate(unpinned, "best")
    assert find_unused(unpinned.weights.values()).sizes == {}
    assert find_unused([]).sizes != {}
