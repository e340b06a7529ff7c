# SPDX-License-Identifier: LGPL-2.1-or-later
"""The systemd unit, as it is installed, in systemd's own judgement."""

import re
import subprocess
import unittest

UNIT = "/lib/systemd/system/virtwardd.service"
# Of 100: what `systemd-analyze security` calls "OK" ends at 50, an unhardened daemon has 96.
MOST_EXPOSURE = 35


def analyze(*arguments):
    return subprocess.run(
        ["systemd-analyze", *arguments], capture_output=True, text=True, check=False
    )


class UnitTest(unittest.TestCase):
    def test_unit_is_valid(self):
        result = analyze("verify", "--man=no", UNIT)
        self.assertEqual(result.returncode, 0, result.stderr)
        self.assertNotIn("virtwardd", result.stderr)

    def test_unit_exposes_little(self):
        result = analyze(
            "security", "--offline=true", f"--threshold={MOST_EXPOSURE}", "--no-pager", UNIT
        )
        self.assertEqual(result.returncode, 0, result.stdout + result.stderr)

    def test_unit_asks_for_no_capability_in_vain(self):
        with open(UNIT, encoding="utf-8") as file:
            unit = file.read()
        self.assertIn("Type=dbus", unit)
        self.assertIn("BusName=org.virtward", unit)
        bounding = re.findall(r"(?m)^CapabilityBoundingSet=(.*)$", unit)
        self.assertEqual(len(bounding), 1)
        self.assertNotIn("CAP_SYS_ADMIN", bounding[0])
