# SPDX-License-Identifier: LGPL-2.1-or-later
"""The hook when nobody answers it: what is required does not start, everything else does."""

from ward_sandbox import WorldTestCase

REQUIRED = '<ward:isolation state="on" enforcement="required"/>'
PREFERRED = '<ward:isolation state="on" enforcement="preferred"/>'


class HookAlone:
    """The cases, for a daemon that is not there and for one that does not answer."""

    def test_unprotected_domain_starts(self):
        self.define("plain")
        self.world.virsh("start", "plain")
        self.assertEqual(self.world.state("plain"), "running")

    def test_required_protection_refuses_the_start(self):
        self.define("required", REQUIRED)
        result = self.world.virsh("start", "required", check=False)
        self.assertNotEqual(result.returncode, 0)
        self.assertIn("virtward", result.stderr)
        self.assertIn("'required'", result.stderr)
        self.assertIn("systemctl status virtwardd", result.stderr)
        self.assertEqual(self.world.state("required"), "shut off")

    def test_preferred_protection_hinders_nothing(self):
        self.define("preferred", PREFERRED)
        self.world.virsh("start", "preferred")
        pid = self.world.guest_pid("preferred")
        # libvirt asks the hook about every guest it finds, and kills those it says no to.
        self.world.libvirtd.stop()
        self.world.libvirtd.start()
        self.world.wait_reconnected("preferred")
        self.assertEqual(self.world.state("preferred"), "running")
        self.assertEqual(self.world.guest_pid("preferred"), pid)
        self.world.virsh("destroy", "preferred")
        self.assertEqual(self.world.state("preferred"), "shut off")


class NoDaemonTest(HookAlone, WorldTestCase):
    without = ("virtwardd",)

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.world.forbid_activation()


class HungDaemonTest(HookAlone, WorldTestCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.world.ward.pause()
