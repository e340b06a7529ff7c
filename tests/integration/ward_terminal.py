# SPDX-License-Identifier: LGPL-2.1-or-later
"""A program on a pseudo terminal, with the test at the keyboard."""

import os
import pty
import re
import select
import signal
import termios
import time

from ward_processes import PATIENCE


class Terminal:
    def __init__(self, argv, env, cwd=None):
        self.seen = ""
        self.mark = 0
        self.pid, self.fd = pty.fork()
        if self.pid == 0:
            os.chdir(cwd or "/")
            os.execvpe(argv[0], argv, env)
        self.status = None

    def type(self, text):
        os.write(self.fd, text.encode())

    def read(self, seconds):
        ready, _, _ = select.select([self.fd], [], [], seconds)
        if not ready:
            return False
        try:
            data = os.read(self.fd, 65536)
        except OSError:
            data = b""
        self.seen += data.decode("utf-8", "replace")
        return bool(data)

    def expect(self, pattern):
        """Waits for it in what has come since the last match; returns the match."""
        end = time.monotonic() + PATIENCE
        while True:
            match = re.compile(pattern).search(self.seen, self.mark)
            if match:
                self.mark = match.end()
                return match
            if time.monotonic() > end or not self.read(max(0, end - time.monotonic())):
                raise AssertionError(f"no {pattern!r} in {self.seen[self.mark:]!r}")

    def type_password(self, password):
        """Once nothing that is typed would be shown, or thrown away."""
        end = time.monotonic() + PATIENCE
        while termios.tcgetattr(self.fd)[3] & termios.ECHO:
            if time.monotonic() > end:
                raise AssertionError(f"nobody hides a password: {self.seen[self.mark:]!r}")
            time.sleep(0.01)
        self.type(password + "\n")

    def finish(self):
        """The wait status, after the end of the output."""
        end = time.monotonic() + PATIENCE
        while self.read(max(0, end - time.monotonic())):
            pass
        if time.monotonic() > end:
            raise AssertionError(f"it does not end: {self.seen[self.mark:]!r}")
        _, self.status = os.waitpid(self.pid, 0)
        os.close(self.fd)
        return self.status

    def close(self):
        if self.status is None:
            os.kill(self.pid, signal.SIGKILL)
            os.waitpid(self.pid, 0)
            os.close(self.fd)
