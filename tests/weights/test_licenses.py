import pytest

from colorcli.errors import LicenseNotAccepted
from colorcli.weights import licenses
from tests.weights.conftest import BEST, describe


@pytest.fixture(autouse=True)
def home(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    forget(monkeypatch)
    return tmp_path / "data" / "colorcli" / "licenses.txt"


def forget(monkeypatch):
    """What another process would not know."""
    monkeypatch.setattr(licenses, "_this_process", set())


def under(license):  # noqa: A002
    return describe("best.bin", BEST, "someone/something", license=license)


@pytest.mark.parametrize("license", ["CC-BY-NC-4.0", "CC-BY-NC-SA-3.0", "PolyForm-Noncommercial-1.0.0", "NOASSERTION"])
def test_licenses_that_do_not_allow_every_use_are_restricted(license):  # noqa: A002
    assert licenses.is_restricted(license)


@pytest.mark.parametrize("license", ["MIT", "BSD-2-Clause", "CC-BY-4.0", "CC-BY-SA-4.0", "Apache-2.0", "ECL-NCSA"])
def test_other_licenses_are_not(license):  # noqa: A002
    assert not licenses.is_restricted(license)


def test_a_restricted_license_is_accepted_once_and_for_all(plain, home, monkeypatch):
    type(plain).weights = {"best": under("CC-BY-NC-4.0")}
    with pytest.raises(LicenseNotAccepted, match="forbids commercial use"):
        licenses.check("plain.best", under("CC-BY-NC-4.0"))
    licenses.accept(plain, "best")
    forget(monkeypatch)
    licenses.check("plain.best", under("CC-BY-NC-4.0"))
    assert home.read_text() == "accepted plain.best CC-BY-NC-4.0\n"


def test_another_license_of_the_same_weights_is_accepted_anew(plain):
    type(plain).weights = {"best": under("CC-BY-NC-4.0")}
    licenses.accept(plain, "best")
    with pytest.raises(LicenseNotAccepted):
        licenses.check("plain.best", under("CC-BY-NC-ND-4.0"))
    with pytest.raises(LicenseNotAccepted):
        licenses.check("plain.other", under("CC-BY-NC-4.0"))


def test_weights_without_a_license_are_said_to_be_without():
    with pytest.raises(LicenseNotAccepted, match="published without a license"):
        licenses.check("plain.best", under("NOASSERTION"))


def test_a_license_is_shown_once(caplog, monkeypatch):
    licenses.show("plain.best", under("MIT"))
    forget(monkeypatch)
    licenses.show("plain.best", under("MIT"))
    assert caplog.messages == ["plain.best is under the license MIT (tests)."]


def test_a_home_that_cannot_be_written_to_asks_again_in_the_next_process(plain, tmp_path, monkeypatch):
    (tmp_path / "data").write_text("a file where the folder should be")
    type(plain).weights = {"best": under("CC-BY-NC-4.0")}
    licenses.accept(plain, "best")
    licenses.check("plain.best", under("CC-BY-NC-4.0"))
    forget(monkeypatch)
    with pytest.raises(LicenseNotAccepted):
        licenses.check("plain.best", under("CC-BY-NC-4.0"))
