import asyncio
import threading

import pytest

from colorcli.serve.request_queue import ClientGone, RequestQueue, TooManyRequests, UploadBudget


async def here():
    return False


async def gone():
    return True


def with_queue(size, use):
    """Return what a coroutine function makes of a queue for so many requests."""

    async def run():
        queue = RequestQueue(size)
        try:
            return await use(queue)
        finally:
            queue.close()

    return asyncio.run(run())


def test_work_is_done_one_after_the_other_in_the_order_of_its_arrival():
    done, running = [], threading.Lock()

    def work(number):
        assert running.acquire(blocking=False)
        done.append(number)
        running.release()
        return number

    async def all_of_it(queue):
        return await asyncio.gather(*(queue.run(lambda number=number: work(number), here) for number in range(50)))

    assert with_queue(100, all_of_it) == done == list(range(50))


def test_more_than_may_wait_are_refused_at_once_and_a_place_becomes_free_again():
    async def crowd(queue):
        gate = threading.Event()
        waiting = [asyncio.create_task(queue.run(gate.wait, here)) for _ in range(3)]
        await asyncio.sleep(0)
        with pytest.raises(TooManyRequests):
            await queue.run(gate.wait, here)
        gate.set()
        await asyncio.gather(*waiting)
        assert await queue.run(lambda: 7, here) == 7

    with_queue(3, crowd)


def test_work_that_nobody_waits_for_is_not_done():
    async def leave(queue):
        with pytest.raises(ClientGone):
            await queue.run(pytest.fail, gone)

    with_queue(3, leave)


def test_an_error_is_that_of_its_request_alone():
    async def fail(queue):
        with pytest.raises(ZeroDivisionError):
            await queue.run(lambda: 1 / 0, here)
        assert await queue.run(lambda: 7, here) == 7

    with_queue(1, fail)


def test_uploads_share_a_budget():
    async def upload():
        budget = UploadBudget(100)
        async with budget.reserve(60):
            with pytest.raises(TooManyRequests):
                async with budget.reserve(60):
                    pytest.fail("there is no room")
            async with budget.reserve(40):
                pass
        async with budget.reserve(100):
            pass

    asyncio.run(upload())
