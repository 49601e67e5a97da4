"""A Hub that tries to write elsewhere, or keeps the client waiting."""

import gzip
import subprocess
import sys
import time

import pytest
from huggingface_hub import get_hf_file_metadata, hf_hub_url

from colorcli.errors import UsageError, WeightsNotFound
from colorcli.weights import fetch, guard, locate
from colorcli.weights.hub import TIMEOUT
from tests.hub import environment, new_client_only
from tests.weights.conftest import BEST, STARTER

FILE = "someone/something/best.bin"


@pytest.fixture
def tree(tmp_path):
    """All files around the cache, before and after."""
    (tmp_path / "precious.txt").write_text("precious")

    def files():
        inside = {"huggingface", "cache", "data"}
        return sorted(p for p in tmp_path.rglob("*") if p.is_file() and p.relative_to(tmp_path).parts[0] not in inside)

    before = files()
    yield
    assert files() == before
    assert (tmp_path / "precious.txt").read_text() == "precious"


# Names that lead out of the cache

NAMES = {
    "an ETag above": {"ETag": '"../../../../written"'},
    "an ETag of a linked file": {"X-Linked-Etag": '"../../../../written"'},
    "a weak ETag": {"ETag": 'W/"../../../../written"'},
    "an ETag that exists": {"ETag": '"../../../precious.txt"'},
    "an absolute ETag": {"ETag": '"/tmp/written"'},
    "an ETag of Windows": {"ETag": '"..\\\\..\\\\written"'},
    "an ETag of dots": {"ETag": '".."'},
    "a long ETag": {"ETag": f'"{"a" * 500}"'},
    "a commit above": {"X-Repo-Commit": "../../../../written"},
    "a commit that is a branch": {"X-Repo-Commit": "main"},
}


@pytest.mark.parametrize("headers", NAMES.values(), ids=NAMES)
@pytest.mark.parametrize("honest", [0, 1], ids=["at once", "after an honest answer"])
def test_names_from_a_server_never_lead_out_of_the_cache(hub, plain, tree, headers, honest):
    hub.headers, hub.head_only = headers, honest
    with pytest.raises(WeightsNotFound, match=r"cannot be a file name|must be 40 hexadecimal digits"):
        locate(plain, "best")
    assert locate(plain).tag == "starter"
    with pytest.raises(WeightsNotFound):
        fetch(f"hf://{FILE}")


@new_client_only
def test_a_server_cannot_lead_out_of_the_cache_by_an_error_before(hub, plain, tree, monkeypatch):
    """The client makes a new session after some errors, which must be guarded, too."""
    from huggingface_hub import close_session

    def metadata(*args, **keywords):
        close_session()
        return get_hf_file_metadata(*args, **keywords)

    monkeypatch.setattr("huggingface_hub.get_hf_file_metadata", metadata)
    hub.headers = {"ETag": '"../../../../written"'}
    with pytest.raises(WeightsNotFound, match="cannot be a file name"):
        locate(plain, "best")


@pytest.mark.parametrize(
    "uri",
    [
        "hf://o/r/../../x",
        "hf://o/r/a/../../../x",
        "hf://../r/x",
        "hf://o/../x",
        "hf://o/r//etc/passwd",
        "hf://o/r/x@../../y",
        "hf://o/r@../x",
        "hf://o/r/a\\..\\x",
        "hf://o/r/x\n",
        "hf://o--o/r/x",
        "hf://o/r/" + "x" * 5000,
        "hf://spaces/../r/x",
    ],
)
def test_a_link_never_leads_out_of_the_cache(hub, tree, uri):
    with pytest.raises(UsageError, match="Not a file on the Hub"):
        fetch(uri)
    assert hub.requests == []


def test_other_requests_of_the_client_are_not_guarded(hub, plain):
    locate(plain, "best")
    hub.headers = {"ETag": '"../odd"'}
    url = hf_hub_url("someone/something", "best.bin")
    assert get_hf_file_metadata(url).etag == "../odd"


# Waiting


@pytest.fixture
def quick():
    """Waiting ends after seconds, whatever the Hub does; a busy machine may need more for the rest."""
    started = time.monotonic()
    yield
    assert TIMEOUT < 5
    assert time.monotonic() - started < TIMEOUT + 60


WAITS = {
    "429 and a day": ({"status": 429, "headers": {"Retry-After": "86400"}}, "too many requests"),
    "503 and a day": ({"status": 503, "headers": {"Retry-After": "86400"}}, "status 503"),
    "429 for the file": ({"get_status": 429, "headers": {"Retry-After": "86400"}}, "too many requests"),
    "503 for the file": ({"get_status": 503, "headers": {"Retry-After": "86400"}}, "status 503"),
    "500 for the file": ({"get_status": 500}, "status 500"),
    "408 for the file": ({"get_status": 408, "headers": {"Retry-After": "86400"}}, "status 408"),
    "a byte a second": ({"drip": True}, "less than 50 kB per second for 3 seconds"),
    "a replaced file": ({"files": {FILE: STARTER}}, "was replaced on the Hub"),
    "a longer file": ({"instead": {FILE: BEST * 50}}, "was not downloaded"),
}


@new_client_only
@pytest.mark.parametrize(("fault", "reason"), WAITS.values(), ids=WAITS)
def test_a_colorizers_name_never_waits_for_long(hub, plain, quick, fault, reason):
    for name, value in fault.items():
        setattr(hub, name, value)
    located = locate(plain)
    assert located.tag == "starter"
    assert reason in located.note
    assert "\n" not in located.note


@new_client_only
def test_a_dripping_download_leaves_no_files(hub, plain, tmp_path):
    hub.drip = True
    locate(plain)
    deadline = time.monotonic() + 60
    while (found := list(tmp_path.rglob("*.incomplete"))) and time.monotonic() < deadline:
        time.sleep(0.1)
    assert found == []


@new_client_only
def test_an_explicit_tag_waits_longer_but_not_forever(hub, plain, monkeypatch):
    monkeypatch.setattr("colorcli.weights.hub.DOWNLOAD_TIMEOUT", 1.5)
    hub.drip = True
    with pytest.raises(WeightsNotFound, match=r"less than 50 kB per second for 1\.5 seconds"):
        locate(plain, "best")


@new_client_only
def test_a_download_that_decompresses_on_the_disk_has_a_limit(hub, plain, tmp_path):
    hub.instead = {FILE: gzip.compress(bytes(100_000_000), 1)}
    hub.headers = {"Content-Encoding": "gzip"}
    hub.pause = 0.3
    with pytest.raises(WeightsNotFound, match="more than the expected"):
        locate(plain, "best")
    assert max((path.stat().st_size for path in tmp_path.rglob("*")), default=0) < 80_000_000


def test_a_whole_download_has_a_limit(hub, plain, monkeypatch):
    monkeypatch.setattr(guard, "MAX_SECONDS", 0.5)
    hub.pause = 0.3
    with pytest.raises(WeightsNotFound, match="not complete after 0 minutes"):
        locate(plain, "best")


# Variables of the client

COMMAND = """
import sys
from colorcli import Colorizer, Weights
from colorcli.errors import ColorcliError
from colorcli.weights import locate
class Plain(Colorizer):
    name = "plain"
    weights = {"best": %r, "starter": %r}
    build = predict = None
located = locate(Plain(), offline="--offline" in sys.argv)
print(located.tag, located.note)
"""
VARIABLES = {
    "a word for a timeout": ({"HF_HUB_ETAG_TIMEOUT": "soon"}, "best", "HF_HUB_ETAG_TIMEOUT"),
    "a fraction for a timeout": ({"HF_HUB_DOWNLOAD_TIMEOUT": "2.5"}, "best", "HF_HUB_DOWNLOAD_TIMEOUT"),
    "a negative timeout": ({"HF_HUB_DOWNLOAD_TIMEOUT": "-1"}, "best", "HF_HUB_DOWNLOAD_TIMEOUT"),
    "a word for the endpoint": ({"HF_ENDPOINT": "hub"}, "starter", "HF_ENDPOINT must be a URL"),
    "an empty endpoint": ({"HF_ENDPOINT": ""}, "starter", "HF_ENDPOINT must be a URL"),
    "a broken endpoint": ({"HF_ENDPOINT": "http://[::1"}, "starter", "HF_ENDPOINT must be a URL"),
    "a wrong port": ({"HF_ENDPOINT": "http://localhost:99999999"}, "starter", "HF_ENDPOINT must be a URL"),
    "a file as endpoint": ({"HF_ENDPOINT": "file:///etc"}, "starter", "HF_ENDPOINT must be a URL"),
}


@pytest.mark.parametrize("offline", [False, True])
@pytest.mark.parametrize(("variables", "tag", "said"), VARIABLES.values(), ids=VARIABLES)
def test_wrong_variables_are_reported_and_never_a_traceback(hub, plain, tmp_path, variables, tag, said, offline):
    best, starter = plain.weights["best"], plain.weights["starter"]
    command = [sys.executable, "-c", COMMAND % (best, starter), *(["--offline"] if offline else [])]
    settings = environment(hub, tmp_path, **variables)
    done = subprocess.run(command, env=settings, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    # A slow machine falls back to the bundled weights, which says nothing about the variables.
    assert done.stdout.startswith(("starter",) if offline or tag == "starter" else ("best", "starter"))
    assert said in done.stdout + done.stderr or (offline and tag == "starter")


def test_a_killed_download_is_deleted_by_the_next_one(hub, plain, tmp_path):
    blobs = tmp_path / "huggingface" / "models--someone--something" / "blobs"
    blobs.mkdir(parents=True)
    killed = blobs / f"{plain.weights['best'].sha256}.0123abcd.incomplete"
    killed.write_bytes(b"half")
    locate(plain, "best")
    assert not killed.exists()
