"""A clock for tests that measure time."""

import threading


class Clock:
    """A clock that only advances when told to, separately in each thread."""

    def __init__(self):
        self._of_thread = threading.local()

    def __call__(self):
        return getattr(self._of_thread, "now", 0.0)

    def advance(self, seconds):
        self._of_thread.now = self() + seconds
