"""The options of a cluster; what happens on one is in tests/cluster/test_on_ray.py."""

import sys

import pytest

from colorcli.cli import main
from tests.tiny import write_tiny_weights


@pytest.fixture
def colorcli(tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "photos").mkdir()
    (tmp_path / "photos" / "a.png").write_bytes(b"")
    weights = write_tiny_weights(tmp_path / "tiny.safetensors")

    def run(*args):
        code = main(["run", "--weights", str(weights), "photos", *args])
        return code, capsys.readouterr().err

    return run


@pytest.mark.parametrize("text", ["dask", "ray:", "ray://", "ray://host", "ray://host:port", "http://host:6379"])
def test_a_cluster_other_than_ray_is_refused(colorcli, text):
    code, err = colorcli("--on", text)
    assert code == 2
    assert "must be ray or ray://HOST:PORT, such as ray://10.0.0.5:6379" in err


@pytest.mark.parametrize("option", ["--gpus-per-worker", "--cpus-per-worker"])
def test_worker_options_need_a_cluster(colorcli, option):
    code, err = colorcli(option, "2")
    assert code == 2
    assert f"{option} needs a cluster." in err


def test_a_gpu_needs_workers_that_have_one(colorcli):
    code, err = colorcli("--on", "ray", "--device", "cuda")
    assert code == 2
    assert "--device cuda needs workers with a GPU." in err


def test_without_ray_the_extra_is_named(colorcli, monkeypatch):
    monkeypatch.setitem(sys.modules, "ray", None)
    code, err = colorcli("--on", "ray")
    assert code == 2
    assert 'pip install "colorcli[ray]"' in err


def test_standard_input_is_not_for_a_cluster(colorcli, capsys):
    assert main(["run", "-", "--on", "ray"]) == 2
    assert "Use it alone, without -o, --on," in capsys.readouterr().err


def test_a_plan_needs_no_cluster(colorcli):
    assert colorcli("--on", "ray://10.255.255.1:6379", "--dry-run") == (0, "1 to write\n")
