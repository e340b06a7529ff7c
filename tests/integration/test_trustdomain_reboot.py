# SPDX-License-Identifier: LGPL-2.1-or-later
"""Trust domains that reboot, in all three styles.

libvirt's test driver reboots nothing. So reboot-events.c, preloaded into the daemon, makes the events of libvirt's
QEMU driver out of others: see there, and ward_trustdomain for what else is real.
"""

import os

from ward_sandbox import domain_uuid
from ward_trustdomain import KEYS, RECREATES, TrustdomainCase, TrustdomainWorld

WAIT = 'admission="wait" timeout="3600"'


class RebootWorld(TrustdomainWorld):
    def __init__(self, *arguments):
        super().__init__(*arguments)
        self.preload_events()


class RebootCase(TrustdomainCase):
    world_class = RebootWorld

    def get(self, guest, name):
        return self.client.get(guest.path, "TrustDomain1." + name)

    def running(self, name, style):
        guest = self.guest(name, f'onReboot="{style}"')
        guest.start()
        self.wait_life(guest, "running")
        self.client.wait_get(guest.path, "Domain1.State", "running")
        self.assertEqual(self.get(guest, "LastReboot"), "")
        return guest

    def wait_anew(self, guest, created, style):
        """Another trust domain than the one that was created then."""
        self.client.wait_get(guest.path, "TrustDomain1.LastReboot", style)
        self.wait_for(lambda: self.get(guest, "CreatedTime") > created, "a new trust domain")
        self.wait_life(guest, "running")
        self.client.wait_get(guest.path, "Domain1.Status", "protected")
        self.assertEqual(self.machine_says_no(), 0)

    def crowd(self):
        """All keys but one are in use by others."""
        self.fill(KEYS - 1)

    def wait_behind(self):
        """A start that waits for a key."""
        guest = self.guest("behind", WAIT)
        self.begin_in_line([guest])
        return guest


class RecreateTest(RebootCase):
    def setUp(self):
        super().setUp()
        self.addCleanup(lambda: os.path.exists(RECREATES) and os.unlink(RECREATES))

    def test_it_is_told_step_by_step(self):
        guest = self.running("told", "recreate")
        created = self.get(guest, "CreatedTime")
        record = self.client.record("org.virtward.TrustDomain1", "LifeChanged", guest.path)
        guest.recreate().recreated()
        self.wait_anew(guest, created, "recreate")
        self.client.wait_signal(record, "TrustDomain1.LifeChanged")
        lives = ["running", "stopping", "reclaiming", "gone"]
        self.assertEqual(
            [arguments for _, _, arguments in record][:3], list(zip(lives, lives[1:]))
        )
        self.assertEqual(record[-1][2], ("building", "running"))

    def test_it_keeps_its_place_while_others_wait(self):
        self.crowd()
        guest = self.running("keeps", "recreate")
        created = self.get(guest, "CreatedTime")
        behind = self.wait_behind()
        guest.recreate()
        guest.starting.wait()
        self.assertTrue(behind.waits)
        guest.recreated()
        self.wait_anew(guest, created, "recreate")
        self.assertTrue(behind.waits)
        self.assertEqual(len(self.keys()), KEYS)
        guest.stop()
        behind.finish()
        self.wait_life(behind, "running")

    def test_a_daemon_that_is_killed_meanwhile_keeps_the_place(self):
        self.crowd()
        guest = self.running("killed", "recreate")
        with open(RECREATES, "w", encoding="ascii"):
            guest.stop()
        self.wait_for(lambda: self.capacity()["reserved"] == 1, "the place to be kept")
        self.world.ward.kill()
        self.world.ward.start()
        self.assertEqual(self.capacity()["free"], 0)
        behind = self.wait_behind()
        guest.start()
        self.assertTrue(behind.waits)
        self.wait_life(guest, "running")
        self.assertEqual(self.machine_says_no(), 0)

    def test_a_stop_that_is_no_reboot_lets_the_next_one_in(self):
        self.crowd()
        guest = self.running("stops", "recreate")
        behind = self.wait_behind()
        guest.stop()
        behind.finish()
        self.wait_life(behind, "running")
        self.wait_life(guest, "defined")
        self.assertEqual(self.machine_says_no(), 0)


class ResetTest(RebootCase):
    def test_it_is_another_trust_domain_in_the_same_place(self):
        self.crowd()
        guest = self.running("reset", "reset")
        behind = self.wait_behind()
        created = self.get(guest, "CreatedTime")
        for _ in range(3):
            guest.reset()
            self.wait_anew(guest, created, "reset")
            created = self.get(guest, "CreatedTime")
        self.assertTrue(behind.waits)
        self.assertEqual(len(self.keys()), KEYS)
        self.assertIn(domain_uuid("reset"), self.keys())

    def test_a_recreation_where_a_reset_was_wanted_is_said(self):
        self.addCleanup(lambda: os.path.exists(RECREATES) and os.unlink(RECREATES))
        guest = self.running("instead", "reset")
        created = self.get(guest, "CreatedTime")
        guest.recreate().recreated()
        self.wait_anew(guest, created, "recreate")
        self.assertIn("the last reboot was a re-creation", self.get(guest, "Reason"))


class DestroyTest(RebootCase):
    def guest(self, name, attributes="", **more):
        """libvirt ends those in whose XML that is said."""
        path = super().guest(name, attributes, **more)
        if "destroy" in attributes:
            xml = path.domain.XMLDesc().replace("<on_reboot>restart", "<on_reboot>destroy")
            self.world.define_xml(name, xml)
        return path

    def test_its_key_goes_to_who_waits(self):
        self.crowd()
        guest = self.running("ends", "destroy")
        behind = self.wait_behind()
        guest.stop()
        behind.finish()
        self.wait_life(behind, "running")
        self.wait_life(guest, "defined")
        self.assertEqual(self.get(guest, "LastReboot"), "")
        self.assertEqual(self.machine_says_no(), 0)

    def test_a_wish_that_libvirt_would_not_grant_is_refused_at_the_start(self):
        for name, style, native in (
            ("ends-not", "destroy", "restart"), ("goes-on-not", "recreate", "destroy"),
        ):
            with self.subTest(wanted=style, native=native):
                guest = super().guest(name, f'onReboot="{style}"')
                xml = guest.domain.XMLDesc().replace("<on_reboot>restart", f"<on_reboot>{native}")
                self.world.define_xml(name, xml)
                message = self.refused(guest)
                self.assertIn(f"onReboot='{style}' needs <on_reboot>", message)
                self.assertEqual(self.capacity()["reserved"], 0)
