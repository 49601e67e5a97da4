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
    """Forget what only this process remembers."""
    monkeypatch.setattr(licenses, "_this_process", set())


def under(license):  # noqa: A002
    return describe("best.bin", BEST, "someone/something", license=license)


@pytest.mark.parametrize("license", ["CC-BY-NC-4.0", "CC-BY-NC-SA-3.0", "PolyForm-Noncommercial-1.0.0", "NOASSERTION"])
def test_noncommercial_and_missing_licenses_are_restricted(license):  # noqa: A002
    assert licenses.is_restricted(license)


@pytest.mark.parametrize("license", ["MIT", "BSD-2-Clause", "CC-BY-4.0", "CC-BY-SA-4.0", "Apache-2.0", "ECL-NCSA"])
def test_other_licenses_are_not_restricted(license):  # noqa: A002
    assert not licenses.is_restricted(license)


def test_a_restricted_license_is_accepted_once(plain, home, monkeypatch):
    type(plain).weights = {"best": under("CC-BY-NC-4.0")}
    with pytest.raises(LicenseNotAccepted, match="forbids commercial use"):
        licenses.check("plain.best", under("CC-BY-NC-4.0"))
    licenses.accept(plain, "best")
    forget(monkeypatch)
    licenses.check("plain.best", under("CC-BY-NC-4.0"))
    assert home.read_text() == "accepted plain.best CC-BY-NC-4.0\n"


def test_a_changed_license_must_be_accepted_again(plain):
    type(plain).weights = {"best": under("CC-BY-NC-4.0")}
    licenses.accept(plain, "best")
    with pytest.raises(LicenseNotAccepted):
        licenses.check("plain.best", under("CC-BY-NC-ND-4.0"))
    with pytest.raises(LicenseNotAccepted):
        licenses.check("plain.other", under("CC-BY-NC-4.0"))


def test_weights_without_a_license_are_reported_as_such():
    with pytest.raises(LicenseNotAccepted, match="published without a license"):
        licenses.check("plain.best", under("NOASSERTION"))


def test_a_license_is_shown_once(caplog, monkeypatch):
    licenses.show("plain.best", under("MIT"))
    forget(monkeypatch)
    licenses.show("plain.best", under("MIT"))
    assert caplog.messages == ["plain.best is licensed under MIT (tests)."]


def test_with_a_read_only_home_the_next_process_asks_again(plain, tmp_path, monkeypatch):
    (tmp_path / "data").write_text("a file where the folder should be")
    type(plain).weights = {"best": under("CC-BY-NC-4.0")}
    licenses.accept(plain, "best")
    licenses.check("plain.best", under("CC-BY-NC-4.0"))
    forget(monkeypatch)
    with pytest.raises(LicenseNotAccepted):
        licenses.check("plain.best", under("CC-BY-NC-4.0"))


def test_a_license_accepted_in_another_home_is_not_accepted_here(plain, tmp_path, monkeypatch):
    type(plain).weights = {"best": under("CC-BY-NC-4.0")}
    licenses.accept(plain, "best")
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "elsewhere"))
    with pytest.raises(LicenseNotAccepted):
        licenses.check("plain.best", under("CC-BY-NC-4.0"))
