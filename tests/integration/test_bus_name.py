# SPDX-License-Identifier: LGPL-2.1-or-later
"""One daemon on a bus, and one when it is needed."""

import os
import signal
import subprocess

from ward_bus import HOST
from ward_sandbox import DAEMON, WorldTestCase


class BusNameTest(WorldTestCase):
    def test_second_daemon_leaves_and_names_the_first(self):
        for uri in ("qemu:///system", "test:///default"):
            with self.subTest(uri):
                second = subprocess.run(
                    [DAEMON, "--uri", uri, "--provider", "simulated"],
                    capture_output=True,
                    text=True,
                    timeout=60,
                    check=False,
                )
                self.assertEqual(second.returncode, 1)
                self.assertIn(str(self.world.ward.pid), second.stderr)
        self.assertEqual(self.client.owner_pid(), self.world.ward.pid)
        self.assertTrue(self.client.get(HOST, "Host1.Connected"))

    def test_daemon_that_ends_gives_the_name_back(self):
        self.assertEqual(self.world.ward.stop(), 0)
        self.assertFalse(self.client.has_owner())
        self.world.ward.start()


class ActivationTest(WorldTestCase):
    without = ("virtwardd",)

    def test_first_call_starts_the_daemon(self):
        self.assertFalse(self.client.has_owner())
        self.client.activate()
        self.addCleanup(os.kill, self.client.owner_pid(), signal.SIGKILL)
        self.assertEqual(self.client.get(HOST, "Host1.ApiVersion"), 3)
        with open(f"/proc/{self.client.owner_pid()}/cmdline", encoding="ascii") as cmdline:
            self.assertEqual(cmdline.read().split("\0")[0], DAEMON)

    def test_inventory_of_a_daemon_that_was_just_started_is_whole(self):
        paths = {self.define(f"listed-{number}") for number in range(20)}
        self.client.activate()
        self.addCleanup(os.kill, self.client.owner_pid(), signal.SIGKILL)
        objects = self.client.objects()
        self.assertLessEqual(paths, set(objects))
        self.assertEqual({objects[path]["Domain1"]["Name"] for path in paths},
                         {f"listed-{number}" for number in range(20)})
