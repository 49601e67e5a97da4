"""Stages of work that run at the same time, in order, and never far ahead of one another."""

from __future__ import annotations

import contextlib
from collections import deque
from concurrent.futures import ThreadPoolExecutor
from queue import Empty, Full, Queue
from threading import Event, Thread
from typing import TYPE_CHECKING, TypeVar

import torch

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterable
    from concurrent.futures import Future

Item = TypeVar("Item")
Result = TypeVar("Result")

_PATIENCE = 0.1  # seconds, after which a thread looks whether anybody still waits for it


class _Raised:
    """What ended the items: an error, or None for their end."""

    def __init__(self, error: BaseException | None) -> None:
        self.error = error


def ahead(items: Generator[Item], count: int) -> Generator[Item]:
    """Make items in a thread of their own, at most so many before they are asked for.

    An error among them is raised here. Closing the generator closes `items`, in that thread, and waits for it.

    Args:
        items: what to make.
        count: how many may wait.
    """
    queue: Queue[Item | _Raised] = Queue(count)
    stop = Event()

    def put(item: Item | _Raised) -> None:
        while not stop.is_set():
            with contextlib.suppress(Full):
                queue.put(item, timeout=_PATIENCE)
                return

    def work() -> None:
        torch.set_num_threads(1)  # of this thread: others have the rest of the cores
        ended = _Raised(None)
        try:
            with contextlib.closing(items):
                for item in items:
                    put(item)
                    if stop.is_set():
                        return
        except BaseException as error:
            ended = _Raised(error)
        put(ended)

    thread = Thread(target=work, name="colorcli", daemon=True)
    thread.start()
    try:
        while True:
            item = queue.get()
            if not isinstance(item, _Raised):
                yield item
            elif item.error is None:
                return
            else:
                raise item.error
    finally:
        stop.set()
        with contextlib.suppress(Empty):
            while True:
                queue.get_nowait()
        thread.join()


def in_order(
    work: Callable[[Item], Result], items: Iterable[Item], workers: int, threads: int = 1
) -> Generator[Result]:
    """Do the same to all items, several at once, and give the results in their order.

    Args:
        work: what to do.
        items: to what; the next is asked for when a result is.
        workers: how many are worked on at once; as many again may wait.
        threads: how many each may use within torch.
    """
    pool = ThreadPoolExecutor(workers, "colorcli", torch.set_num_threads, (threads,))
    waiting: deque[Future[Result]] = deque()
    try:
        for item in items:
            waiting.append(pool.submit(work, item))
            if len(waiting) == 2 * workers:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()
    finally:
        pool.shutdown(cancel_futures=True)
