import numpy as np
import torch

from colorcli.film.chroma_table import ChromaTable


def encode(luma, ab):
    """U and V that tell a, b and Y from one another."""
    u, v = ab
    return torch.stack((128 + u / 2 + luma[0] / 8, 128 + v / 2 - luma[0] / 8)).to(torch.uint8)


def colors(size, chroma, seed=0):
    random = torch.Generator().manual_seed(seed)
    luma = torch.randint(0, 256, size, generator=random).to(torch.uint8)
    return luma, torch.rand((2, *size), generator=random).sub(0.5).mul(2 * chroma)


def test_chroma_is_rounded_to_half_a_unit_and_y_is_exact():
    luma, ab = colors((30, 40), 40)
    u, v = ChromaTable(encode).planes(luma, ab.clone())
    rounded = (2 * ab + 0.5).floor() / 2
    assert np.array_equal([u, v], encode(luma[None], rounded).numpy())
    assert u.flags.c_contiguous
    assert v.flags.c_contiguous


def test_chroma_beyond_the_limit_is_limited():
    luma = torch.full((1, 4), 100, dtype=torch.uint8)
    ab = torch.tensor([[[-500.0, 500.0, -128.0, 128.0]], [[500.0, -500.0, 128.0, -128.0]]])
    u, v = ChromaTable(encode).planes(luma, ab)
    assert u[0, 0] == u[0, 2]
    assert u[0, 1] == u[0, 3]
    assert v[0, 0] == v[0, 2]
    assert v[0, 1] == v[0, 3]


def test_a_color_is_computed_only_when_it_is_first_needed():
    asked = []

    def counted(luma, ab):
        asked.append(ab)
        return encode(luma, ab)

    table = ChromaTable(counted)
    luma, ab = colors((8, 8), 1)
    table.planes(luma, ab.clone())
    first = len(asked)
    assert 1 <= first <= 8  # of thousands of blocks
    table.planes(luma, ab.clone())
    table.planes(*colors((8, 8), 1, seed=1))
    assert len(asked) == first
    table.planes(luma, ab + 50)
    assert len(asked) > first
