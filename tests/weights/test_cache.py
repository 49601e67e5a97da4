from dataclasses import replace
from pathlib import Path

import pytest
from filelock import FileLock
from huggingface_hub import hf_hub_download

from colorcli.weights import locate
from colorcli.weights.cache import find_unused
from colorcli.weights.verification import verification_records, verify
from tests.weights.conftest import BEST, describe

NEWER = b"newer weights" * 100
FILE = "someone/something/best.bin"


@pytest.fixture
def outdated(hub, plain):
    """The cache has the file that the manifest named before and the one it names now."""
    old = locate(plain, "best").path
    hub.files[FILE], hub.commits["someone/something"] = NEWER, "beef" * 10
    type(plain).weights = plain.weights | {
        "best": describe("best.bin", NEWER, "someone/something", revision="beef" * 10)
    }
    new = locate(plain, "best").path
    return old, new


def test_files_that_no_manifest_names_anymore_are_deleted(outdated, plain):
    old, new = outdated
    unused = find_unused(plain.weights.values())
    assert unused.sizes == {"someone/something/best.bin": len(BEST)}
    assert old.exists()  # finding deletes nothing
    unused.delete()
    assert not old.exists()
    assert new.read_bytes() == NEWER
    assert [record.sha256 for record in verification_records()] == [plain.weights["best"].sha256]
    assert find_unused(plain.weights.values()).sizes == {}


def test_a_repository_that_no_manifest_names_anymore_is_deleted(hub, plain, tmp_path):
    locate(plain, "best")
    find_unused([plain.weights["starter"]]).delete()
    assert not list((tmp_path / "huggingface").rglob("best.bin"))


def test_files_that_other_programs_downloaded_are_kept(hub, outdated, plain):
    hub.files["someone/something/config.json"] = b"{}"
    hub.files[FILE] = BEST
    hub.commits["someone/something"] = "c0ffee" * 6 + "c0de"
    theirs = Path(hf_hub_download("someone/something", "config.json", revision="c0ffee" * 6 + "c0de"))
    assert theirs.parent == outdated[0].parent
    assert find_unused(plain.weights.values()).sizes == {}
    hub.files["another/one/model.bin"] = b"theirs"
    hf_hub_download("another/one", "model.bin")
    assert find_unused([]).sizes.keys() == {"someone/something/best.bin"}


def test_an_interrupted_download_is_deleted_and_a_running_one_is_kept(hub, plain, tmp_path):
    blobs = locate(plain, "best").path.resolve().parent
    killed, running = blobs / "a.1.incomplete", blobs / "b.2.incomplete"
    for path in (killed, running):
        path.write_bytes(b"half")
    locks = tmp_path / "huggingface" / ".locks" / blobs.parent.name
    (locks / "a.lock").touch()
    with FileLock(locks / "b.lock"):
        unused = find_unused(plain.weights.values())
    assert unused.sizes == {str(killed): 4}
    unused.delete()
    assert not killed.exists()
    assert running.exists()


def test_weights_that_a_manifest_names_at_another_location_are_kept(hub, plain):
    locate(plain, "best")
    moved = replace(plain.weights["best"], repo="someone/elsewhere")
    assert find_unused([moved]).sizes == {}


def test_nothing_is_deleted_without_a_cache(hub, plain):
    assert find_unused(plain.weights.values()).sizes == {}


def test_an_interrupted_download_of_a_repository_that_no_manifest_names_is_deleted(hub, plain, tmp_path):
    partial = tmp_path / "huggingface" / "models--me--mine" / "blobs" / "a.1.incomplete"
    partial.parent.mkdir(parents=True)
    partial.write_bytes(b"half")
    unused = find_unused(plain.weights.values())
    assert unused.sizes == {str(partial): 4}
    unused.delete()
    assert not partial.exists()


def test_a_revision_that_links_out_of_the_cache_is_kept(hub, outdated, plain, tmp_path):
    old, _ = outdated
    precious = tmp_path / "precious.bin"
    old.resolve().rename(precious)
    old.unlink()
    old.symlink_to(precious)
    verify(precious, describe("best.bin", BEST))
    find_unused(plain.weights.values()).delete()
    assert precious.read_bytes() == BEST
