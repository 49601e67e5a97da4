import pytest

from tests.threads import threads
from tests.training.photographs import write_photographs, write_recipe


@pytest.fixture(scope="session")
def photographs(tmp_path_factory):
    return write_photographs(tmp_path_factory.mktemp("data") / "photographs")


@pytest.fixture(scope="session")
def tiny(tmp_path_factory):
    return write_recipe(tmp_path_factory.mktemp("recipes") / "tiny.toml")


@pytest.fixture(autouse=True)
def one_thread():
    with threads(1):
        yield
