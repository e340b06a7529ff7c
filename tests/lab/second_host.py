# SPDX-License-Identifier: LGPL-2.1-or-later
"""A second host with all its daemons, for what takes two. As a program: that host's side of it."""

import os
import subprocess
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "integration"))

from ward_bus import Client  # noqa: E402
from ward_sandbox import World  # noqa: E402


class SecondHost:
    """Shares the directory with this host, and nothing else."""

    def __init__(self, shared):
        self.shared = shared

    def start(self):
        subprocess.run(["mount", "-t", "tmpfs", "shared", self.shared], check=True)
        self.process = subprocess.Popen(
            [os.path.join(HERE, "second-host"), self.shared, sys.executable, "-B", __file__],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        line = self.process.stdout.readline()
        assert line == "ready\n", f"the second host did not start: {line}"
        root = f"/proc/{self.process.pid}/root/run"
        self.uri = f"qemu+unix:///system?socket={root}/libvirt/libvirt-sock"
        self.client = Client(f"unix:path={root}/dbus/system_bus_socket")
        return self

    def virsh(self, *arguments, check=True):
        words = ["virsh", "-c", self.uri, *arguments]
        result = subprocess.run(words, capture_output=True, text=True, check=False)
        assert not check or result.returncode == 0, result.stderr
        return result

    def stop(self):
        """Its guests must be gone by now."""
        self.client.close()
        self.process.communicate()
        subprocess.run(["umount", self.shared], check=True)


def main():
    world = World(provider="auto").start()
    print("ready", flush=True)
    sys.stdin.read()
    world.stop()


if __name__ == "__main__":
    main()
