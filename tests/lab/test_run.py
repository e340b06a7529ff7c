# SPDX-License-Identifier: LGPL-2.1-or-later
"""The lab itself: what must fail a run does fail it. A lab that passes everything would look well."""

import os
import shutil
import subprocess
import tempfile
import unittest

HERE = os.path.dirname(os.path.realpath(__file__))
KERNEL = os.path.join(HERE, "..", "..", "kernel")

# One line each, as the kernel words them.
REPORTS = """\
WARNING: CPU: 0 PID: 71 at virt/kvm/control.c:200 kvm_control_event+0x1/0x2
WARNING: possible circular locking dependency detected
WARNING: possible recursive locking detected
WARNING: inconsistent lock state
WARNING: suspicious RCU usage
WARNING: held lock freed!
WARNING: lock held when returning to user space!
WARNING: bad unlock balance detected!
BUG: KASAN: slab-use-after-free in kvmi_recv+0x1/0x2
BUG: sleeping function called from invalid context at kernel/locking/mutex.c:585
BUG: scheduling while atomic: kvmi-recv/71/0x00000002
BUG: kernel NULL pointer dereference, address: 0000000000000000
BUG: unable to handle page fault for address: ffffc90000000000
BUG: MAX_LOCKDEP_CHAINS too low!
BUG: soft lockup - CPU#0 stuck for 26s! [kvmi-recv:71]
kernel BUG at virt/kvm/control.c:200!
Oops: 0000 [#1] PREEMPT SMP KASAN
Oops: general protection fault, probably for non-canonical address 0xdead000000000100
Kernel panic - not syncing: sysrq triggered crash
INFO: task kvmi-recv:71 blocked for more than 60 seconds.
INFO: trying to register non-static key.
rcu: INFO: rcu_preempt self-detected stall on CPU
rcu: INFO: rcu_preempt detected stalls on CPUs/tasks:
rcu: INFO: rcu_preempt detected expedited stalls on CPUs/tasks: { 1-... }
unreferenced object 0xffff888003b4a000 (size 1024):
kmemleak: Kernel memory leak detector disabled
turning off the locking correctness validator.
ODEBUG: free active (active state 0) object: ffff888003b4a000 object type: work_struct
refcount_t: underflow; use-after-free.
list_del corruption, ffff888003b4a000->next is LIST_POISON1 (dead000000000100)
UBSAN: array-index-out-of-bounds in virt/kvm/control_event.c:33:11
"""
HARMLESS = """\
Linux version 6.12.117 (gcc (Debian 12.2.0-14) 12.2.0, GNU ld) #1 SMP PREEMPT_DYNAMIC
kasan: KernelAddressSanitizer initialized
kmemleak: Kernel memory leak detector initialized (mem pool available: 14733)
Lock dependency validator: Copyright (c) 2006 Red Hat, Inc., Ingo Molnar
kvm_amd: Nested Paging enabled
warning: process `qemu-system-x86' used the deprecated sysctl system call
"""


class ScanTest(unittest.TestCase):
    def scan(self, log):
        with tempfile.NamedTemporaryFile("w", suffix=".log") as file:
            file.write(log)
            file.flush()
            return subprocess.run(
                [os.path.join(HERE, "scan-log"), file.name], capture_output=True, check=False
            ).returncode

    def test_every_report_is_seen(self):
        for report in REPORTS.splitlines():
            with self.subTest(report):
                self.assertNotEqual(self.scan(f"{HARMLESS}[   12.345678] {report}\n"), 0)

    def test_an_ordinary_log_has_none(self):
        self.assertEqual(self.scan(HARMLESS), 0)

    def test_a_checker_may_be_off_that_was_turned_off(self):
        off = "kmemleak: Kernel memory leak detector disabled\n"
        self.assertEqual(self.scan(f"Command line: console=ttyS0 kmemleak=off\n{off}"), 0)
        self.assertNotEqual(self.scan(f"Command line: console=ttyS0\n{off}"), 0)


class RunTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.kernel = subprocess.run(
            [os.path.join(KERNEL, "build")], stdout=subprocess.PIPE, text=True, check=True
        ).stdout.strip()

    def run_lab(self, script, *options):
        """Returns run's result, and the directory of its logs if it was left there."""
        logs = tempfile.mkdtemp(prefix="virtward-lab-test.", dir="/tmp")
        self.addCleanup(shutil.rmtree, logs, ignore_errors=True)
        result = subprocess.run(
            [os.path.join(HERE, "run"), *options, self.kernel, "/bin/sh", "-c", script],
            env={**os.environ, "LAB_LOGS": logs},
            stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False,
        )
        with open(os.path.join(logs, "kernel.log"), encoding="utf-8", errors="replace") as log:
            return result, log.read()

    def assert_fails(self, result, why):
        self.assertEqual(result.returncode, 1, result.stdout + result.stderr)
        self.assertIn(f"lab: {why}", result.stderr)

    def test_what_succeeds_succeeds(self):
        result, log = self.run_lab("uname -r; test $$ != 1; echo \"it's quoted\"")
        self.assertEqual(result.returncode, 0, result.stderr)
        self.assertRegex(result.stdout, r"^6\.12\.\d+\S*\nit's quoted\n$")
        self.assertIn("Linux version 6.12", log)

    def test_a_script_that_fails(self):
        result, _ = self.run_lab("exit 3")
        self.assert_fails(result, "the script failed (3)")

    def test_a_report_of_the_kernel_fails_a_script_that_succeeds(self):
        result, _ = self.run_lab("echo 'WARNING: made up by a test' >/dev/kmsg")
        self.assert_fails(result, "the kernel complained")
        self.assertIn("made up by a test", result.stderr)

    def test_a_kernel_that_dies(self):
        result, log = self.run_lab("echo c >/proc/sysrq-trigger; sleep 60")
        self.assert_fails(result, "the lab ended before the script did")
        self.assertIn("the kernel complained", result.stderr)
        self.assertIn("Kernel panic", log)

    def test_a_script_that_never_ends(self):
        result, _ = self.run_lab("sleep 1000", "--timeout", "20")
        self.assert_fails(result, "not done after 20 s")


if __name__ == "__main__":
    unittest.main()
