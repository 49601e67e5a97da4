import pytest

from colorcli.cli import main
from tests.tiny import write_tiny_weights


@pytest.fixture(scope="session")
def weights(tmp_path_factory):
    """Weights of a tiny network, which colors nothing well and everything quickly."""
    return str(write_tiny_weights(tmp_path_factory.mktemp("weights") / "tiny.safetensors"))


@pytest.fixture
def colorcli(weights, capsys, tmp_path, monkeypatch):
    """Run the command in an empty folder: exit code, standard output, standard error."""
    monkeypatch.chdir(tmp_path)

    def run(*args):
        code = main(["run", "--device", "cpu", "--weights", weights, *map(str, args)])
        return code, *capsys.readouterr()

    return run
