import pytest

from colorcli.errors import LicenseNotAccepted
from colorcli.weights import licensing
from tests.weights.conftest import BEST, describe


@pytest.fixture(autouse=True)
def home(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    forget(monkeypatch)
    return tmp_path / "data" / "colorcli" / "licenses.txt"


def forget(monkeypatch):
    """What another process would not know."""
    monkeypatch.setattr(licensing, "_this_process", set())


def under(license):  # noqa: A002
    return describe("best.bin", BEST, "someone/something", license=license)


@pytest.mark.parametrize("license", ["CC-BY-NC-4.0", "CC-BY-NC-SA-3.0", "PolyForm-Noncommercial-1.0.0", "NOASSERTION"])
def test_licences_that_do_not_allow_every_use_are_restricted(license):  # noqa: A002
    assert licensing.is_restricted(license)


@pytest.mark.parametrize("license", ["MIT", "BSD-2-Clause", "CC-BY-4.0", "CC-BY-SA-4.0", "Apache-2.0", "ECL-NCSA"])
def test_other_licences_are_not(license):  # noqa: A002
    assert not licensing.is_restricted(license)


def test_a_restricted_licence_is_accepted_once_and_for_all(plain, home, monkeypatch):
    type(plain).weights = {"best": under("CC-BY-NC-4.0")}
    with pytest.raises(LicenseNotAccepted, match="forbids commercial use"):
        licensing.check("plain.best", under("CC-BY-NC-4.0"))
    licensing.accept(plain, "best")
    forget(monkeypatch)
    licensing.check("plain.best", under("CC-BY-NC-4.0"))
    assert home.read_text() == "accepted plain.best CC-BY-NC-4.0\n"


def test_another_licence_of_the_same_weights_is_accepted_anew(plain):
    type(plain).weights = {"best": under("CC-BY-NC-4.0")}
    licensing.accept(plain, "best")
    with pytest.raises(LicenseNotAccepted):
        licensing.check("plain.best", under("CC-BY-NC-ND-4.0"))
    with pytest.raises(LicenseNotAccepted):
        licensing.check("plain.other", under("CC-BY-NC-4.0"))


def test_weights_without_a_licence_are_said_to_be_without():
    with pytest.raises(LicenseNotAccepted, match="published without a licence"):
        licensing.check("plain.best", under("NOASSERTION"))


def test_a_licence_is_shown_once(caplog, monkeypatch):
    licensing.show("plain.best", under("MIT"))
    forget(monkeypatch)
    licensing.show("plain.best", under("MIT"))
    assert caplog.messages == ["plain.best is under the licence MIT (tests)."]


def test_a_home_that_cannot_be_written_to_asks_again_in_the_next_process(plain, tmp_path, monkeypatch):
    (tmp_path / "data").write_text("a file where the folder should be")
    type(plain).weights = {"best": under("CC-BY-NC-4.0")}
    licensing.accept(plain, "best")
    licensing.check("plain.best", under("CC-BY-NC-4.0"))
    forget(monkeypatch)
    with pytest.raises(LicenseNotAccepted):
        licensing.check("plain.best", under("CC-BY-NC-4.0"))
