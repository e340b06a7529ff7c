# SPDX-License-Identifier: LGPL-2.1-or-later
"""Isolation switched, counted, and found broken.

libvirt, QEMU and the bus are real; what the kernel does is the simulated machine's."""

from ward_sandbox import WorldTestCase

REQUIRED = '<ward:isolation state="on"/>'
PREFERRED = '<ward:isolation state="on" enforcement="preferred"/>'
VIOLATED = "the host's kernel entered the guest without it"


class IsolationTest(WorldTestCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        # The test says when it runs again.
        cls.world.forbid_activation()

    def start(self, name, inner):
        path = self.define(name, inner)
        self.world.virsh("start", name)
        self.client.wait_get(path, "Isolation1.Status", "active")
        return path

    def violate(self, name, path, times):
        record = self.client.record()
        self.world.change_machine(name, isolation_violations=times)
        self.assertEqual(self.client.wait_signal(record, "Isolation1.Violation", path), (times,))
        self.assertEqual(self.client.get(path, "Isolation1.Violations"), times)

    def statistics(self, name, *options):
        return self.world.ward_json("isolation-stats", name, *options)

    def test_it_holds_from_the_start_until_it_is_off_once(self):
        path = self.start("held", REQUIRED)
        self.assertIs(self.client.get(path, "Isolation1.FromStart"), True)
        self.world.virsh_ward("isolation-set", "held", "off", "--live")
        self.assertEqual(self.client.get(path, "Isolation1.State"), "off")
        self.world.virsh_ward("isolation-set", "held", "on", "--live")
        self.assertEqual(self.client.get(path, "Isolation1.State"), "on")
        self.assertIs(self.client.get(path, "Isolation1.FromStart"), False)
        info = self.world.ward_json("protection-info", "held")["protections"]["isolation"]
        self.assertEqual((info["fromStart"], info["violations"]), (False, 0))

    def test_a_violation_of_what_is_required_pauses_the_domain(self):
        path = self.start("broken", REQUIRED)
        self.violate("broken", path, 2)
        self.client.wait_get(path, "Isolation1.Status", "failed")
        self.client.wait_get(path, "Domain1.State", "paused")
        self.assertIn(VIOLATED, self.client.get(path, "Isolation1.Reason"))
        self.assertIn("(2 times", self.world.virsh_ward("protection-info", "broken").stdout)
        self.assertEqual(self.world.state("broken"), "paused")
        # Nobody but the operator makes it whole.
        self.world.virsh("resume", "broken")
        self.client.wait_get(path, "Domain1.State", "paused")
        self.wait_for(lambda: self.world.state("broken") == "paused", "it to be paused again")
        self.world.virsh_ward("isolation-set", "broken", "off", "--live")
        self.world.virsh_ward("isolation-set", "broken", "on", "--live")
        self.client.wait_get(path, "Isolation1.Status", "active")
        self.client.wait_get(path, "Domain1.State", "running")
        self.assertEqual(self.client.get(path, "Isolation1.Violations"), 2)
        self.assertIs(self.client.get(path, "Isolation1.FromStart"), False)
        self.violate("broken", path, 3)
        self.client.wait_get(path, "Domain1.State", "paused")

    def test_a_violation_of_what_is_preferred_is_told(self):
        path = self.start("told", PREFERRED)
        self.violate("told", path, 1)
        self.client.wait_get(path, "Isolation1.Status", "unavailable")
        self.client.wait_get(path, "Domain1.Status", "degraded")
        self.assertIn(VIOLATED, self.client.get(path, "Domain1.Reason"))
        self.assertEqual(self.world.state("told"), "running")
        # The next guest has done nothing yet.
        self.world.virsh("destroy", "told")
        self.world.virsh("start", "told")
        self.client.wait_get(path, "Isolation1.Status", "active")
        self.assertEqual(self.client.get(path, "Isolation1.Violations"), 0)
        self.assertIs(self.client.get(path, "Isolation1.FromStart"), True)

    def test_the_counters_follow_the_state(self):
        self.start("counted", REQUIRED)
        on = self.statistics("counted", "--interval", "1")
        self.assertEqual(on["simulated"], True)
        self.assertEqual((on["entriesUnrestricted"], on["rates"]["entriesUnrestricted"]), (0, 0.0))
        self.assertGreaterEqual(on["interval"], 1000000)
        self.assertAlmostEqual(on["rates"]["entriesRestricted"], 1000, delta=50)
        counted = {name: rate * on["interval"] / 1000000 for name, rate in on["rates"].items()}
        entries, exits = counted["entriesRestricted"], 0
        # What the simulated machine does, and one more or less, since it may be about to.
        for name, every in ("Fault", 500), ("Schedule", 1000), ("Userspace", 500):
            self.assertAlmostEqual(counted[f"exits{name}"], entries / every, delta=1)
            exits += counted[f"exits{name}"]
        self.assertAlmostEqual(on["exitsPer100Entries"], 100 * exits / entries)
        self.world.virsh_ward("isolation-set", "counted", "off", "--live")
        off = self.statistics("counted", "--interval", "1")
        self.assertEqual(off["rates"]["entriesRestricted"], 0.0)
        self.assertAlmostEqual(off["rates"]["entriesUnrestricted"], 1000, delta=50)
        self.assertGreaterEqual(off["entriesRestricted"], on["entriesRestricted"])
        shown = self.world.virsh_ward("isolation-stats", "counted").stdout
        self.assertRegex(shown, r"(?m)^Violations: +0$")
        self.assertRegex(shown, r"(?m)^Exits per 100 entries: +\d+\.\d\d$")


class StockTest(WorldTestCase):
    """This machine's kernel has no isolation to be kept from."""

    provider = "stock"

    def test_off_is_what_such_a_host_can_do(self):
        path = self.define("off", '<ward:isolation state="off"/>')
        self.world.virsh("start", "off")
        self.client.wait_get(path, "Domain1.Status", "protected")
        self.assertEqual(self.client.get(path, "Isolation1.State"), "off")
        result = self.world.virsh_ward("isolation-set", "off", "on", "--live", check=False)
        self.assertEqual(result.returncode, 1)
        self.assertIn("address space isolation", result.stderr)
        result = self.world.virsh_ward("isolation-stats", "off", check=False)
        self.assertEqual(result.returncode, 1)
        self.assertIn("has no isolation statistics", result.stderr)
