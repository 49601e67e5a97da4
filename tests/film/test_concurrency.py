import threading
import time

import pytest

from colorcli.film.concurrency import ordered_map, prefetched


def counted(numbers, made):
    for number in numbers:
        made.append(number)
        yield number


def failing(after):
    yield from range(after)
    raise OSError("gone")


def closing(closed):
    try:
        yield from range(1000)
    finally:
        closed.append(threading.current_thread())


def eventually(condition):
    for _ in range(6000):
        if condition():
            return True
        time.sleep(0.01)
    return False


def test_all_items_arrive_in_order():
    assert list(prefetched((n for n in range(50)), 3)) == list(range(50))
    assert list(ordered_map(lambda n: n * n, range(50), 4)) == [n * n for n in range(50)]


def test_items_are_prefetched_up_to_a_limit():
    made = []
    items = prefetched(counted(range(50), made), 3)
    assert next(items) == 0
    assert eventually(lambda: len(made) == 5)  # one handed over, three that wait, one in the maker's hand
    time.sleep(0.05)
    assert len(made) == 5
    items.close()


def test_at_most_twice_as_many_items_as_workers_are_taken():
    made = []
    results = ordered_map(lambda n: n, counted(range(50), made), 2)
    assert next(results) == 0
    assert len(made) == 4
    results.close()


def test_several_items_are_processed_at_once():
    together = threading.Barrier(3, timeout=20)
    assert len(list(ordered_map(lambda n: together.wait(), range(6), 3))) == 6


def test_an_error_is_raised_in_place_of_its_item():
    items = prefetched(failing(3), 2)
    assert [next(items) for _ in range(3)] == [0, 1, 2]
    with pytest.raises(OSError, match="gone"):
        next(items)
    results = ordered_map(lambda n: 1 // n, [2, 1, 0, 1], 1)
    assert [next(results), next(results)] == [0, 1]
    with pytest.raises(ZeroDivisionError):
        next(results)


def test_closing_ends_the_thread_and_closes_its_input():
    closed = []
    items = prefetched(closing(closed), 2)
    next(items)
    items.close()
    assert closed
    assert closed[0] is not threading.current_thread()
    assert not closed[0].is_alive()


def test_closing_the_last_stage_ends_every_thread():
    before = threading.active_count()
    closed = []
    line = ordered_map(lambda n: n, prefetched(ordered_map(lambda n: n, prefetched(closing(closed), 2), 2), 2), 2)
    assert next(line) == 0
    line.close()
    del line
    assert eventually(lambda: threading.active_count() == before)
    assert closed
