# SPDX-License-Identifier: LGPL-2.1-or-later
"""The life of a trust domain, its leaks, and daemons that are killed in it: see ward_trustdomain for what is real."""

import os
import shutil

from ward_bus import iterate
from ward_sandbox import MACHINE
from ward_trustdomain import KEYS, StartRefused, TrustdomainCase

WAIT = 'admission="wait" timeout="3600"'
PAGES = 7
LONG_MS = 3600 * 1000
STEPS = [
    "defined", "admitted", "building", "running", "stopping", "reclaiming", "gone", "defined",
]


class LifeCase(TrustdomainCase):
    def running(self, name, **machine):
        """A guest that runs, and what the machine is made to do with it."""
        guest = self.guest(name)
        guest.start()
        self.wait_life(guest, "running")
        if machine:
            self.world.change_machine(name, **machine)
        return guest

    def restart_daemon(self):
        self.world.ward.kill()
        self.world.ward.start()

    def edit_machine(self, edit):
        """While no daemon looks."""
        self.world.ward.kill()
        machine = self.world.read_machine()
        edit(machine)
        with open(MACHINE, "w", encoding="utf-8") as file:
            machine.write(file, space_around_delimiters=False)
        self.world.ward.start()

    def get(self, guest, name):
        return self.client.get(guest.path, "TrustDomain1." + name)

    def wait_capacity(self, **wanted):
        def has_it():
            seen.update(self.capacity())
            return all(seen[name.replace("_", "-")] == value for name, value in wanted.items())

        seen = {}
        self.wait_for(has_it, f"{wanted}")


class LifeTest(LifeCase):
    def test_every_step_is_told(self):
        guest = self.guest("steps")
        record = self.client.record("org.virtward.TrustDomain1", "LifeChanged", guest.path)
        guest.start()
        self.wait_life(guest, "running")
        guest.stop()
        self.wait_life(guest, "defined")
        self.client.wait_get(guest.path, "Domain1.State", "shutoff")
        self.client.wait_signal(record, "TrustDomain1.LifeChanged")
        steps = [arguments for _, _, arguments in record]
        self.assertEqual(steps, list(zip(STEPS, STEPS[1:])))

    def test_what_it_has_of_the_host_is_shown(self):
        guest = self.running("shown")
        machine = self.world.machine_of("shown")
        self.assertEqual(self.get(guest, "KeyId"), int(machine["trustdomain-key"]))
        self.assertEqual(self.get(guest, "CreatedTime"), int(machine["trustdomain-created"]))
        self.assertEqual(self.get(guest, "PrivatePages"), int(machine["trustdomain-pages"]))
        self.assertGreater(self.get(guest, "ControlPages"), 0)
        self.assertEqual(self.get(guest, "Vcpus"), 1)
        guest.stop()
        self.wait_life(guest, "defined")
        for name in ("KeyId", "CreatedTime", "PrivatePages", "ControlPages", "Vcpus"):
            self.assertEqual(self.get(guest, name), 0)


class LeakTest(LifeCase):
    def setUp(self):
        super().setUp()
        self.leaky = self.running("leaky", trustdomain_leaks="true", trustdomain_leaked_pages=PAGES)
        self.leaky.stop()
        self.wait_life(self.leaky, "leaked")
        self.addCleanup(self.reboot_host)

    def reboot_host(self):
        """The machine forgets everything; so does what is below /run, of the daemon."""
        self.world.ward.kill()
        for name in self.world.keeper.listAllDomains():
            if name.isActive():
                name.destroy()
        shutil.rmtree(os.path.dirname(MACHINE))
        self.world.ward.start()

    def assert_leak_is_shown(self):
        self.wait_capacity(total=KEYS, used=0, leaked=1, leaked_pages=PAGES, free=KEYS - 1)
        capacity = self.world.ward_json("trustdomain-capacity")
        self.assertEqual((capacity["leaked"], capacity["free"]), (1, KEYS - 1))

    def test_it_is_shown_of_the_host_and_of_the_domain(self):
        self.assert_leak_is_shown()
        self.assertRegex(self.world.virsh_ward("trustdomain-capacity").stdout, r"(?m)^Leaked: +1$")
        self.assertEqual(self.get(self.leaky, "LeakedPages"), PAGES)
        info = self.world.ward_json("trustdomain-info", "leaky")
        self.assertEqual((info["life"], info["leakedPages"]), ("leaked", PAGES))
        self.assertIn("reboot of the host", info["reason"])
        shown = self.world.virsh_ward("trustdomain-info", "leaky").stdout
        self.assertRegex(shown, r"(?m)^Life: +leaked$")
        self.assertIn(info["reason"], shown)

    def test_no_end_of_a_daemon_or_of_a_domain_clears_it(self):
        self.restart_daemon()
        self.wait_life(self.leaky, "leaked")
        self.assert_leak_is_shown()
        self.leaky.start()
        self.wait_life(self.leaky, "running")
        self.wait_capacity(used=1, leaked=1, free=KEYS - 2)
        self.leaky.stop()
        self.wait_life(self.leaky, "leaked")
        self.restart_daemon()
        self.wait_life(self.leaky, "leaked")
        self.world.remove("leaky")
        self.assert_leak_is_shown()
        self.restart_daemon()
        self.assert_leak_is_shown()

    def test_its_key_admits_nobody(self):
        self.fill(KEYS - 1)
        message = self.refused(self.guest("late"))
        self.assertIn("1 leaked until the host reboots", message)
        self.assertEqual(self.machine_says_no(), 0)

    def test_a_reboot_of_the_host_clears_it(self):
        self.reboot_host()
        self.wait_life(self.leaky, "defined")
        self.wait_capacity(used=0, leaked=0, leaked_pages=0, free=KEYS)

    def test_a_host_that_lists_it_no_more_has_none(self):
        """As after a reboot whose daemon kept its notes."""
        self.edit_machine(
            lambda machine: [
                machine.remove_section(name) for name in machine.sections() if "leak-" in name
            ]
        )
        self.wait_life(self.leaky, "defined")
        self.wait_capacity(leaked=0, free=KEYS)


class RestartTest(LifeCase):
    """A daemon is killed while a trust domain is in that life; the next one finds it there."""

    def check_found(self, guest, life, **capacity):
        self.wait_life(guest, life)
        self.wait_capacity(**capacity)
        record = self.client.record("org.virtward.TrustDomain1", "LifeChanged", guest.path)
        self.restart_daemon()
        self.wait_life(guest, life)
        self.wait_capacity(**capacity)
        iterate()
        self.assertEqual(record, [], "what was so before is no news")

    def check_ends(self, guest):
        guest.stop()
        self.wait_life(guest, "defined")
        self.wait_capacity(used=0, reserved=0, free=KEYS)
        self.assertEqual(self.machine_says_no(), 0)

    def test_defined(self):
        guest = self.guest("defined")
        self.check_found(guest, "defined", used=0, reserved=0)
        guest.start()
        self.wait_life(guest, "running")
        self.check_ends(guest)

    def test_admitted(self):
        guest = self.guest("admitted").begin()
        guest.starting.wait()
        self.check_found(guest, "admitted", used=0, reserved=1, free=KEYS - 1)
        guest.finish()
        self.wait_life(guest, "running")
        self.wait_capacity(used=1, reserved=0)
        self.check_ends(guest)

    def test_a_key_that_was_promised_is_promised_by_the_next_daemon(self):
        self.fill(KEYS - 1)
        guest = self.guest("promised").begin()
        guest.starting.wait()
        self.restart_daemon()
        self.refused(self.guest("late"))
        guest.finish()
        self.wait_life(guest, "running")
        self.assertEqual(len(self.keys()), KEYS)
        self.assertEqual(self.machine_says_no(), 0)

    def check_pinned(self, state, life):
        guest = self.running(state, trustdomain_state=state, trustdomain_stays="true")
        self.check_found(guest, life, used=1, free=KEYS - 1)
        self.world.change_machine(state, trustdomain_stays="false")
        self.wait_life(guest, "running")
        self.check_ends(guest)

    def test_building_before_it_has_its_keys(self):
        self.check_pinned("assigned", "building")

    def test_building(self):
        self.check_pinned("configured", "building")

    def test_running(self):
        guest = self.running("running")
        created = self.get(guest, "CreatedTime")
        self.check_found(guest, "running", used=1, reserved=0)
        self.assertEqual(self.get(guest, "CreatedTime"), created)
        self.check_ends(guest)

    def test_stopping(self):
        self.check_pinned("blocked", "stopping")

    def test_reclaiming(self):
        guest = self.running("reclaiming", trustdomain_reclaim_ms=LONG_MS)
        guest.stop()
        self.check_found(guest, "reclaiming", used=1, reserved=0, free=KEYS - 1)
        self.edit_machine(
            lambda machine: [
                machine.set(name, "until", "1") for name in machine.sections() if "reclaim-" in name
            ]
        )
        self.wait_life(guest, "defined")
        self.wait_capacity(used=0, free=KEYS)

    def test_those_who_wait_are_told(self):
        running = self.fill()
        guest = self.guest("waiting", WAIT)
        self.begin_in_line([guest])
        self.world.ward.kill()
        with self.assertRaises(StartRefused) as caught:
            guest.finish()
        self.assertIn("'waiting'", str(caught.exception))
        self.assertIn("virtwardd does not answer", str(caught.exception))
        self.world.ward.start()
        self.wait_capacity(used=KEYS, reserved=0, waiting=0)
        running.pop().stop()
        guest.start()
        self.wait_life(guest, "running")
