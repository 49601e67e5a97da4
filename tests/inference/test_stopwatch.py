import threading

import pytest

from colorcli.inference.stopwatch import Stopwatch
from tests.clock import Clock


@pytest.fixture
def clock():
    return Clock()


def test_stages_are_added_up(clock):
    watch = Stopwatch(clock=clock)
    for _ in range(3):
        with watch.stage("decode"):
            clock.advance(2)
        clock.advance(100)  # which is nobody's
        with watch.stage("join"):
            clock.advance(5)
    assert watch.seconds == {"decode": 6, "join": 15}


def test_a_stage_inside_another_counts_only_for_itself(clock):
    watch = Stopwatch(clock=clock)
    with watch.stage("encode"):
        clock.advance(1)
        with watch.stage("network"):
            clock.advance(10)
            with watch.stage("encode"):
                clock.advance(100)
            clock.advance(20)
        clock.advance(2)
    assert watch.seconds == {"encode": 103, "network": 30}


def test_threads_do_not_count_for_each_other(clock):
    watch = Stopwatch(clock=clock)
    inside, left = threading.Event(), threading.Event()

    def work():
        with watch.stage("join"):
            clock.advance(7)
            inside.set()
            left.wait(60)

    thread = threading.Thread(target=work)
    with watch.stage("decode"):
        thread.start()
        inside.wait(60)
        clock.advance(1)
    left.set()
    thread.join()
    assert watch.seconds == {"decode": 1, "join": 7}


def test_an_error_within_a_stage_ends_it(clock):
    watch = Stopwatch(clock=clock)

    def encode():
        with watch.stage("encode"):
            clock.advance(3)
            raise OSError("the disk is full")

    with pytest.raises(OSError, match="full"):
        encode()
    clock.advance(50)
    with watch.stage("decode"):
        clock.advance(1)
    assert watch.seconds == {"encode": 3, "decode": 1}


def test_a_devices_work_counts_for_the_stage_that_started_it(clock):
    watch = Stopwatch(settle=lambda: clock.advance(10), clock=clock)
    with watch.stage("network"):
        clock.advance(1)
    assert watch.seconds == {"network": 11}
