# SPDX-License-Identifier: LGPL-2.1-or-later
"""Isolation of real KVM guests on the patched kernel, from the domain XML to the kernel's counters. The lab is booted
with asi=on for the first class, and without for the second."""

import os
import subprocess
import sys
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "integration"))

from halting import busy  # noqa: E402
from ward_bus import HOST  # noqa: E402
from ward_control import ISOLATION, isolation_counters, record, set_policy  # noqa: E402
from ward_sandbox import WorldTestCase, domain_xml  # noqa: E402

REQUIRED = '<ward:isolation state="on"/>'
PREFERRED = '<ward:isolation state="on" enforcement="preferred"/>'
OFF = '<ward:isolation state="off"/>'

# Of kernels for the lab: so many entries are made as they must not be. The sandbox has a /sys of its own.
DEBUGFS = "/sys/kernel/debug"
SKIP_ENTER = DEBUGFS + "/x86/asi/skip_enter"
if os.path.isdir("/run/sandbox") and not os.path.ismount(DEBUGFS):
    subprocess.run(["mount", "-t", "debugfs", "debugfs", DEBUGFS], check=False)

with open("/proc/cmdline", encoding="ascii") as cmdline:
    BOOTED_WITH_IT = "asi=on" in cmdline.read().split()


class IsolationCase(WorldTestCase):
    provider = "auto"

    def define_busy(self, name, inner=None, type="kvm"):
        """A guest that leaves often: it writes CR4 and MSRs, and has a CPU for itself."""
        path = os.path.join(os.environ["TMPDIR"], name + ".xml")
        with open(path, "w", encoding="utf-8") as file:
            file.write(busy(domain_xml(name, inner, type=type)))
        self.addCleanup(self.world.remove, name)
        return self.world.define_file(name, path)

    def start(self, name, inner=None):
        path = self.define_busy(name, inner)
        self.world.virsh("start", name)
        return path

    def refuse(self, name, inner, why, type="kvm"):
        self.define_busy(name, inner, type=type)
        result = self.world.virsh("start", name, check=False)
        self.assertNotEqual(result.returncode, 0)
        self.assertIn(why, result.stderr)
        self.assertEqual(self.world.state(name), "shut off")

    def record(self, name):
        return record(self.world.guest_pid(name), ISOLATION)


@unittest.skipUnless(BOOTED_WITH_IT, "the lab was booted without asi=on")
class IsolationTest(IsolationCase):
    def counters(self, name):
        """As the kernel has them, which the daemon has no part in."""
        return isolation_counters(self.world.guest_pid(name))

    def assert_moves(self, name, moving, still):
        """The guest goes on, and is entered in the one way alone."""
        before = self.counters(name)
        self.wait_for(
            lambda: self.counters(name)[moving] > before[moving] + 100, f"{moving} to grow"
        )
        self.assertEqual(self.counters(name)[still], before[still])
        self.assertEqual(self.counters(name)["violations"], 0)

    def assert_isolated(self, name):
        self.assert_moves(name, "entries_restricted", still="entries_unrestricted")

    def assert_not_isolated(self, name):
        self.assert_moves(name, "entries_unrestricted", still="entries_restricted")

    def test_host_has_the_kernels(self):
        supported, provider, _ = self.client.get(HOST, "Host1.Capabilities")["isolation"]
        self.assertEqual((supported, provider), (True, "control"))

    def test_required_isolation_is_proven_at_the_start(self):
        path = self.start("proven", REQUIRED)
        # The hook has proven it: virsh start would have failed otherwise. The kernel says so, too.
        self.assertEqual(self.client.get(path, "Isolation1.Status"), "active")
        self.assertEqual(self.client.get(path, "Isolation1.Provider"), "control")
        self.assertIs(self.client.get(path, "Isolation1.FromStart"), True)
        seen = self.record("proven")
        self.assertEqual((seen.active, seen.entered_before), (True, 0))
        self.assert_isolated("proven")
        self.assertEqual(self.counters("proven")["entries_unrestricted"], 0)
        shown = self.world.ward_json("isolation-stats", "proven", "--interval", "1")
        self.assertEqual((shown["entriesUnrestricted"], shown["violations"]), (0, 0))
        self.assertGreater(shown["rates"]["entriesRestricted"], 0)

    def test_it_is_switched_in_the_running_guest(self):
        path = self.start("switched", REQUIRED)
        self.assert_isolated("switched")
        for _ in range(3):
            self.world.virsh_ward("isolation-set", "switched", "off", "--live")
            self.assertEqual(self.client.get(path, "Isolation1.State"), "off")
            self.assert_not_isolated("switched")
            self.world.virsh_ward("isolation-set", "switched", "on", "--live")
            self.assertEqual(self.client.get(path, "Isolation1.State"), "on")
            self.assert_isolated("switched")
        self.assertIs(self.client.get(path, "Isolation1.FromStart"), False)
        self.assertEqual(self.client.get(path, "Isolation1.Violations"), 0)
        self.assertEqual(self.world.state("switched"), "running")

    def test_a_running_guest_gets_it(self):
        path = self.start("late")
        self.assert_not_isolated("late")
        self.world.virsh_ward("isolation-set", "late", "on", "--live")
        self.client.wait_get(path, "Isolation1.Status", "active")
        self.assert_isolated("late")
        self.assertIs(self.client.get(path, "Isolation1.FromStart"), False)
        self.world.virsh_ward("protection-clear", "late", "--live")
        self.assert_not_isolated("late")

    def test_it_outlives_the_daemon(self):
        path = self.start("outlives", REQUIRED)
        before = self.record("outlives")
        self.world.ward.kill()
        self.assert_isolated("outlives")
        self.world.ward.start()
        self.client.wait_get(path, "Isolation1.Status", "active")
        self.assertIs(self.client.get(path, "Isolation1.FromStart"), True)
        self.assertEqual(self.record("outlives"), before)
        self.assertEqual(self.counters("outlives")["entries_unrestricted"], 0)

    def test_what_somebody_else_turns_off_is_turned_on_again(self):
        path = self.start("contested", REQUIRED)
        self.world.ward.kill()
        set_policy(self.world.guest_pid("contested"), ISOLATION, False)
        self.assert_not_isolated("contested")
        self.world.ward.start()
        self.client.wait_get(path, "Isolation1.State", "on")
        self.assert_isolated("contested")
        set_policy(self.world.guest_pid("contested"), ISOLATION, False)
        self.wait_for(lambda: self.record("contested").active, "isolation to be on again")
        self.client.wait_get(path, "Isolation1.State", "on")
        self.assertIs(self.client.get(path, "Isolation1.FromStart"), False)

    def test_a_guest_that_is_to_have_none_has_none(self):
        path = self.start("without", OFF)
        self.client.wait_get(path, "Domain1.Status", "protected")
        self.assert_not_isolated("without")

    def test_guest_without_kvm_is_refused(self):
        self.refuse("emulated", REQUIRED, "type='kvm'", type="qemu")

    def violate(self, name, path, seen):
        """The kernel enters the guest once as it must not; returns how often it did so far."""
        record = self.client.record()
        with open(SKIP_ENTER, "w", encoding="ascii") as file:
            file.write("1")
        (count,) = self.client.wait_signal(record, "Isolation1.Violation", path)
        self.assertGreater(count, seen)
        self.assertEqual(self.counters(name)["violations"], count)
        return count

    @unittest.skipUnless(os.path.exists(SKIP_ENTER), "this kernel makes no mistakes on purpose")
    def test_a_violation_pauses_what_requires_isolation(self):
        path = self.start("violated", REQUIRED)
        self.assert_isolated("violated")
        count = self.violate("violated", path, 0)
        self.client.wait_get(path, "Isolation1.Status", "failed")
        self.client.wait_get(path, "Domain1.State", "paused")
        self.assertIn(f"without it ({count} times", self.client.get(path, "Isolation1.Reason"))
        self.world.virsh_ward("isolation-set", "violated", "off", "--live")
        self.world.virsh_ward("isolation-set", "violated", "on", "--live")
        self.client.wait_get(path, "Isolation1.Status", "active")
        self.client.wait_get(path, "Domain1.State", "running")
        # The second is noticed as the first was.
        self.violate("violated", path, count)
        self.client.wait_get(path, "Domain1.State", "paused")

    @unittest.skipUnless(os.path.exists(SKIP_ENTER), "this kernel makes no mistakes on purpose")
    def test_a_violation_without_a_daemon_is_told_later(self):
        path = self.start("unseen", PREFERRED)
        self.assert_isolated("unseen")
        self.world.ward.kill()
        with open(SKIP_ENTER, "w", encoding="ascii") as file:
            file.write("1")
        self.wait_for(lambda: self.counters("unseen")["violations"], "a violation")
        record = self.client.record()
        self.world.ward.start()
        self.client.wait_signal(record, "Isolation1.Violation", path)
        self.client.wait_get(path, "Isolation1.Status", "unavailable")
        self.assertEqual(self.world.state("unseen"), "running")

    def test_operator_uses_gdbus(self):
        """The other cases use virsh and virsh-ward; the words are those of the guide."""
        path = self.start("gdbus", REQUIRED)
        self.gdbus(path, "org.virtward.Isolation1.SetState", "off", "1")
        self.assert_not_isolated("gdbus")
        self.gdbus(path, "org.virtward.Isolation1.SetState", "on", "1")
        self.assert_isolated("gdbus")
        self.assertIn("'violations': 0", self.gdbus(path, "org.virtward.Isolation1.GetStatistics"))

    def gdbus(self, path, method, *arguments):
        words = ["gdbus", "call", "--system", "-d", "org.virtward", "-o", path, "-m", method]
        result = subprocess.run([*words, *arguments], capture_output=True, text=True, check=False)
        self.assertEqual(result.returncode, 0, result.stderr)
        return result.stdout


@unittest.skipIf(BOOTED_WITH_IT, "the lab was booted with asi=on")
class WithoutTest(IsolationCase):
    """A patched kernel that was not booted for it."""

    why = "boot with asi=on"

    def test_host_says_how_to_have_it(self):
        supported, provider, reason = self.client.get(HOST, "Host1.Capabilities")["isolation"]
        self.assertEqual((supported, provider), (False, "control"))
        self.assertIn(self.why, reason)

    def test_required_refuses_the_start(self):
        self.refuse("required", REQUIRED, self.why)

    def test_preferred_starts_without(self):
        path = self.start("preferred", PREFERRED)
        self.client.wait_get(path, "Isolation1.Status", "unavailable")
        self.assertIn(self.why, self.client.get(path, "Domain1.Reason"))
        self.assertEqual(self.world.state("preferred"), "running")

    def test_off_is_what_it_can_do(self):
        path = self.start("off", OFF)
        self.client.wait_get(path, "Domain1.Status", "protected")

    def test_a_running_guest_is_not_given_it(self):
        self.start("running")
        result = self.world.virsh_ward("isolation-set", "running", "on", "--live", check=False)
        self.assertEqual(result.returncode, 1)
        self.assertIn(self.why, result.stderr)
        self.assertFalse(self.record("running").active)


if __name__ == "__main__":
    unittest.main()
