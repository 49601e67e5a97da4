import torch

from colorcli.hints.like import ColorTable


def planes(*values, side=32):
    return torch.tensor(values).view(1, -1, 1, 1).expand(1, len(values), side, side)


def test_errors_in_the_reference_are_corrected_in_similar_places():
    table = ColorTable(planes(50.0), planes(10.0, 20.0), planes(5.0, 30.0))
    found = table.difference(planes(50.0, side=4), planes(10.0, 20.0, side=4))
    assert found.shape == (1, 2, 4, 4)
    expected = torch.tensor([-5.0, 10.0]) / 1.1  # a tenth of doubt draws it toward no change
    assert (found[0, :, 0, 0] - expected).abs().max() < 0.5


def test_nothing_changes_where_the_reference_has_nothing_similar():
    table = ColorTable(planes(20.0), planes(10.0, 20.0), planes(-20.0, 40.0))
    for lightness, ab in ((90.0, (10.0, 20.0)), (20.0, (-50.0, -50.0))):
        assert table.difference(planes(lightness), planes(*ab)).abs().max() < 0.1


def test_the_ab_of_places_are_not_mixed_up():
    dark = ColorTable(planes(20.0), planes(40.0, -30.0), planes(45.0, -30.0))
    assert dark.difference(planes(20.0), planes(40.0, -30.0))[0, :, 0, 0].tolist()[0] > 4
    assert dark.difference(planes(20.0), planes(-30.0, 40.0)).abs().max() < 0.1


def test_a_color_moves_by_30_at_most():
    table = ColorTable(planes(50.0), planes(0.0, 0.0), planes(90.0, -90.0))
    assert table.difference(planes(50.0), planes(0.0, 0.0)).norm(dim=1).max() < 30.1


def test_a_reference_that_the_model_colors_right_changes_nothing():
    noise = torch.rand(1, 2, 32, 32, generator=torch.Generator().manual_seed(0)) * 60 - 30
    table = ColorTable(planes(50.0), noise, noise)
    assert table.difference(planes(50.0), noise).abs().max() < 1e-4
