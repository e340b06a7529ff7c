# SPDX-License-Identifier: LGPL-2.1-or-later
"""A domain that does not answer delays nobody else. Order is asserted, not time."""

import os
import signal
import subprocess
import time

from gi.repository import Gio, GLib

from ward_bus import HOST, NAME, iterate
from ward_sandbox import WorldTestCase, protection

ISOLATION = '<ward:isolation state="on"/>'
LIVE = 1
# More than libvirt-dbus has threads, and than libvirtd serves at a time to one connection.
HUNG = 6


class HangTest(WorldTestCase):
    def hang(self, name):
        """Its QEMU stops; a monitor command then holds libvirt's job on it."""
        path = self.define(name, ISOLATION)
        self.world.virsh("start", name)
        self.client.wait_get(path, "Domain1.Status", "protected")
        pid = self.world.guest_pid(name)
        os.kill(pid, signal.SIGSTOP)
        holder = subprocess.Popen(
            ["virsh", "-c", self.world.uri, "qemu-monitor-command", name, "--hmp", "info status"],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        self.addCleanup(holder.wait)
        self.addCleanup(self.wake, pid)
        self.wait_for(
            lambda: "occupied" in self.world.virsh("domcontrol", name).stdout,
            "the monitor to be held",
        )
        return path, pid

    @staticmethod
    def wake(pid):
        try:
            os.kill(pid, signal.SIGCONT)
        except ProcessLookupError:
            pass

    def call_soon(self, path, method, arguments, answers):
        """Calls without waiting; the outcome is appended to answers."""

        def done(connection, result):
            try:
                connection.call_finish(result)
                answers.append(None)
            except GLib.Error as error:
                answers.append(error.message)

        interface, _, member = method.partition(".")
        self.client.connection.call(
            NAME,
            path,
            "org.virtward." + interface,
            member,
            arguments,
            None,
            Gio.DBusCallFlags.NONE,
            120000,
            None,
            done,
        )

    def check_others(self, answers):
        """Everything about other domains works, and the hung calls are unanswered all along."""
        path = self.define("other", ISOLATION)
        self.world.virsh("start", "other")
        self.client.wait_get(path, "Domain1.Status", "protected")
        self.client.call(path, "Isolation1.SetState", "(su)", "off", LIVE)
        self.assertEqual(self.client.get(path, "Isolation1.State"), "off")
        self.client.call(path, "Domain1.SetProtection", "(su)", protection(ISOLATION), LIVE)
        self.assertEqual(self.client.get(path, "Isolation1.State"), "on")
        self.world.virsh("destroy", "other")
        self.client.wait_get(path, "Domain1.Status", "pending")
        self.assertEqual(self.client.call(HOST, "Host1.LookupDomain", "(s)", "other"), path)
        iterate()
        self.assertEqual(answers, [], "all of this came before libvirt gave up on a hung domain")

    def check_hung(self, count):
        hung = [self.hang(f"hung-{number}") for number in range(count)]
        answers = []
        for path, _ in hung:
            self.call_soon(path, "Isolation1.SetState", GLib.Variant("(su)", ("off", LIVE)), answers)
        self.check_others(answers)
        for _, pid in hung:
            self.wake(pid)
        self.wait_answers(answers, count)
        self.assertEqual(answers, [None] * count)
        for path, _ in hung:
            self.client.wait_get(path, "Isolation1.State", "off")

    def test_one_hung_domain_delays_no_other(self):
        self.check_hung(1)

    def test_many_hung_domains_delay_no_other(self):
        self.check_hung(HUNG)

    def wait_answers(self, answers, count):
        def all_answered():
            iterate()
            return len(answers) == count

        self.wait_for(all_answered, "the calls to be answered")

    def test_libvirtd_that_hangs_is_given_up_and_found_again(self):
        paths = [self.define(f"patient-{number}", ISOLATION) for number in range(4)]
        for number, path in enumerate(paths):
            self.world.virsh("start", f"patient-{number}")
            self.client.wait_get(path, "Domain1.Status", "protected")
        # Calls at once leave connections behind that nobody uses.
        answers = []
        for path in paths:
            self.call_soon(path, "Isolation1.SetState", GLib.Variant("(su)", ("off", LIVE)), answers)
        self.wait_answers(answers, len(paths))
        self.assertEqual(answers, [None] * len(paths))
        path = paths[0]

        self.world.libvirtd.pause()
        self.addCleanup(self.world.libvirtd.resume)
        answers.clear()
        self.call_soon(path, "Isolation1.SetState", GLib.Variant("(su)", ("on", LIVE)), answers)
        self.client.wait_get(HOST, "Host1.Connected", False)
        self.assertEqual(self.client.get(path, "Domain1.State"), "running")
        self.world.libvirtd.resume()
        self.client.wait_get(HOST, "Host1.Connected", True)
        self.client.call(path, "Isolation1.SetState", "(su)", "on", LIVE)
        self.assertEqual(self.client.get(path, "Isolation1.State"), "on")
        self.wait_answers(answers, 1)
        # Done once libvirtd went on, or given up.
        self.assertIn("'patient-0'", answers[0] or "'patient-0'")

    def test_libvirtd_that_was_slow_before_is_given_up_when_it_hangs(self):
        path = self.define("patient", ISOLATION)
        self.world.virsh("start", "patient")
        self.client.wait_get(path, "Domain1.Status", "protected")
        # Long enough for libvirt's keepalive to ask, and not for giving up.
        answers = []
        self.world.libvirtd.pause()
        self.addCleanup(self.world.libvirtd.resume)
        self.call_soon(path, "Isolation1.SetState", GLib.Variant("(su)", ("off", LIVE)), answers)
        time.sleep(12)
        self.world.libvirtd.resume()
        self.wait_answers(answers, 1)
        self.assertEqual(answers, [None])
        # Then nobody waits, for long enough to ask no more.
        time.sleep(6)
        self.assertTrue(self.client.get(HOST, "Host1.Connected"))

        self.world.libvirtd.pause()
        self.call_soon(path, "Isolation1.SetState", GLib.Variant("(su)", ("on", LIVE)), answers)
        self.client.wait_get(HOST, "Host1.Connected", False)
        self.world.libvirtd.resume()
        self.client.wait_get(HOST, "Host1.Connected", True)
