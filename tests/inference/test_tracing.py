import threading

import pytest

from colorcli.inference.tracing import TracingNeeded, alone, call_networks


def in_a_thread(call):
    thread = threading.Thread(target=call)
    thread.start()
    return thread


@pytest.fixture
def events():
    return []


def trace(events):
    with alone():
        events.append("traced")


def test_tracing_waits_until_no_other_thread_calls_a_network(events):
    def call():
        tracing = in_a_thread(lambda: trace(events))
        tracing.join(0.1)
        events.append("called")
        return tracing

    call_networks(call).join()
    assert events == ["called", "traced"]


def test_no_thread_calls_a_network_during_tracing(events):
    with alone():
        calling = in_a_thread(lambda: call_networks(lambda: events.append("called")))
        calling.join(0.1)
        events.append("traced")
    calling.join()
    assert events == ["traced", "called"]


def test_several_threads_call_networks_at_once():
    together = threading.Barrier(4)
    threads = [in_a_thread(lambda: call_networks(lambda: together.wait(60))) for _ in range(4)]
    for thread in threads:
        thread.join()
    assert not together.broken


def test_a_call_that_has_to_trace_is_repeated_alone(events):
    def call():
        events.append("called")
        trace(events)
        trace(events)
        return "result"

    assert call_networks(call) == "result"
    assert events == ["called", "called", "traced", "traced"]


def test_a_call_that_holds_a_lock_while_it_traces_does_not_stop_the_threads_that_wait_for_it(events):
    lock = threading.Lock()

    def call():
        with lock:
            trace(events)

    threads = [in_a_thread(lambda: call_networks(call)) for _ in range(8)]
    for thread in threads:
        thread.join(60)
    assert events == ["traced"] * 8


def test_calls_within_a_call_are_repeated_with_it(events):
    def outer():
        events.append("outer")
        call_networks(lambda: trace(events))

    call_networks(outer)
    assert events == ["outer", "outer", "traced"]


def test_errors_leave_no_thread_waiting(events):
    def fail():
        raise ValueError("expected")

    with pytest.raises(ValueError, match="expected"):
        call_networks(fail)
    with pytest.raises(ValueError, match="expected"), alone():
        fail()
    call_networks(lambda: trace(events))
    assert events == ["traced"]


def test_nothing_that_a_program_catches_hides_the_need(events):
    def call():
        try:
            trace(events)
        except Exception:
            events.append("hidden")

    call_networks(call)
    assert events == ["traced"]
    assert not issubclass(TracingNeeded, Exception)
