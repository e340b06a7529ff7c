# SPDX-License-Identifier: LGPL-2.1-or-later
"""Admission of trust domains on a host with 31 keys: see ward_trustdomain for what is real there."""

import signal

from ward_bus import HOST
from ward_sandbox import domain_uuid
from ward_trustdomain import KEYS, TrustdomainCase

WAIT = 'admission="wait" timeout="3600"'


class AdmissionTest(TrustdomainCase):
    def test_libvirt_is_new_enough_and_says_so(self):
        version = self.client.get(HOST, "Host1.LibvirtVersion")
        self.assertGreaterEqual([int(word) for word in version.split(".")], [11, 6, 0])
        supported, provider, reason = self.client.get(HOST, "Host1.Capabilities")["trustdomain"]
        self.assertTrue(supported, reason)
        self.assertEqual(provider, "simulated")

    def test_a_start_takes_a_key_and_its_end_gives_it_back(self):
        guest = self.guest("life")
        self.client.wait_get(guest.path, "Domain1.Status", "pending")
        guest.start()
        self.wait_life(guest, "running")
        self.client.wait_get(guest.path, "Domain1.Status", "protected")
        self.assertEqual(self.keys(), {domain_uuid("life")})
        self.assertEqual((self.capacity()["total"], self.capacity()["used"]), (KEYS, 1))
        guest.stop()
        self.wait_for(lambda: not self.keys(), "the key to be given back")
        self.assertEqual(self.capacity()["used"], 0)

    def test_a_domain_that_is_no_trust_domain_is_refused(self):
        message = self.refused(self.guest("plain", tdx=False))
        self.assertIn("'plain'", message)
        self.assertIn("<launchSecurity type='tdx'>", message)
        self.assertEqual(self.keys(), set())

    def test_without_a_key_the_start_is_refused_at_once(self):
        self.fill()
        message = self.refused(self.guest("late", 'admission="refuse"'))
        self.assertIn("'late'", message)
        self.assertIn(f"of {KEYS} keys {KEYS} are in use", message)
        self.assertEqual(len(self.keys()), KEYS)

    def test_a_preferred_one_is_refused_too(self):
        """QEMU would only fail later."""
        self.fill()
        message = self.refused(self.guest("preferred", 'enforcement="preferred"'))
        self.assertIn(f"of {KEYS} keys {KEYS} are in use", message)
        self.assertEqual(self.machine_says_no(), 0)


class WaitingTest(TrustdomainCase):
    def wait_in_line(self, names):
        guests = [self.guest(name, WAIT) for name in names]
        self.begin_in_line(guests)
        return guests

    def test_keys_go_to_those_who_wait_in_their_order(self):
        running = self.fill()
        waiting = self.wait_in_line(["first", "second", "third"])
        for number, guest in enumerate(waiting):
            self.assertTrue(guest.waits)
            running.pop().stop()
            guest.finish()
            self.wait_life(guest, "running")
            self.assertTrue(all(other.waits for other in waiting[number + 1:]))
            self.assertEqual(len(self.keys()), KEYS)

    def test_whoever_waited_in_vain_is_told(self):
        self.fill()
        message = self.refused(self.guest("vain", 'admission="wait" timeout="1"'))
        self.assertIn("no key came free within 1 s", message)
        self.assertEqual(len(self.keys()), KEYS)

    def test_a_hook_that_is_killed_leaves_the_line(self):
        running = self.fill()
        killed, next_one = self.wait_in_line(["killed", "next"])
        killed.starting.send_signal(signal.SIGKILL)
        killed.starting.wait()
        running.pop().stop()
        next_one.finish()
        self.wait_life(next_one, "running")
        self.assertNotIn(domain_uuid("killed"), self.keys())
        self.assertEqual(len(self.keys()), KEYS)
