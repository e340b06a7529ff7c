# SPDX-License-Identifier: LGPL-2.1-or-later
"""Whether this machine stood still: a virtual one may, for many seconds."""

import threading
import time

JUMP = 2  # seconds; many times what a busy machine makes a thread wait


class Clock(threading.Thread):
    """Notes how far the clock jumped."""

    def __init__(self):
        super().__init__(daemon=True)
        self.jump = 0
        self.start()

    def run(self):
        while True:
            before = time.monotonic()
            time.sleep(0.1)
            self.jump = max(self.jump, time.monotonic() - before - 0.1)

    def take(self):
        """Seconds of the longest jump since the last call; 0 when nothing stood still."""
        jump, self.jump = self.jump, 0
        return jump if jump >= JUMP else 0
