# SPDX-License-Identifier: LGPL-2.1-or-later
"""A libvirt that is too old for trust domains, Debian 12's, is told apart by its version and in plain words."""

from ward_bus import HOST
from ward_sandbox import WorldTestCase, protection

WANTED = "libvirt 11.6 or later"


class OldLibvirtTest(WorldTestCase):
    def setUp(self):
        self.version = self.client.get(HOST, "Host1.LibvirtVersion")
        if [int(word) for word in self.version.split(".")] >= [11, 6, 0]:
            self.skipTest(f"libvirt {self.version} knows trust domains")

    def assert_says_why(self, words):
        self.assertIn("trustdomain", words)
        self.assertIn(WANTED, words)
        self.assertIn(self.version, words)

    def test_a_required_trust_domain_is_refused(self):
        path = self.define("required", "<ward:trustdomain/>")
        result = self.world.virsh("start", "required", check=False)
        self.assertNotEqual(result.returncode, 0)
        self.assertIn("'required'", result.stderr)
        self.assert_says_why(result.stderr)
        self.assertEqual(self.world.state("required"), "shut off")
        self.assertIn(self.client.get(path, "Domain1.Status"), ("pending", "failed"))

    def test_waiting_for_a_key_is_of_no_use_and_not_begun(self):
        self.define("waiting", '<ward:trustdomain admission="wait" timeout="3600"/>')
        result = self.world.virsh("start", "waiting", check=False)
        self.assertNotEqual(result.returncode, 0)
        self.assert_says_why(result.stderr)

    def test_a_preferred_one_is_missed_aloud(self):
        path = self.define("preferred", '<ward:trustdomain enforcement="preferred"/>')
        self.world.virsh("start", "preferred")
        self.client.wait_get(path, "Domain1.Status", "degraded")
        self.assertEqual(self.client.get(path, "TrustDomain1.Status"), "unavailable")
        self.assert_says_why(self.client.get(path, "TrustDomain1.Reason"))
        self.assert_says_why(self.world.virsh_ward("trustdomain-info", "preferred").stdout)

    def test_validation_warns_of_it(self):
        xml = protection('<ward:trustdomain enforcement="preferred"/>')
        (warning,) = self.client.call(HOST, "Host1.ValidateProtection", "(s)", xml)
        self.assert_says_why(warning)
