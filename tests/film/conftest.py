import pytest
import torch


@pytest.fixture(autouse=True)
def several_workers():
    """Films have as many workers on a CPU as torch has threads, which may be one where tests share the cores."""
    before = torch.get_num_threads()
    torch.set_num_threads(max(2, before))
    yield
    torch.set_num_threads(before)
