import subprocess
import sys

import pytest

import colorcli


def test_the_public_names_are_exactly_these():
    assert colorcli.__all__ == [
        "API_VERSION",
        "SMOOTHING",
        "Batch",
        "ColorcliError",
        "Colorizer",
        "Colors",
        "Gray",
        "Hint",
        "Metric",
        "Model",
        "Option",
        "Prediction",
        "Recipe",
        "Registry",
        "Weights",
        "defer",
        "fetch",
        "hookimpl",
        "load",
        "locate",
        "open_file",
        "read_manifest",
    ]


@pytest.mark.parametrize("name", colorcli.__all__)
def test_every_public_name_can_be_imported(name):
    assert getattr(colorcli, name) is not None


def test_the_version_is_that_of_the_distribution():
    assert colorcli.__version__ == "0.1.0"


def test_an_unknown_name_is_an_attribute_error():
    with pytest.raises(AttributeError, match="no attribute 'lode'"):
        colorcli.lode  # noqa: B018


def test_a_plugin_can_be_written_without_importing_torch_or_numpy():
    program = "import sys, colorcli; sys.exit(bool({'torch', 'numpy', 'PIL'} & set(sys.modules)))"
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0
