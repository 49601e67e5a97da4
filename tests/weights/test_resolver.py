from pathlib import Path

import pytest

from colorcli.errors import LicenseNotAccepted, UsageError, WeightsCorrupt, WeightsNotFound
from colorcli.weights import fetch, is_here, is_on_the_hub, licenses, locate
from tests.hub import COMMIT
from tests.weights.conftest import BEST, STARTER, describe

WRONG = BEST[:-1] + b"!"
FILE = "someone/something/best.bin"


def blobs(folder):
    """What the client has stored, links left out."""
    return [path for path in (folder / "huggingface").rglob("*") if path.is_file() and path.parent.name == "blobs"]


# What a name stands for


def test_a_bare_name_gets_the_first_tag_from_the_hub(hub, plain):
    located = locate(plain)
    assert (located.tag, located.note) == ("best", "")
    assert located.path.read_bytes() == BEST
    assert located.weights is plain.weights["best"]


def test_what_was_downloaded_once_is_found_without_asking_the_hub(hub, plain):
    locate(plain)
    hub.requests.clear()
    assert locate(plain, offline=True).tag == "best"
    assert locate(plain).tag == "best"
    assert hub.requests == []


def test_a_bare_name_gets_the_bundled_weights_where_the_hub_cannot_be_reached(no_hub, plain):
    located = locate(plain)
    assert located.tag == "starter"
    assert located.path.read_bytes() == STARTER
    assert located.note.startswith("Using plain.starter, not the better plain.best: someone/something/best.bin cannot")
    assert "\n" not in located.note


def test_a_bare_name_gets_the_bundled_weights_where_a_download_breaks_off(hub, plain):
    hub.resets = [70_000]
    located = locate(plain)
    assert located.tag == "starter"
    assert "broke off" in located.note


@pytest.mark.parametrize("status", [500, 503])
def test_a_bare_name_gets_the_bundled_weights_where_the_hub_is_ill(hub, plain, status):
    hub.status = status
    located = locate(plain)
    assert located.tag == "starter"
    assert f"status {status}" in located.note


def test_a_bare_name_gets_the_bundled_weights_where_a_proxy_answers(hub, plain):
    hub.page = b"<html>Log in</html>"
    assert locate(plain).tag == "starter"


def test_offline_never_asks_the_hub(hub, plain):
    located = locate(plain, offline=True)
    assert located.tag == "starter"
    assert "--offline forbids a download" in located.note
    assert hub.requests == []


def test_an_explicit_tag_never_falls_back(no_hub, plain):
    with pytest.raises(WeightsNotFound, match="cannot be reached"):
        locate(plain, "best")
    assert locate(plain, "starter").path.read_bytes() == STARTER


def test_an_unknown_tag_is_an_error_that_lists_the_tags(plain):
    with pytest.raises(UsageError, match="plain has no weights 'siggraph'") as caught:
        locate(plain, "siggraph")
    assert "best, starter" in caught.value.hint


def test_a_colorizer_without_weights_has_nothing_to_locate(plain, monkeypatch):
    monkeypatch.setattr(type(plain), "weights", {})
    with pytest.raises(WeightsNotFound, match="plain has no weights"):
        locate(plain)


def test_missing_bundled_weights_are_an_error(plain):
    Path(plain.weights["starter"].file).unlink()
    with pytest.raises(WeightsNotFound, match=r"starter\.bin are missing"):
        locate(plain, "starter")


def test_what_is_here_is_known_without_asking_the_hub(hub, plain):
    assert is_here(plain.weights["starter"])
    assert not is_here(plain.weights["best"])
    locate(plain, "best")
    hub.requests.clear()
    assert is_here(plain.weights["best"])
    assert hub.requests == []


# Wrong files


def test_a_file_of_another_size_on_the_hub_is_not_even_downloaded(hub, plain):
    hub.files[FILE] = BEST[:18]
    with pytest.raises(WeightsCorrupt, match="has 18 bytes, where 210,000 were expected"):
        locate(plain)
    assert not any(request.startswith("GET") for request in hub.requests)


@pytest.mark.parametrize("on_the_way", [True, False])
def test_a_file_of_other_content_is_named_and_removed(hub, plain, tmp_path, on_the_way):
    (hub.instead if on_the_way else hub.files)[FILE] = WRONG
    with pytest.raises(WeightsCorrupt, match=r"best\.bin has the sha256") as caught:
        locate(plain)
    assert "removed" in caught.value.hint
    assert blobs(tmp_path) == []
    assert not is_here(plain.weights["best"])
    hub.instead.clear()
    hub.files[FILE] = BEST
    assert locate(plain).path.read_bytes() == BEST


def test_a_file_that_turned_wrong_is_fetched_again(hub, plain, caplog):
    locate(plain).path.resolve().write_bytes(WRONG)
    assert locate(plain).path.read_bytes() == BEST
    assert "best.bin has the sha256" in caplog.text
    assert "Downloading it again" in caplog.text


def test_a_file_that_turned_wrong_is_removed_where_it_cannot_be_fetched_again(hub, plain, tmp_path):
    locate(plain).path.resolve().write_bytes(WRONG)
    with pytest.raises(WeightsCorrupt, match="has the sha256"):
        locate(plain, offline=True)
    assert blobs(tmp_path) == []


def test_a_web_page_is_known_for_one(hub, plain):
    page = b"<!DOCTYPE html>Log in".ljust(len(BEST))
    hub.files[FILE] = page
    with pytest.raises(WeightsCorrupt, match="is a web page"):
        locate(plain)


def test_a_wrong_bundled_file_is_refused_and_left_where_it_is(plain):
    file = Path(plain.weights["starter"].file)
    file.write_bytes(STARTER[:-1])
    with pytest.raises(WeightsCorrupt, match="has 18 bytes, where 19 were expected"):
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


def test_weights_that_may_not_be_used_for_everything_are_not_even_asked_for(hub, limited):
    with pytest.raises(LicenseNotAccepted, match=r"CC-BY-NC-4\.0, which forbids commercial use") as caught:
        locate(limited, "best")
    assert "colorcli weights pull plain.best --accept-license" in caught.value.hint
    assert hub.requests == []


def test_a_bare_name_gets_the_bundled_weights_until_the_license_is_accepted(hub, limited):
    located = locate(limited)
    assert located.tag == "starter"
    assert "forbids commercial use" in located.note
    licenses.accept(limited, None)
    assert locate(limited).tag == "best"


def test_the_license_is_shown_before_the_download_and_once(hub, plain, caplog):
    hub.resets = [70_000]
    with pytest.raises(WeightsNotFound, match="broke off"):
        locate(plain, "best")
    assert caplog.messages == ["plain.best is under the license MIT (tests)."]
    for _ in range(2):
        locate(plain, "best")
    assert len(caplog.messages) == 1


def test_no_license_is_shown_of_weights_that_are_not_to_be_had(no_hub, plain, caplog):
    locate(plain)
    assert caplog.messages == []


# Files that no manifest describes

URI = f"hf://{FILE}"


def test_only_names_of_the_hub_are_on_the_hub():
    assert is_on_the_hub(URI)
    assert not any(map(is_on_the_hub, ["best", "a.safetensors", Path("a.safetensors"), None]))


def test_a_file_on_the_hub_is_fetched_and_found_again(hub):
    path = fetch(URI)
    assert path.read_bytes() == BEST
    hub.requests.clear()
    assert fetch(URI, offline=True) == path
    assert fetch(f"{URI}@{COMMIT}") == path
    assert hub.requests == []


def test_a_newer_file_on_the_hub_is_fetched(hub):
    fetch(URI)
    hub.files[FILE], hub.commits["someone/something"] = STARTER, "beef" * 10
    assert fetch(URI).read_bytes() == STARTER
    assert fetch(f"{URI}@{COMMIT}").read_bytes() == BEST


def test_a_file_in_the_cache_does_where_the_hub_cannot_be_reached(hub, caplog):
    path = fetch(URI)
    hub.status = 503
    assert fetch(URI) == path
    assert "status 503" in caplog.text


def test_a_file_that_is_neither_here_nor_there_is_an_error(hub):
    with pytest.raises(WeightsNotFound, match="--offline forbids"):
        fetch(URI, offline=True)
    with pytest.raises(WeightsNotFound, match="is not on the Hub"):
        fetch(f"{URI}@v2")


def test_a_file_that_arrives_changed_is_removed(hub, tmp_path):
    hub.instead[FILE] = WRONG
    with pytest.raises(WeightsCorrupt, match="is not what it is on the Hub"):
        fetch(URI)
    assert blobs(tmp_path) == []
    hub.instead.clear()
    fetch(URI).resolve().write_bytes(WRONG)
    with pytest.raises(WeightsCorrupt):
        fetch(URI, offline=True)
