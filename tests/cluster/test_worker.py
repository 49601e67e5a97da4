"""What a worker reports of its model; `test_on_ray.py` runs real ones."""

from pathlib import Path

import torch

from colorcli import load
from colorcli.cluster.worker import Worker
from colorcli.inference.pipeline import Pipeline
from tests.tiny import write_tiny_weights


def test_a_worker_reports_a_batch_of_pictures_for_each_core(tmp_path):
    weights = write_tiny_weights(tmp_path / "tiny.safetensors")
    made = Pipeline(load("zhang", weights=weights, device="cpu"), batch_size=3)
    model = Worker(str(Path.cwd())).load(lambda: made)
    assert model.at_once == 3 * torch.get_num_threads()
    assert model.provenance == made.provenance
