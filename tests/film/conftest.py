import pytest
import torch

from tests.threads import threads


@pytest.fixture(autouse=True)
def several_workers():
    """Films have as many workers on a CPU as torch has threads, which may be one where tests share the cores."""
    with threads(max(2, torch.get_num_threads())):
        yield
