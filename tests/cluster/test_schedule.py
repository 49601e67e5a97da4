"""Which worker gets which jobs, and what becomes of the jobs of a worker that ended."""

from pathlib import Path

import pytest

from colorcli.cluster.schedule import MAX_GROUP, Schedule
from colorcli.jobs import Job


def jobs(count):
    return [Job(Path(f"{n}.jpg"), Path(f"out/{n}.jpg"), f"{n}.jpg") for n in range(count)]


def drained(schedule, at_once=1):
    groups = []
    while schedule:
        groups.append(schedule.take(at_once))
    return groups


def test_every_job_is_given_once_and_in_order():
    groups = drained(Schedule(jobs(1000), workers=3))
    assert [job for group in groups for job in group] == jobs(1000)
    assert max(map(len, groups)) == MAX_GROUP


def test_a_few_jobs_are_spread_over_all_workers():
    assert len(drained(Schedule(jobs(8), workers=4))) == 8
    assert len(drained(Schedule(jobs(100), workers=4))) >= 3 * 4


def test_groups_are_multiples_of_what_a_worker_does_at_once():
    groups = drained(Schedule(jobs(100), workers=4), at_once=16)
    assert [len(group) for group in groups] == [16] * 6 + [4]
    assert len(drained(Schedule(jobs(100), workers=1), at_once=48)[0]) == 48
    assert [len(group) for group in drained(Schedule(jobs(13), workers=1), at_once=4)] == [4, 4, 4, 1]


def test_all_workers_get_some_of_the_jobs_however_many_each_can_do_at_once():
    assert [len(group) for group in drained(Schedule(jobs(8), workers=4), at_once=4)] == [2, 2, 2, 2]
    assert len(drained(Schedule(jobs(3), workers=4), at_once=4)) == 3


def test_each_worker_gets_groups_of_its_own_size():
    schedule = Schedule(jobs(200), workers=2)
    assert [len(schedule.take(at_once)) for at_once in (1, 16, 4)] == [25, 16, 24]


def test_the_jobs_of_a_worker_that_ended_are_done_alone_after_the_others():
    schedule = Schedule(jobs(6), workers=1)
    first = schedule.take(3)
    assert schedule.worker_ended(first[1:]) == []
    assert drained(schedule, 3) == [jobs(6)[3:], [first[1]], [first[2]]]
    assert [schedule.is_retry(job) for job in first] == [False, True, True]


def test_a_job_that_ends_two_workers_is_given_up_and_the_others_are_not():
    schedule = Schedule(jobs(3), workers=1)
    schedule.worker_ended(schedule.take(3))
    innocent, deadly, other = schedule.take(), schedule.take(), schedule.take()
    assert schedule.worker_ended(deadly) == deadly == [jobs(3)[1]]
    assert not schedule
    assert innocent + other == [jobs(3)[0], jobs(3)[2]]


def test_a_job_that_was_alone_from_the_beginning_gets_a_second_try():
    schedule = Schedule(jobs(1), workers=1)
    assert schedule.worker_ended(schedule.take()) == []
    assert schedule.worker_ended(schedule.take()) == jobs(1)


def test_the_loss_of_a_machine_is_not_the_fault_of_its_jobs():
    schedule = Schedule(jobs(3), workers=1)
    assert schedule.machine_lost(schedule.take(3)) == []
    group = schedule.take()
    assert group == jobs(3)
    assert schedule.worker_ended(group) == []


@pytest.mark.parametrize("ends", ["worker_ended", "machine_lost"])
def test_no_job_is_tried_forever(ends):
    schedule = Schedule(jobs(5), workers=1)
    given_up = []
    for _ in range(100):
        if not schedule:
            break
        given_up += getattr(schedule, ends)(schedule.take(5))
    assert sorted(given_up, key=str) == jobs(5)
