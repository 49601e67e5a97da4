"""Pipeline stages that run concurrently, keep their order and never run far ahead of one another."""

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

_POLL_SECONDS = 0.1  # how often a waiting thread checks whether it should stop


class _End:
    """Ends the items: with an error, or None when there are no more."""

    def __init__(self, error: BaseException | None) -> None:
        self.error = error


def prefetched(items: Generator[Item], count: int) -> Generator[Item]:
    """Produce items in a thread of their own, at most `count` ahead of the consumer.

    An error raised by `items` is raised here. Closing the generator closes `items` in that thread and waits for it.
    """
    queue: Queue[Item | _End] = Queue(count)
    stop = Event()

    def put(item: Item | _End) -> None:
        while not stop.is_set():
            with contextlib.suppress(Full):
                queue.put(item, timeout=_POLL_SECONDS)
                return

    def work() -> None:
        torch.set_num_threads(1)  # for this thread only: the other cores belong to the other stages
        end = _End(None)
        try:
            with contextlib.closing(items):
                for item in items:
                    put(item)
                    if stop.is_set():
                        return
        except BaseException as error:
            end = _End(error)
        put(end)

    thread = Thread(target=work, name="colorcli", daemon=True)
    thread.start()
    try:
        while True:
            item = queue.get()
            if not isinstance(item, _End):
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


def ordered_map(
    work: Callable[[Item], Result], items: Iterable[Item], workers: int, threads: int = 1
) -> Generator[Result]:
    """Apply a function to all items, several at once, and yield the results in order.

    Args:
        work: the function.
        items: its arguments; the next one is requested when a result is.
        workers: how many calls run at once; as many again may wait.
        threads: how many threads each call may use within torch.
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
