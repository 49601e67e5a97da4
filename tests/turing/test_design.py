from collections import Counter

import pytest

from colorcli.errors import DataError
from colorcli.turing.design import REAL, default_practice, design

SCENES = [f"{n:02d}.jpg" for n in range(26)]


def test_everybody_sees_every_scene_once_and_half_of_them_real():
    for models in (["a"], ["a", "b", "c"]):
        dealt = design(SCENES, models, practice=2, seed=0)
        assert len(dealt.groups) == 2 * len(models)
        for practice, group in zip(dealt.practice, dealt.groups, strict=True):
            assert sorted(scene for scene, _ in practice + group) == SCENES
            count = Counter(version for _, version in group)
            assert count[REAL] == 12
            assert all(count[model] == 12 / len(models) for model in models)


def test_all_groups_together_see_every_version_of_a_scene_in_its_share():
    dealt = design(SCENES, ["a", "b"], practice=0, seed=0)
    count = Counter(pair for group in dealt.groups for pair in group)
    assert all((count[s, REAL], count[s, "a"], count[s, "b"]) == (2, 1, 1) for s in SCENES)


def test_the_practice_scenes_depend_on_the_seed_and_not_on_their_order():
    one, again, other = (
        design(scenes, ["a"], practice=5, seed=seed) for scenes, seed in ((SCENES, 1), (SCENES[::-1], 1), (SCENES, 2))
    )
    assert one == again
    assert {scene for scene, _ in one.practice[0]} != {scene for scene, _ in other.practice[0]}


def test_a_fifth_of_the_scenes_and_at_most_ten_are_for_practice():
    assert [default_practice(count) for count in (2, 5, 24, 50, 200)] == [0, 1, 4, 10, 10]


def test_a_test_needs_two_scenes():
    with pytest.raises(DataError, match="needs 4 photographs in color, 2 of them for practice, got 3"):
        design(SCENES[:3], ["a"], practice=2, seed=0)
