import torch

from colorcli_zhang.bins import bin_centers
from colorcli_zhang.preferences import preference

CENTERS = bin_centers()


def flat(side=24, level=50.0):
    return torch.full((1, 1, side, side), level)


def drawn(lightness, seeds):
    return torch.cat([preference(lightness, CENTERS, seed) for seed in seeds])


def test_a_preference_has_the_mean_zero_and_the_same_spread_everywhere():
    spread = drawn(flat(8), range(60))
    assert abs(spread.mean()) < 0.1
    assert abs(spread.std() - 1.4) < 0.1
    assert spread.std(dim=(0, 1)).min() > 1.1


def test_preferences_are_similar_for_near_colors_and_places_and_independent_for_far_ones():
    nats = drawn(flat(), range(40))
    apart = torch.cdist(CENTERS, CENTERS)
    near, far = (apart == 10).nonzero()[0], (apart > 150).nonzero()[0]

    def alike(one, other):
        return torch.corrcoef(torch.stack([one.flatten(), other.flatten()]))[0, 1]

    assert alike(*nats[:, near, 0, 0].T) > 0.8
    assert abs(alike(*nats[:, far, 0, 0].T)) < 0.5
    assert alike(nats[:, :, 0, 0], nats[:, :, 0, 1]) > 0.95


def test_a_preference_depends_on_seed_and_lightness():
    halves = flat()
    halves[..., 12:] = 100.0
    one, again, other = (preference(halves, CENTERS, seed) for seed in (3, 3, 4))
    assert one.equal(again)
    assert not one.allclose(other, atol=0.5)
    within, across = (one[..., 10] - one[..., 11]).abs().mean(), (one[..., 11] - one[..., 12]).abs().mean()
    assert across > 5 * within


def test_a_seed_is_the_same_preference_in_every_precision():
    ramp = torch.linspace(0, 100, 24).expand(1, 1, 24, 24)
    with torch.autocast("cpu", torch.bfloat16):
        reduced = preference(ramp, CENTERS, 5)
    assert reduced.equal(preference(ramp, CENTERS, 5))
