import pytest

from colorcli.evaluation.protocol import describe, made_by, package_versions
from tests.evaluation.pictures import pipeline, save_weights


@pytest.fixture
def zhang(tmp_path):
    return pipeline(save_weights(tmp_path / "small.safetensors"), temperature=0.2)


def test_a_description_names_size_options_device_and_weights(zhang):
    assert describe(zhang) == (
        f"network at 256x256, temperature=0.2, smoothing=0.0, {zhang.model.device}, "
        f"weights {zhang.model.fingerprint[:12]}"
    )


def test_package_versions_are_those_of_colorcli_torch_and_others():
    assert list(package_versions("numpy")) == ["colorcli", "torch", "numpy"]
    assert made_by() == ", ".join(f"{name} {version}" for name, version in package_versions().items())
