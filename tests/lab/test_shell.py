# SPDX-License-Identifier: LGPL-2.1-or-later
"""`make lab` as a person meets it: a terminal, a few commands, the end. Wants WARD_BUILD_ROOT."""

import fcntl
import glob
import os
import pty
import select
import struct
import tempfile
import termios
import unittest

HERE = os.path.dirname(os.path.realpath(__file__))
PROMPT = "lab# "
ROWS, COLUMNS = 33, 101
# For what hangs: nothing is printed for so long only then, also while a kernel is built.
PATIENCE = 1200
SIMULATED = (
    "gdbus call --system -d org.virtward -o /org/virtward/host"
    " -m org.freedesktop.DBus.Properties.Get org.virtward.Host1 Simulated"
)


def processes_of_session(session):
    found = []
    for path in glob.glob("/proc/[0-9]*/stat"):
        try:
            with open(path, encoding="utf-8", errors="replace") as file:
                fields = file.read().rpartition(")")[2].split()
        except (FileNotFoundError, ProcessLookupError):
            continue
        if int(fields[3]) == session and fields[0] != "Z":
            found.append(path)
    return found


class Terminal:
    """A program on a terminal of its own, which outlives it."""

    def __init__(self, *command, **environment):
        # The other end is kept open, so that what the program leaves of the terminal can be seen.
        self.master, self.slave = pty.openpty()
        fcntl.ioctl(self.slave, termios.TIOCSWINSZ, struct.pack("HHHH", ROWS, COLUMNS, 0, 0))
        self.modes = termios.tcgetattr(self.slave)
        self.seen = ""
        self.pid = os.fork()
        if self.pid == 0:
            self._login()
            os.execvpe(command[0], command, {**os.environ, **environment})

    def _login(self):
        os.setsid()
        fcntl.ioctl(self.slave, termios.TIOCSCTTY, 0)
        for fd in range(3):
            os.dup2(self.slave, fd)
        os.closerange(3, 256)

    def read_until(self, words):
        """Returns what was printed before them."""
        while words not in self.seen:
            if not select.select([self.master], [], [], PATIENCE)[0]:
                raise AssertionError(f"no {words!r} after:\n{self.seen}")
            self.seen += os.read(self.master, 4096).decode(errors="replace").replace("\r", "")
        before, _, self.seen = self.seen.partition(words)
        return before

    def run(self, command):
        """Returns what a shell's command printed, and its status."""
        os.write(self.master, f"{command}; echo status=$?.\n".encode())
        self.read_until("echo status=$?.\n")
        output = self.read_until("status=")
        status = self.read_until(".\n")
        self.read_until(PROMPT)
        return output, int(status)

    def end(self, words):
        os.write(self.master, words.encode())
        return os.waitstatus_to_exitcode(os.waitpid(self.pid, 0)[1])


class ShellTest(unittest.TestCase):
    def assert_prints(self, terminal, command, words):
        output, status = terminal.run(command)
        self.assertIn(words, output)
        self.assertEqual(status, 0, output)

    def test_a_persons_visit(self):
        with tempfile.TemporaryDirectory(prefix="virtward-lab-test.", dir="/tmp") as logs:
            terminal = Terminal(
                os.path.join(HERE, "shell"), os.environ["WARD_BUILD_ROOT"], TMPDIR=logs
            )
            # The welcome has been read to its end.
            self.assertIn("virsh-ward", terminal.read_until(PROMPT))
            self.assert_prints(terminal, "stty size", f"{ROWS} {COLUMNS}")
            self.assert_prints(terminal, "virsh list --name --state-running", "guest")
            self.assert_prints(terminal, "virsh-ward protection-info guest", "attached")
            for state in ("off", "on"):
                command = f"virsh-ward isolation-set guest {state} --live"
                self.assert_prints(terminal, command, f"Isolation of domain 'guest' set to {state}")
                self.assert_prints(terminal, "virsh-ward isolation-stats guest", "Entries without:")
            self.assert_prints(terminal, SIMULATED, "(<false>,)")
            self.assertEqual(terminal.end("exit 3\n"), 0)
            self.assertEqual(os.listdir(logs), [])
        self.assertEqual(termios.tcgetattr(terminal.slave), terminal.modes)
        self.assertEqual(processes_of_session(terminal.pid), [])


if __name__ == "__main__":
    unittest.main()
