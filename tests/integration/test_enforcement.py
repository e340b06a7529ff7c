# SPDX-License-Identifier: LGPL-2.1-or-later
"""What a host that cannot protect does: stock is honest, required refuses, preferred warns."""

from ward_bus import HOST
from ward_sandbox import WorldTestCase, protection

LIVE = 1


class StockTest(WorldTestCase):
    """This machine is no s390x host, has no TDX module, and its kernel has no virtward patches."""

    provider = "stock"

    def test_host_says_what_is_missing(self):
        self.assertFalse(self.client.get(HOST, "Host1.Simulated"))
        capabilities = self.client.get(HOST, "Host1.Capabilities")
        for name in ("introspection", "isolation"):
            supported, provider, reason = capabilities[name]
            self.assertFalse(supported)
            self.assertEqual(provider, "stock")
            self.assertTrue(reason)

    def test_required_isolation_is_refused_before_there_is_a_guest(self):
        path = self.define("required", '<ward:isolation state="on" enforcement="required"/>')
        result = self.world.virsh("start", "required", check=False)
        self.assertNotEqual(result.returncode, 0)
        self.assertIn("'required'", result.stderr)
        self.assertIn("isolation", result.stderr)
        self.assertEqual(self.world.state("required"), "shut off")
        # libvirt logs the command line just before it runs QEMU.
        with open("/var/log/libvirt/qemu/required.log", encoding="utf-8") as log:
            self.assertNotIn("qemu-system", log.read())
        self.assertIn(self.client.get(path, "Domain1.Status"), ("pending", "failed"))

    def test_preferred_isolation_is_missed_aloud(self):
        path = self.define("preferred", '<ward:isolation state="on" enforcement="preferred"/>')
        self.world.virsh("start", "preferred")
        with open("/var/log/libvirt/qemu/preferred.log", encoding="utf-8") as log:
            self.assertIn("qemu-system", log.read())
        self.client.wait_get(path, "Domain1.Status", "degraded")
        self.assertEqual(self.client.get(path, "Isolation1.Status"), "unavailable")
        self.assertTrue(self.client.get(path, "Isolation1.Reason"))
        self.assertIn("isolation", self.client.get(path, "Domain1.Reason"))

    def test_required_isolation_is_not_set_on_a_running_guest(self):
        path = self.define("running")
        self.world.virsh("start", "running")
        self.client.wait_get(path, "Domain1.State", "running")
        before = self.world.virsh("dumpxml", "running").stdout
        self.assert_bus_error(
            "NotSupported",
            self.client.call,
            path,
            "Domain1.SetProtection",
            "(su)",
            protection('<ward:isolation state="on"/>'),
            LIVE,
        )
        self.assertEqual(self.world.virsh("dumpxml", "running").stdout, before)
        self.assertEqual(self.world.state("running"), "running")

    def test_validation_warns_of_what_cannot_be_had(self):
        warnings = self.client.call(
            HOST,
            "Host1.ValidateProtection",
            "(s)",
            protection('<ward:isolation state="on" enforcement="preferred"/>'),
        )
        self.assertEqual(len(warnings), 1)
        self.assertIn("isolation", warnings[0])

    def test_no_trust_domain_capacity_without_tdx(self):
        message = self.assert_bus_error(
            "NotSupported", self.client.call, HOST, "Host1.GetTrustDomainCapacity"
        )
        self.assertIn("TDX", message)
