# SPDX-License-Identifier: LGPL-2.1-or-later
"""The private world itself: what every other test here rests on."""

import os
import subprocess
import unittest

from ward_sandbox import World


class WorldTest(unittest.TestCase):
    def test_a_real_guest_starts_in_a_libvirt_of_its_own(self):
        world = World()
        self.addCleanup(world.stop)
        world.start(without=["virtwardd"])
        world.define("world")
        world.virsh("start", "world")
        with open(f"/proc/{world.guest_pid('world')}/comm", encoding="ascii") as comm:
            self.assertIn("qemu-system", comm.read())
        world.virsh("destroy", "world")
        self.assertEqual(world.state("world"), "shut off")

    def test_nothing_of_the_outside_is_reachable(self):
        links = subprocess.run(["ip", "-brief", "link"], capture_output=True, text=True, check=True)
        self.assertEqual([line.split()[0] for line in links.stdout.splitlines()], ["lo"])
        self.assertEqual(os.listdir("/sys/fs/cgroup"), [])
        pids = [int(name) for name in os.listdir("/proc") if name.isdigit()]
        self.assertIn(1, pids)
        with open("/proc/1/cmdline", "rb") as cmdline:
            self.assertIn(b"--inside", cmdline.read())
