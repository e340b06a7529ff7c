# SPDX-License-Identifier: LGPL-2.1-or-later
"""A daemon with nothing to do does nothing: the kernel counts how often its threads ran.

libvirtd asks every client every few seconds whether it lives, and libvirt's library answers from
inside the daemon. That is libvirtd's setting (keepalive_interval), so it is turned off here, and
what is counted is what virtwardd does of its own.
"""

import time

from ward_processes import context_switches
from ward_sandbox import WorldTestCase

# Thread pools let idle threads go after a while, once: wait for that to be over.
SETTLE = 60
WINDOW = 10


class IdleTest(WorldTestCase):
    @classmethod
    def setUpClass(cls):
        with open("/etc/libvirt/libvirtd.conf", "a", encoding="utf-8") as config:
            config.write("keepalive_interval = -1\n")
        super().setUpClass()

    def test_idle_daemon_does_not_wake_up(self):
        path = self.define("idle", '<ward:isolation state="on"/><ward:teardown/>')
        self.world.virsh("start", "idle")
        self.client.wait_get(path, "Domain1.Status", "protected")
        pid = self.world.ward.pid
        counts = []

        def quiet():
            before = context_switches(pid)
            time.sleep(WINDOW)
            counts.append(context_switches(pid) - before)
            return counts[-1] == 0

        try:
            self.wait_for(quiet, "a window without a wake-up", SETTLE)
        except AssertionError as error:
            raise AssertionError(f"{error}; wake-ups in {WINDOW} s each: {counts}") from None
        # It sleeps, it is not dead.
        self.world.virsh("destroy", "idle")
        self.client.wait_get(path, "Domain1.Status", "pending")
