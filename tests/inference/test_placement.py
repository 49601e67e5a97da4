import threading

import pytest
import torch
from torch import nn

import colorcli
from colorcli.inference.device import choose
from colorcli.inference.placement import place

FP32, BF16 = choose("cpu", "fp32"), choose("cpu", "bf16")


class Ensemble(nn.Module):
    def __init__(self):
        super().__init__()
        self.first = nn.Conv2d(1, 2, 1)
        self.others = nn.ModuleList(
            colorcli.defer(nn.Sequential(nn.Conv2d(2, 2, 1), nn.BatchNorm2d(2))) for _ in range(2)
        )


def test_convolutions_use_the_devices_precision_and_everything_else_float32():
    network = place(nn.Sequential(nn.Conv2d(1, 2, 1), nn.ReLU(), nn.BatchNorm2d(2), nn.Linear(2, 2)).half(), BF16)
    assert [network[index].weight.dtype for index in (0, 2, 3)] == [torch.bfloat16, torch.float32, torch.bfloat16]
    assert network[2].running_mean.dtype == torch.float32
    assert network[2].num_batches_tracked.dtype == torch.int64
    assert not any(parameter.requires_grad for parameter in network.parameters())
    assert not network.training


def test_a_deferred_part_is_placed_on_its_first_call_or_never():
    network = place(Ensemble().half(), FP32)
    assert network.first.weight.dtype == torch.float32
    assert {p.dtype for p in network.others.parameters()} == {torch.float16}
    network.others[1](torch.zeros(1, 2, 4, 4))
    assert {p.dtype for p in network.others[1].parameters()} == {torch.float32}
    assert {p.dtype for p in network.others[0].parameters()} == {torch.float16}


def test_a_deferred_part_may_be_called_before_it_is_placed_and_placed_again():
    network = Ensemble()
    network.others[0](torch.zeros(1, 2, 4, 4))
    for device in (BF16, FP32):
        place(network, device)
        with torch.autocast("cpu", torch.bfloat16, enabled=device is BF16):
            network.others[0](torch.zeros(1, 2, 4, 4))
        assert network.others[0][0].weight.dtype == device.dtype


def test_deferring_does_not_change_names_in_the_state_dict():
    assert "others.0.0.weight" in Ensemble().state_dict()


def test_threads_that_call_a_deferred_part_at_once_all_use_it_placed():
    network = place(Ensemble().half(), FP32)
    answers = []
    call = threading.Barrier(4)

    def work():
        call.wait()
        answers.append(network.others[0](torch.ones(1, 2, 4, 4)))

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(answers) == 4
    assert all(answer.equal(answers[0]) for answer in answers)


@pytest.mark.parametrize("name", ["defer", "load"])
def test_names_that_need_torch_are_public_too(name):
    assert callable(getattr(colorcli, name))


def test_batch_norm_is_folded_into_the_convolution_before_it():
    torch.manual_seed(0)
    layers = nn.Sequential(nn.Conv2d(1, 2, 3, bias=False), nn.BatchNorm2d(2), nn.ReLU(), nn.BatchNorm2d(2))
    with torch.no_grad():
        layers(torch.rand(8, 1, 9, 9) * 50)  # fills the running statistics
        layers.eval()
        expected = layers(picture := torch.rand(1, 1, 9, 9) * 50)
        placed = place(layers, FP32)
        assert [type(layer) for layer in placed] == [nn.Conv2d, nn.Identity, nn.ReLU, nn.BatchNorm2d]
        assert torch.allclose(placed(picture), expected, atol=1e-5)


def test_batch_norm_after_a_convolution_that_computes_its_weights_is_not_folded():
    normalized = torch.nn.utils.spectral_norm(nn.Conv2d(1, 2, 3))
    parametrized = torch.nn.utils.parametrizations.spectral_norm(nn.Conv2d(2, 2, 3))
    layers = nn.Sequential(normalized, nn.BatchNorm2d(2), parametrized, nn.BatchNorm2d(2))
    layers(torch.rand(8, 1, 9, 9))
    layers.eval()
    picture = torch.rand(1, 1, 9, 9)
    expected = layers(picture)
    assert torch.allclose(place(layers, FP32)(picture), expected, atol=1e-5)
    assert sum(isinstance(layer, nn.BatchNorm2d) for layer in layers) == 2
