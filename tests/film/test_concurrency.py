import threading
import time

import pytest

from colorcli.film.concurrency import ahead, in_order


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
    for _ in range(200):
        if condition():
            return True
        time.sleep(0.01)
    return False


def test_items_come_in_order_and_all_of_them():
    assert list(ahead((n for n in range(50)), 3)) == list(range(50))
    assert list(in_order(lambda n: n * n, range(50), 4)) == [n * n for n in range(50)]


def test_items_are_made_before_they_are_asked_for_but_only_so_many():
    made = []
    items = ahead(counted(range(50), made), 3)
    assert next(items) == 0
    assert eventually(lambda: len(made) == 5)  # one handed over, three that wait, one in the maker's hand
    time.sleep(0.05)
    assert len(made) == 5
    items.close()


def test_no_more_is_worked_on_than_twice_the_workers():
    made = []
    results = in_order(lambda n: n, counted(range(50), made), 2)
    assert next(results) == 0
    assert len(made) == 4
    results.close()


def test_several_are_worked_on_at_once():
    together = threading.Barrier(3, timeout=20)
    assert len(list(in_order(lambda n: together.wait(), range(6), 3))) == 6


def test_an_error_is_raised_where_its_item_was_asked_for():
    items = ahead(failing(3), 2)
    assert [next(items) for _ in range(3)] == [0, 1, 2]
    with pytest.raises(OSError, match="gone"):
        next(items)
    results = in_order(lambda n: 1 // n, [2, 1, 0, 1], 1)
    assert [next(results), next(results)] == [0, 1]
    with pytest.raises(ZeroDivisionError):
        next(results)


def test_closing_ends_the_thread_and_closes_what_it_read():
    closed = []
    items = ahead(closing(closed), 2)
    next(items)
    items.close()
    assert closed
    assert closed[0] is not threading.current_thread()
    assert not closed[0].is_alive()


def test_closing_the_last_of_a_line_ends_every_thread_of_it():
    before = threading.active_count()
    closed = []
    line = in_order(lambda n: n, ahead(in_order(lambda n: n, ahead(closing(closed), 2), 2), 2), 2)
    assert next(line) == 0
    line.close()
    del line
    assert eventually(lambda: threading.active_count() == before)
    assert closed
