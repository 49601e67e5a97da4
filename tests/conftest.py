"""Fixtures for all tests."""

import os
import sys
from pathlib import Path
from uuid import uuid4

import pytest

if "PYTEST_XDIST_WORKER_COUNT" in os.environ:  # workers share the cores; this counts for programs that they start, too
    share = (os.cpu_count() or 1) // int(os.environ["PYTEST_XDIST_WORKER_COUNT"])
    os.environ.setdefault("OMP_NUM_THREADS", str(max(1, share)))


def pytest_make_parametrize_id(config, val, argname):
    """Names bytes by their argument: color profiles hold the time, and workers have to agree on the names of tests."""
    return argname if isinstance(val, bytes) else None


def seed_torch():
    """Otherwise every process draws other random numbers, such as the weights of new networks."""
    if torch := sys.modules.get("torch"):
        torch.default_generator.manual_seed(0)


def pytest_collectstart():
    seed_torch()  # for networks that a module makes when it is imported


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup():
    seed_torch()


@pytest.fixture(autouse=True)
def modules_of_temporary_folders_are_forgotten(tmp_path_factory):
    """Otherwise a module that a test wrote and imported would shadow another test's module of the same name."""
    before = set(sys.modules)
    yield
    for name in sys.modules.keys() - before:
        file = getattr(sys.modules[name], "__file__", None)
        if file and Path(file).is_relative_to(tmp_path_factory.getbasetemp()):
            del sys.modules[name]


@pytest.fixture
def site(tmp_path, monkeypatch):
    """A folder of installed distributions, empty at first."""
    from tests.site_packages import SitePackages

    site = SitePackages(tmp_path / "site")
    monkeypatch.syspath_prepend(site.folder)
    return site


@pytest.fixture
def unique():
    """The name of a distribution that no other test has imported a module of."""
    return f"plugin-{uuid4().hex[:8]}"


@pytest.fixture(scope="module")
def browser():
    from tests.browser import chromium

    with chromium() as started:
        yield started


@pytest.fixture(params=["cpu", "cuda", "remote"])
def device(request):
    """A device to compute on; `remote` needs no hardware."""
    import torch

    if request.param == "remote":
        yield request.getfixturevalue("remote").device
        return
    if request.param == "cuda" and not torch.cuda.is_available():
        pytest.skip("no CUDA here")
    yield torch.device(request.param)


@pytest.fixture
def remote():
    """A device without hardware that counts transfers."""
    from tests.remote import IS_POSSIBLE, Remote

    if not IS_POSSIBLE:
        pytest.skip("this version of torch cannot imitate a device")
    with Remote() as counting:
        yield counting
