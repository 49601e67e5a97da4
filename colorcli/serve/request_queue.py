"""The queue of requests: one is processed at a time, in the order of arrival, and too many are refused."""

from __future__ import annotations

import asyncio
import contextlib
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, TypeVar

from colorcli.errors import DeviceError
from colorcli.inference.transfer import is_out_of_memory

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable

Result = TypeVar("Result")


class TooManyRequests(Exception):
    """Too many requests are waiting."""


class ClientGone(Exception):
    """The client left before its request had its turn."""


class RequestQueue:
    """A single worker, and the requests that wait for it.

    Args:
        most: the most requests that may wait or be processed.
    """

    def __init__(self, most: int) -> None:
        self._most = most
        self._count = 0
        self._turn = asyncio.Lock()  # wakes waiting requests in the order of their arrival
        self._worker = ThreadPoolExecutor(1, "colorcli-serve")

    async def run(self, work: Callable[[], Result], is_gone: Callable[[], Awaitable[bool]]) -> Result:
        """Wait for a turn and do some work in the worker's thread.

        Args:
            work: may take a while.
            is_gone: returns, when the turn has come, whether the client has left.

        Returns:
            What `work` returned.

        Raises:
            TooManyRequests: too many are waiting already.
            ClientGone: the client has left.
            DeviceError: the work needs more memory than is available.
        """
        if self._count >= self._most:
            raise TooManyRequests
        self._count += 1
        try:
            async with self._turn:
                if await is_gone():
                    raise ClientGone
                return await asyncio.get_running_loop().run_in_executor(self._worker, work)
        except (RuntimeError, MemoryError) as error:
            if not is_out_of_memory(error):
                raise
            raise DeviceError("Not enough memory for this picture.", "Close other programs.") from error
        finally:
            self._count -= 1

    def close(self) -> None:
        """Finish the work in progress and start no more."""
        self._worker.shutdown(cancel_futures=True)


class UploadBudget:
    """The memory that uploads may take while they arrive and wait, all together.

    Args:
        most: bytes.
    """

    def __init__(self, most: int) -> None:
        self._left = most

    @contextlib.asynccontextmanager
    async def reserve(self, size: int) -> AsyncIterator[None]:
        """Reserve memory for an upload.

        Raises:
            TooManyRequests: others take too much of it.
        """
        if size > self._left:
            raise TooManyRequests
        self._left -= size
        try:
            yield
        finally:
            self._left += size
