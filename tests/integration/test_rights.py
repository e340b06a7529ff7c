# SPDX-License-Identifier: LGPL-2.1-or-later
"""Callers without rights, judged by the real polkit."""

import json
import os
import subprocess
import sys

from ward_bus import HOST, BusError, Client
from ward_sandbox import SYSTEM_BUS, WorldTestCase, protection, script_for_others

NOBODY = 65534
RULES = "/etc/polkit-1/rules.d/10-test.rules"
GRANT = """
polkit.addRule(function(action, subject) {
    if (action.id == "org.virtward.domain.set-protection" &&
        action.lookup("domain_name") == "granted")
        return polkit.Result.YES;
});
"""


def as_nobody(calls):
    """Makes the calls with no rights; returns [value or {"error", "message"}, ...]."""
    result = subprocess.run(
        [
            "setpriv",
            f"--reuid={NOBODY}",
            f"--regid={NOBODY}",
            "--clear-groups",
            sys.executable,
            "-B",
            script_for_others(__file__),
        ],
        input=json.dumps(calls),
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert result.returncode == 0, result.stderr
    return json.loads(result.stdout)


def make_calls():
    client = Client(SYSTEM_BUS)
    results = []
    for call in json.load(sys.stdin):
        try:
            results.append(client.call(*call))
        except BusError as error:
            results.append({"error": error.name, "message": error.message})
    json.dump(results, sys.stdout)


class RightsTest(WorldTestCase):
    def assert_denied(self, result):
        self.assertIsInstance(result, dict)
        self.assertEqual(result.get("error"), "AccessDenied", result)

    def test_anyone_may_read(self):
        path = self.define("readable", '<ward:isolation state="on"/>')
        self.client.wait_get(path, "Domain1.Status", "pending")
        looked_up, warnings, xml = as_nobody(
            [
                (HOST, "Host1.LookupDomain", "(s)", "readable"),
                (HOST, "Host1.ValidateProtection", "(s)", protection("<ward:isolation/>")),
                (path, "Domain1.GetProtection", "(u)", 2),
            ]
        )
        self.assertEqual(looked_up, path)
        self.assertEqual(warnings, [])
        self.assertIn("isolation", xml)

    def test_nobody_may_change_anything(self):
        path = self.define("guarded", '<ward:isolation state="on"/>')
        self.world.virsh("start", "guarded")
        self.client.wait_get(path, "Domain1.Status", "protected")
        before = self.world.virsh("dumpxml", "guarded").stdout
        denied = as_nobody(
            [
                (path, "Domain1.SetProtection", "(su)", protection("<ward:isolation/>"), 1),
                (path, "Domain1.ClearProtection", "(u)", 3),
                (path, "Isolation1.SetState", "(su)", "off", 1),
            ]
        )
        for result in denied:
            self.assert_denied(result)
            self.assertIn("guarded", result["message"])
        self.assertEqual(self.client.get(path, "Isolation1.State"), "on")
        self.assertEqual(self.world.virsh("dumpxml", "guarded").stdout, before)

    def test_hook_is_for_libvirt_only(self):
        xml = "<domain><name>x</name></domain>"
        (result,) = as_nobody([(HOST, "Host1.RunHook", "(ssss)", "x", "start", "begin", xml)])
        self.assertEqual(result["error"].rpartition(".")[2], "AccessDenied", result)

    def test_administrator_can_grant_one_domain(self):
        granted = self.define("granted")
        other = self.define("other")
        with open(RULES, "w", encoding="utf-8") as file:
            file.write(GRANT)
        self.addCleanup(os.unlink, RULES)
        wanted = protection("<ward:isolation/>")

        def takes_effect():
            calls = [
                (path, "Domain1.SetProtection", "(su)", wanted, 2) for path in (granted, other)
            ]
            yes, no = as_nobody(calls)
            self.assert_denied(no)
            return yes is None

        # polkitd notices a new rule a little after it was written.
        self.wait_for(takes_effect, "the rule to take effect")
        self.client.wait_get(granted, "Domain1.Status", "pending")
        self.assertEqual(self.client.get(other, "Domain1.Status"), "unprotected")


class NoPolkitTest(WorldTestCase):
    without = ("polkit",)

    def test_without_polkit_changes_are_denied(self):
        service = "/usr/share/dbus-1/system-services/org.freedesktop.PolicyKit1.service"
        os.unlink(service)
        self.client.bus("ReloadConfig")
        path = self.define("closed")
        self.client.wait_get(path, "Domain1.Status", "unprotected")
        (result,) = as_nobody(
            [(path, "Domain1.SetProtection", "(su)", protection("<ward:isolation/>"), 2)]
        )
        self.assertEqual(result["error"], "AccessDenied", result)
        self.assertEqual(self.client.get(path, "Domain1.Status"), "unprotected")


if __name__ == "__main__":
    make_calls()
