import io
import struct

import pytest
import torch

from colorcli.weights.torch7 import is_torch7, read_torch7
from tests.weights.torch7_files import Module, Writer


def written(value):
    writer = Writer()
    writer.write(value)
    return b"".join(writer.parts)


def tensor(size, stride, offset, numbers=(1.0, 2.0)):
    """The bytes of {weight: a tensor with these numbers in its storage}."""
    text = b"".join(struct.pack("<i", len(each)) + each for each in (b"V 1", b"torch.FloatTensor"))
    storage = b"".join(struct.pack("<i", len(each)) + each for each in (b"V 1", b"torch.FloatStorage"))
    return b"".join(
        [
            struct.pack("<iii", 3, 1, 1),  # a table, number 1, of one entry
            struct.pack("<ii", 2, 6) + b"weight",
            struct.pack("<ii", 4, 2) + text,
            struct.pack(f"<i{2 * len(size) + 1}q", len(size), *size, *stride, offset),
            struct.pack("<ii", 4, 3) + storage,
            struct.pack(f"<q{len(numbers)}f", len(numbers), *numbers),
        ]
    )


def test_tensors_are_named_by_their_place_the_shallowest_first():
    weight = torch.arange(6.0).view(2, 3)
    layer = Module("nn.Linear", weight=weight, gradWeight=weight + 1)
    content = written(
        {"model": Module("nn.Sequential", modules=[layer]), "mean": 0.5, "bias": torch.ones(2), "x": True}
    )
    state = read_torch7(io.BytesIO(content))
    assert list(state) == ["bias", "model.modules.1.weight"]
    assert state["model.modules.1.weight"].equal(weight)
    assert is_torch7(content[:8])


def test_a_table_may_contain_itself():
    node = Module("nngraph.Node", weight=torch.ones(1))
    node.fields["itself"] = node
    assert list(read_torch7(io.BytesIO(written({"node": node})))) == ["node.weight"]


def test_a_tensor_may_be_a_view_of_its_storage():
    state = read_torch7(io.BytesIO(tensor((2, 2), (1, 1), 2, (1.0, 2.0, 3.0, 4.0))))
    assert state["weight"].tolist() == [[2, 3], [3, 4]]


@pytest.mark.parametrize(
    ("size", "stride", "offset"),
    [((3,), (1,), 1), ((2,), (2,), 1), ((2,), (1,), 2), ((2,), (1,), 0), ((2,), (-1,), 2), ((2**62, 4), (0, 0), 1)],
)
def test_a_tensor_that_reaches_beyond_its_storage_is_refused(size, stride, offset):
    """The package torchfile reads whatever is in memory there."""
    with pytest.raises(ValueError, match="reaches beyond its storage"):
        read_torch7(io.BytesIO(tensor(size, stride, offset)))


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (struct.pack("<iii", 3, 1, 2**30), "too large"),
        (struct.pack("<iii", 3, 1, 1) + struct.pack("<ii", 2, 2**30), "too long"),
        (struct.pack("<ii", 6, 1), "a function"),
        (struct.pack("<ii", 99, 1), "unknown kind 99"),
        (struct.pack("<iii", 3, 1, 1), "is truncated"),
        (b"".join(struct.pack("<iii", 3, n, 1) + struct.pack("<id", 1, 1) for n in range(1, 300)), "too deeply"),
        (tensor((2,), (1,), 1)[:-16] + struct.pack("<q", 2**40), "larger than the file"),
    ],
)
def test_a_file_that_asks_for_too_much_is_refused(content, reason):
    with pytest.raises(ValueError, match=reason):
        read_torch7(io.BytesIO(content))
