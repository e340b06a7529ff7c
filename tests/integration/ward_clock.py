# SPDX-License-Identifier: LGPL-2.1-or-later
"""Whether this machine stood still: a virtual one may, for many seconds."""

import threading
import time

JUMP = 2  # seconds; many times what a busy machine makes a thread wait
TICK = 0.1  # seconds


class Clock(threading.Thread):
    """Notes how far the clock jumped.

    Whoever asks may be awake before this thread is: the time since its last look counts, too.
    """

    def __init__(self):
        super().__init__(daemon=True)
        self.lock = threading.Lock()  # guards the rest
        self.jump = 0
        self.last = time.monotonic()
        self.start()

    def look(self):
        now = time.monotonic()
        self.jump = max(self.jump, now - self.last - TICK)
        self.last = now

    def run(self):
        while True:
            time.sleep(TICK)
            with self.lock:
                self.look()

    def take(self):
        """Seconds of the longest jump since the last call; 0 when nothing stood still."""
        with self.lock:
            self.look()
            jump, self.jump = self.jump, 0
        return jump if jump >= JUMP else 0
