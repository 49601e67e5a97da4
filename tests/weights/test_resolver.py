from pathlib import Path

import pytest
from huggingface_hub import constants

from colorcli.errors import LicenseNotAccepted, UsageError, WeightsCorrupt, WeightsError, WeightsNotFound
from colorcli.weights import fetch, is_hub_uri, is_local, licenses, locate
from tests.hub import COMMIT
from tests.weights.conftest import BEST, STARTER, describe

WRONG = BEST[:-1] + b"!"
FILE = "someone/something/best.bin"


def blobs(folder):
    """Return the files that the client stored, without links."""
    return [path for path in (folder / "huggingface").rglob("*") if path.is_file() and path.parent.name == "blobs"]


# Names


def test_a_colorizers_name_selects_the_first_tag(hub, plain):
    located = locate(plain)
    assert (located.tag, located.note) == ("best", "")
    assert located.path.read_bytes() == BEST
    assert located.weights is plain.weights["best"]


def test_a_cached_file_is_found_without_asking_the_hub(hub, plain):
    locate(plain)
    hub.requests.clear()
    assert locate(plain, offline=True).tag == "best"
    assert locate(plain).tag == "best"
    assert hub.requests == []


def test_a_colorizers_name_falls_back_to_bundled_weights_if_the_hub_is_unreachable(no_hub, plain):
    located = locate(plain)
    assert located.tag == "starter"
    assert located.path.read_bytes() == STARTER
    assert located.note.startswith(
        "Using plain.starter, because the better plain.best is not available: someone/something/best.bin cannot"
    )
    assert "\n" not in located.note


def test_a_colorizers_name_falls_back_to_bundled_weights_if_a_download_fails(hub, plain):
    hub.resets = [70_000]
    located = locate(plain)
    assert located.tag == "starter"
    assert "was not downloaded completely" in located.note


@pytest.mark.parametrize("status", [500, 503])
def test_a_colorizers_name_falls_back_to_bundled_weights_on_server_errors(hub, plain, status):
    hub.status = status
    located = locate(plain)
    assert located.tag == "starter"
    assert f"status {status}" in located.note


def test_a_colorizers_name_falls_back_to_bundled_weights_if_a_proxy_answers(hub, plain):
    hub.page = b"<html>Log in</html>"
    assert locate(plain).tag == "starter"


def test_offline_never_asks_the_hub(hub, plain):
    located = locate(plain, offline=True)
    assert located.tag == "starter"
    assert "--offline forbids downloads" in located.note
    assert hub.requests == []


def test_an_explicit_tag_never_falls_back(no_hub, plain):
    with pytest.raises(WeightsNotFound, match="cannot be reached"):
        locate(plain, "best")
    assert locate(plain, "starter").path.read_bytes() == STARTER


def test_an_unknown_tag_is_an_error_that_lists_the_tags(plain):
    with pytest.raises(UsageError, match="plain has no weights 'siggraph'") as caught:
        locate(plain, "siggraph")
    assert "best, starter" in caught.value.hint


def test_a_colorizer_without_weights_is_an_error(plain, monkeypatch):
    monkeypatch.setattr(type(plain), "weights", {})
    with pytest.raises(WeightsNotFound, match="plain has no weights"):
        locate(plain)


def test_missing_bundled_weights_are_an_error(plain):
    Path(plain.weights["starter"].file).unlink()
    with pytest.raises(WeightsNotFound, match=r"Bundled weights not found: .*starter\.bin"):
        locate(plain, "starter")


def test_local_files_are_found_without_asking_the_hub(hub, plain):
    assert is_local(plain.weights["starter"])
    assert not is_local(plain.weights["best"])
    locate(plain, "best")
    hub.requests.clear()
    assert is_local(plain.weights["best"])
    assert hub.requests == []


# Damaged files


def test_a_file_of_another_size_on_the_hub_is_not_downloaded(hub, plain):
    hub.files[FILE] = BEST[:18]
    with pytest.raises(WeightsCorrupt, match="replaced on the Hub: it has 18 bytes, expected 210,000"):
        locate(plain, "best")
    assert not any(request.startswith("GET") for request in hub.requests)


def test_a_file_with_another_sha256_on_the_hub_is_not_downloaded(hub, plain):
    hub.files[FILE] = WRONG
    with pytest.raises(WeightsCorrupt, match="replaced on the Hub: it has the sha256"):
        locate(plain, "best")
    assert not any(request.startswith("GET") for request in hub.requests)


def test_a_file_that_differs_after_the_download_is_downloaded_once(hub, plain):
    hub.instead[FILE] = WRONG
    hub.headers = {"ETag": '"0123456789abcdef"'}  # says nothing about the content
    for message in ("has the sha256", "had other content than expected"):
        with pytest.raises(WeightsCorrupt, match=message):
            locate(plain, "best")
    assert len([request for request in hub.requests if request.startswith("GET")]) == 1
    hub.headers = {"ETag": '"fedcba9876543210"'}
    hub.instead.clear()
    assert locate(plain, "best").path.read_bytes() == BEST


def test_a_file_with_other_content_is_named_and_removed(hub, plain, tmp_path):
    hub.instead[FILE] = WRONG
    with pytest.raises(WeightsCorrupt, match=r"best\.bin has the sha256") as caught:
        locate(plain, "best")
    assert "removed" in caught.value.hint
    assert blobs(tmp_path) == []
    assert not is_local(plain.weights["best"])
    hub.instead.clear()
    hub.headers = {"ETag": '"another"'}
    assert locate(plain).path.read_bytes() == BEST


def test_a_damaged_file_is_downloaded_again(hub, plain, caplog):
    locate(plain).path.resolve().write_bytes(WRONG)
    assert locate(plain).path.read_bytes() == BEST
    assert "best.bin has the sha256" in caplog.text
    assert "Downloading it again" in caplog.text


@pytest.mark.parametrize("how", ["--offline", "HF_HUB_OFFLINE", "503", "replaced on the Hub"])
def test_a_damaged_file_is_kept_if_it_cannot_be_downloaded_again(hub, plain, tmp_path, monkeypatch, how):
    locate(plain).path.resolve().write_bytes(WRONG)
    if how == "HF_HUB_OFFLINE":
        monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    elif how == "503":
        hub.status = 503
    elif how == "replaced on the Hub":
        hub.files[FILE] = STARTER
    with pytest.raises(WeightsError):
        locate(plain, "best", offline=how == "--offline")
    assert [path.read_bytes() for path in blobs(tmp_path)] == [WRONG]
    located = locate(plain, offline=how == "--offline")
    assert located.tag == "starter"


def test_a_web_page_is_recognized(hub, plain):
    page = b"<!DOCTYPE html>Log in".ljust(len(BEST))
    hub.instead[FILE] = page
    with pytest.raises(WeightsCorrupt, match="is a web page"):
        locate(plain, "best")


def test_a_damaged_bundled_file_is_refused_and_left_in_place(plain):
    file = Path(plain.weights["starter"].file)
    file.write_bytes(STARTER[:-1])
    with pytest.raises(WeightsCorrupt, match="has 18 bytes, expected 19"):
        locate(plain, "starter")
    assert file.exists()


# Licenses


@pytest.fixture
def limited(plain):
    """The published weights forbid commercial use."""
    type(plain).weights = plain.weights | {
        "best": describe("best.bin", BEST, "someone/something", license="CC-BY-NC-4.0")
    }
    return plain


def test_restricted_weights_are_not_requested_before_their_license_is_accepted(hub, limited):
    with pytest.raises(LicenseNotAccepted, match=r"CC-BY-NC-4\.0, which forbids commercial use") as caught:
        locate(limited, "best")
    assert "colorcli weights pull plain.best --accept-license" in caught.value.hint
    assert hub.requests == []


def test_a_colorizers_name_falls_back_to_bundled_weights_until_the_license_is_accepted(hub, limited):
    located = locate(limited)
    assert located.tag == "starter"
    assert "forbids commercial use" in located.note
    licenses.accept(limited, None)
    assert locate(limited).tag == "best"


def test_the_license_is_shown_before_the_download_and_once(hub, plain, caplog):
    hub.resets = [70_000]
    with pytest.raises(WeightsNotFound, match="was not downloaded completely"):
        locate(plain, "best")
    assert caplog.messages == ["plain.best is licensed under MIT (tests)."]
    for _ in range(2):
        locate(plain, "best")
    assert len(caplog.messages) == 1


def test_no_license_is_shown_for_weights_that_are_not_available(no_hub, plain, caplog):
    locate(plain)
    assert caplog.messages == []


# Files without a manifest

URI = f"hf://{FILE}"


def test_only_hub_links_are_hub_uris():
    assert is_hub_uri(URI)
    assert not any(map(is_hub_uri, ["best", "a.safetensors", Path("a.safetensors"), None]))


def test_a_file_on_the_hub_is_downloaded_once(hub):
    path = fetch(URI)
    assert path.read_bytes() == BEST
    hub.requests.clear()
    assert fetch(URI, offline=True) == path
    assert fetch(f"{URI}@{COMMIT}") == path
    assert hub.requests == []


def test_a_newer_file_on_the_hub_is_downloaded(hub):
    fetch(URI)
    hub.files[FILE], hub.commits["someone/something"] = STARTER, "beef" * 10
    assert fetch(URI).read_bytes() == STARTER
    assert fetch(f"{URI}@{COMMIT}").read_bytes() == BEST


def test_a_cached_file_is_used_if_the_hub_cannot_be_reached(hub, caplog):
    path = fetch(URI)
    hub.status = 503
    assert fetch(URI) == path
    assert "status 503" in caplog.text


def test_a_file_that_is_not_available_is_an_error(hub):
    with pytest.raises(WeightsNotFound, match="--offline forbids"):
        fetch(URI, offline=True)
    with pytest.raises(WeightsNotFound, match="was not found on the Hub"):
        fetch(f"{URI}@v2")


def test_a_file_that_differs_from_its_etag_is_removed(hub, tmp_path):
    hub.instead[FILE] = WRONG
    with pytest.raises(WeightsCorrupt, match="differs from the file on the Hub"):
        fetch(URI)
    assert blobs(tmp_path) == []
    hub.instead.clear()
    path = fetch(URI)
    path.resolve().write_bytes(WRONG)
    with pytest.raises(WeightsCorrupt):
        fetch(URI, offline=True)
    assert path.read_bytes() == WRONG  # kept: nothing can replace it now
    assert fetch(URI).read_bytes() == BEST
    path.resolve().write_bytes(WRONG)
    assert fetch(f"{URI}@{COMMIT}").read_bytes() == BEST
