"""A clock for tests of what takes how long."""

import threading


class Clock:
    """Goes on only when told to, in each thread for itself."""

    def __init__(self):
        self._of_thread = threading.local()

    def __call__(self):
        return getattr(self._of_thread, "now", 0.0)

    def go_on(self, seconds):
        self._of_thread.now = self() + seconds
