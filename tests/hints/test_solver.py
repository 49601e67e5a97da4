import pytest
import torch

from colorcli.hints.solver import GridSystem

FALLOFF, PULL = 4.0, 1e-2


def dense(lightness):
    """The matrix of the system, built one pair of neighbors at a time."""
    height, width = lightness.shape
    matrix = torch.eye(height * width, dtype=torch.float64) * PULL
    for y in range(height):
        for x in range(width):
            for down, across in ((0, 1), (1, 0), (1, 1), (1, -1)):
                if 0 <= y + down < height and 0 <= x + across < width:
                    gap = (lightness[y, x] - lightness[y + down, x + across]).double()
                    bond = torch.exp(-((gap / FALLOFF) ** 2))
                    i, j = y * width + x, (y + down) * width + x + across
                    matrix[i, i] += bond
                    matrix[j, j] += bond
                    matrix[i, j] -= bond
                    matrix[j, i] -= bond
    return matrix


@pytest.mark.parametrize("shape", [(7, 5), (5, 9), (1, 6), (6, 1), (1, 1), (2, 2)])
def test_the_solution_is_that_of_the_dense_system(shape):
    generator = torch.Generator().manual_seed(0)
    lightness = torch.rand(shape, generator=generator) * 20
    right_side = torch.randn(3, *shape, generator=generator)
    expected = torch.linalg.solve(dense(lightness), right_side.flatten(1).double().T).T.view(3, *shape)
    found = GridSystem(lightness, FALLOFF, PULL).solve(right_side)
    assert torch.allclose(found.double(), expected, rtol=1e-3, atol=1e-3 * float(expected.abs().max()))


def test_what_is_solved_for_is_left_unchanged():
    right_side = torch.ones(1, 4, 3)
    GridSystem(torch.zeros(4, 3), FALLOFF, PULL).solve(right_side)
    assert right_side.eq(1).all()
