# SPDX-License-Identifier: LGPL-2.1-or-later
"""libvirtd or the bus goes away and comes back; the daemon stays and knows all again."""

import os
import signal

from ward_bus import HOST
from ward_processes import PATIENCE
from ward_sandbox import WorldTestCase

ISOLATION = '<ward:isolation state="on"/>'


class LibvirtdRestartTest(WorldTestCase):
    def libvirtd_goes(self):
        self.world.libvirtd.kill()
        self.client.wait_get(HOST, "Host1.Connected", False)

    def libvirtd_comes(self):
        self.world.libvirtd.start()
        self.client.wait_get(HOST, "Host1.Connected", True)

    def test_domains_stay_listed_and_calls_say_why_they_fail(self):
        path = self.define("listed", ISOLATION)
        self.world.virsh("start", "listed")
        self.client.wait_get(path, "Domain1.Status", "protected")
        self.libvirtd_goes()
        self.assertTrue(self.client.get(HOST, "Host1.ConnectionError"))
        self.assertEqual(self.client.get(path, "Domain1.State"), "running")
        self.assert_bus_error(
            "NotConnected", self.client.call, path, "Isolation1.SetState", "(su)", "off", 1
        )
        self.libvirtd_comes()
        self.assertEqual(self.client.get(HOST, "Host1.ConnectionError"), "")
        self.client.wait_get(path, "Domain1.Status", "protected")
        self.client.call(path, "Isolation1.SetState", "(su)", "off", 1)
        self.client.wait_get(path, "Isolation1.State", "off")

    def test_guest_that_died_meanwhile_is_seen(self):
        path = self.define("died", ISOLATION)
        self.world.virsh("start", "died")
        self.client.wait_get(path, "Domain1.Status", "protected")
        self.libvirtd_goes()
        os.kill(self.world.guest_pid("died"), signal.SIGKILL)
        self.libvirtd_comes()
        self.client.wait_get(path, "Domain1.Status", "pending")
        self.world.virsh("start", "died")
        self.client.wait_get(path, "Domain1.Status", "protected")

    def test_ten_restarts(self):
        path = self.define("again", ISOLATION)
        self.world.virsh("start", "again")
        for _ in range(10):
            self.libvirtd_goes()
            self.libvirtd_comes()
        self.client.wait_get(path, "Domain1.Status", "protected")
        self.assertEqual(self.world.state("again"), "running")

    def test_daemon_waits_for_a_libvirtd_that_comes_later(self):
        self.world.ward.stop()
        self.world.libvirtd.kill()
        ready, self.world.ward.ready = self.world.ward.ready, self.client.has_owner
        self.world.ward.start()
        self.world.ward.ready = ready
        self.assertFalse(self.client.get(HOST, "Host1.Connected"))
        self.libvirtd_comes()


class BusRestartTest(WorldTestCase):
    def test_daemon_returns_to_the_bus_and_exports_all_again(self):
        path = self.define("bus", ISOLATION)
        self.world.virsh("start", "bus")
        self.client.wait_get(path, "Domain1.Status", "protected")
        pid = self.world.ward.pid
        self.world.restart_bus()
        # libvirtd ends with its bus; on a host, systemd starts it again.
        self.world.libvirtd.process.wait(PATIENCE)
        self.world.libvirtd.start()
        self.world.wait_reconnected("bus")
        client = self.world.client
        self.wait_for(client.has_owner, "the daemon to return")
        client.wait_get(path, "Domain1.Status", "protected")
        self.assertEqual(client.owner_pid(), pid)
        # libvirt may notice that QEMU has gone before its own call that ended it is done, and then
        # says that the domain was not running.
        self.world.virsh("destroy", "bus", check=False)
        client.wait_get(path, "Domain1.Status", "pending")
        self.world.virsh("start", "bus")
        client.wait_get(path, "Domain1.Status", "protected")
