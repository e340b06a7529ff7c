# SPDX-License-Identifier: LGPL-2.1-or-later
"""Daemons as plain processes of the sandbox: started, killed, hung and counted by the tests."""

import os
import signal
import socket
import subprocess
import time

# Far more than anything takes: a limit for what hangs, never a measure. A debug kernel is slower.
PATIENCE = 60 * int(os.environ.get("LAB_SLOWER", "1"))
# What one look at something may count for in a wait, in seconds.
LONGEST_STEP = 15
# Of a daemon's output, when a test shows it.
LAST_LINES = 20


def wait_for(predicate, what, seconds=PATIENCE):
    """Returns the first true value of predicate(). A machine that stood still, and lost its clock's
    minutes at once, has not waited for them."""
    last = time.monotonic()
    waited = 0
    while True:
        value = predicate()
        if value:
            return value
        now = time.monotonic()
        waited += min(now - last, LONGEST_STEP)
        last = now
        if waited > seconds:
            raise AssertionError(f"waited {seconds} s in vain for {what}")
        time.sleep(0.01)


def accepts(path):
    """Whether something listens on the Unix socket."""
    with socket.socket(socket.AF_UNIX) as client:
        try:
            client.connect(path)
        except OSError:
            return False
    return True


class Daemon:
    """One daemon in the foreground. ready() says when it serves; its output is kept in a file."""

    def __init__(self, name, argv, ready, env=None):
        self.name = name
        self.argv = argv
        self.ready = ready
        self.env = env
        self.log = os.path.join(os.environ.get("TMPDIR", "/tmp"), name + ".log")
        self.process = None

    @property
    def pid(self):
        return self.process.pid

    @property
    def running(self):
        return self.process is not None and self.process.poll() is None

    def start(self):
        assert not self.running, f"{self.name} runs already"
        with open(self.log, "ab") as log:
            self.process = subprocess.Popen(
                self.argv,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env={**os.environ, **(self.env or {})},
            )
        wait_for(self._ready_or_dead, f"{self.name} to be ready")
        return self

    def _ready_or_dead(self):
        if not self.running:
            raise AssertionError(
                f"{self.name} ended with status {self.process.returncode}:\n{self.output()}"
            )
        return self.ready()

    def signal(self, number):
        self.process.send_signal(number)

    def stop(self):
        """SIGTERM; returns the exit status."""
        if self.running:
            self.signal(signal.SIGTERM)
        return self.process.wait(PATIENCE)

    def kill(self):
        """SIGKILL."""
        if self.running:
            self.signal(signal.SIGKILL)
        self.process.wait(PATIENCE)

    def pause(self):
        self.signal(signal.SIGSTOP)
        wait_for(lambda: process_state(self.pid) == "T", f"{self.name} to stop")

    def resume(self):
        self.signal(signal.SIGCONT)

    def output(self):
        with open(self.log, encoding="utf-8", errors="replace") as log:
            return "".join(log.readlines()[-LAST_LINES:])


def status_field(pid, name, task=None):
    """A number from /proc/PID/status, in its own unit there (kB for sizes)."""
    path = f"/proc/{pid}/status" if task is None else f"/proc/{pid}/task/{task}/status"
    with open(path, encoding="ascii") as status:
        for line in status:
            if line.startswith(name + ":"):
                return int(line.split()[1])
    raise KeyError(name)


def process_state(pid):
    with open(f"/proc/{pid}/stat", encoding="ascii", errors="replace") as stat:
        return stat.read().rpartition(")")[2].split()[0]


def rss_kib(pid):
    return status_field(pid, "VmRSS")


def open_files(pid):
    return len(os.listdir(f"/proc/{pid}/fd"))


def threads(pid):
    return len(os.listdir(f"/proc/{pid}/task"))


def context_switches(pid):
    """Of all threads: a sleeping process has none."""
    return sum(
        status_field(pid, kind, task)
        for task in os.listdir(f"/proc/{pid}/task")
        for kind in ("voluntary_ctxt_switches", "nonvoluntary_ctxt_switches")
    )
