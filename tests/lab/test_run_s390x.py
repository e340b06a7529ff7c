# SPDX-License-Identifier: LGPL-2.1-or-later
"""run-s390x: what must fail a run does fail it, and says why. The kernel is a log: a program in the place of QEMU
copies it to where QEMU would write the console."""

import os
import subprocess
import tempfile
import unittest

HERE = os.path.dirname(os.path.realpath(__file__))
QEMU = """\
#!/bin/bash
while [ $# -gt 0 ]; do
    case $1 in
    -append) printf '%s\\n' "$2" >"$KERNEL.append" ;;
    file,id=console,path=*) sed 's/^/[    1.000000] /' "$KERNEL" >"${1#*path=}" ;;
    esac
    shift
done
"""
BOOT = "Linux version 6.12.117\n"
GOOD = """\
    # Subtest: first_suite
    # module: kvm
    1..2
    ok 1 a_case
    # b_case: 4 GiB took 17 calls
    ok 2 b_case
# first_suite: pass:2 fail:0 skip:0 total:2
ok 1 first_suite
"""
# As Linux 6.1 words it.
GOOD_TOO = """\
    # Subtest: first_other
    1..1
    ok 1 - c_case
ok 2 - first_other
"""
BAD = """\
    # Subtest: first_other
    # module: kvm
    1..2
vmalloc error: size 4096
    # c_case: EXPECTATION FAILED at arch/s390/kvm/pv_test.c:50
    Expected protected_count == 0, but
        protected_count == 1 (0x1)
    not ok 1 c_case
    ok 2 d_case
# first_other: pass:1 fail:1 skip:0 total:2
not ok 2 first_other
"""
WARNING = """\
------------[ cut here ]------------
protvirt destroy vm failed rc 3 rrc 77
WARNING: CPU: 0 PID: 71 at arch/s390/kvm/pv.c:402 kvm_s390_pv_deinit_vm+0x1/0x2
Modules linked in:
---[ end trace 0000000000000000 ]---
"""
SUITES = ["first_suite", "first_other"]


class RunS390xTest(unittest.TestCase):
    def setUp(self):
        self.dir = self.enterContext(tempfile.TemporaryDirectory())
        self.kernel = os.path.join(self.dir, "kernel")
        qemu = os.path.join(self.dir, "qemu-system-s390x")
        with open(qemu, "w", encoding="utf-8") as file:
            file.write(QEMU)
        os.chmod(qemu, 0o755)

    def run_log(self, log, *arguments):
        with open(self.kernel, "w", encoding="utf-8") as file:
            file.write(BOOT + log)
        environment = {
            "PATH": self.dir + ":" + os.environ["PATH"],
            "KERNEL": self.kernel,
            "LAB_LOGS": os.path.join(self.dir, "logs"),
        }
        options = [word for word in arguments if word not in SUITES]
        suites = [word for word in arguments if word in SUITES] or SUITES
        return subprocess.run(
            [os.path.join(HERE, "run-s390x"), *options, self.kernel, *suites],
            env={**os.environ, **environment}, capture_output=True, text=True, check=False,
        )

    def append(self):
        with open(self.kernel + ".append", encoding="utf-8") as file:
            return file.read().split()

    def assert_fails(self, result, *words):
        self.assertEqual(result.returncode, 1, result.stdout)
        for word in words:
            self.assertIn(word, result.stdout + result.stderr)

    def test_all_cases_are_passed_on(self):
        result = self.run_log(GOOD + GOOD_TOO)
        self.assertEqual(result.returncode, 0, result.stderr)
        self.assertEqual(
            [line for line in result.stdout.splitlines() if not line.startswith("# first")],
            [
                "TAP version 13",
                "ok 1 first_suite: a_case",
                "# b_case: 4 GiB took 17 calls",
                "ok 2 first_suite: b_case",
                "ok 3 first_other: c_case",
                "1..3",
            ],
        )

    def test_a_failed_case_fails_the_run_and_says_why(self):
        result = self.run_log(GOOD + BAD)
        self.assert_fails(result, "a suite failed", "\nnot ok 3 first_other: c_case\n")
        self.assertIn(
            "# c_case: EXPECTATION FAILED at arch/s390/kvm/pv_test.c:50\n"
            "# Expected protected_count == 0, but\n"
            "#     protected_count == 1 (0x1)\n",
            result.stdout,
        )

    def test_a_suite_that_is_not_there_fails_the_run(self):
        self.assert_fails(self.run_log(GOOD), "not ok 3 first_other: it did not run")

    def test_a_kernel_that_stops_halfway_fails_the_run(self):
        cut = BAD.split("    not ok")[0].replace("FAILED", "")
        self.assert_fails(self.run_log(GOOD + cut), "not ok 3 first_other: it did not run")
        cut = "".join(GOOD_TOO.splitlines(keepends=True)[:3]) + "Kernel panic - not syncing\n"
        self.assert_fails(
            self.run_log(GOOD + cut), "not ok 4 first_other: it did not end", "the kernel complained"
        )

    def test_a_warning_fails_the_run_unless_it_is_allowed(self):
        log = GOOD.replace("    # b_case", WARNING + "    # b_case") + GOOD_TOO
        self.assert_fails(self.run_log(log), "the kernel complained", "protvirt destroy vm failed")
        self.assert_fails(self.run_log(log, "--allow", "destroyed"), "the kernel complained")
        result = self.run_log(log, "--allow", "protvirt destroy .* failed")
        self.assertEqual(result.returncode, 0, result.stderr)

    def test_an_allowed_warning_hides_nothing_else(self):
        log = GOOD + WARNING + WARNING.replace("protvirt", "something") + GOOD_TOO
        self.assert_fails(
            self.run_log(log, "--allow", "protvirt destroy .* failed"), "something destroy vm failed"
        )

    def test_only_what_may_be_wanted_is_run(self):
        self.run_log(GOOD, "first_suite")
        self.assertIn("kunit.filter_glob=first_suite", self.append())
        self.run_log(GOOD + GOOD_TOO)
        self.assertIn("kunit.filter_glob=first_*", self.append())


if __name__ == "__main__":
    unittest.main()
