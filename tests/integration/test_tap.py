# SPDX-License-Identifier: LGPL-2.1-or-later
"""tap.py: what it takes for a failure, and what for a machine that stood still."""

import os
import subprocess
import sys
import tempfile
import textwrap
import unittest

TAP = os.path.join(os.path.dirname(os.path.abspath(__file__)), "tap.py")
# Stopped as a whole, a process cannot tell that from a machine that stands still.
HEAD = """\
import os, signal, subprocess, unittest

def stand_still():
    subprocess.Popen(["/bin/sh", "-c", f"sleep 3; kill -CONT {os.getpid()}"])
    os.kill(os.getpid(), signal.SIGSTOP)

class CaseTest(unittest.TestCase):
    worlds = runs = 0

    @classmethod
    def setUpClass(cls):
        CaseTest.worlds += 1

    def setUp(self):
        CaseTest.runs += 1
"""


class TapTest(unittest.TestCase):
    def tap(self, body):
        with tempfile.TemporaryDirectory() as directory:
            path = os.path.join(directory, "test_case.py")
            with open(path, "w", encoding="utf-8") as file:
                file.write(HEAD + textwrap.indent(textwrap.dedent(body), "    "))
            result = subprocess.run(
                [sys.executable, "-B", TAP, path], capture_output=True, text=True, check=False
            )
        lines = result.stdout.splitlines()
        return result.returncode, [line for line in lines if not line.startswith("#")], lines

    def test_success(self):
        code, verdicts, _ = self.tap("def test_it(self): pass")
        self.assertEqual((code, verdicts), (0, ["ok 1 - CaseTest.test_it", "1..1"]))

    def test_failure(self):
        code, verdicts, lines = self.tap("def test_it(self): self.fail(f'at run {self.runs}')")
        self.assertEqual((code, verdicts), (1, ["not ok 1 - CaseTest.test_it", "1..1"]))
        self.assertIn("# AssertionError: at run 1", lines)

    def test_failure_of_a_part(self):
        code, verdicts, _ = self.tap(
            """
            def test_it(self):
                with self.subTest(part=1):
                    self.fail("no")
            """
        )
        self.assertEqual((code, verdicts), (1, ["not ok 1 - CaseTest.test_it (part=1)", "1..1"]))

    def test_skip(self):
        code, verdicts, _ = self.tap("def test_it(self): self.skipTest('why')")
        self.assertEqual((code, verdicts[0]), (0, "ok 1 - CaseTest.test_it # SKIP why"))

    def test_machine_that_stood_still_gets_another_try_in_a_new_world(self):
        code, verdicts, lines = self.tap(
            """
            def test_it(self):
                if self.runs == 1:
                    stand_still()
                    self.fail("missed it")
                self.assertEqual((self.runs, self.worlds), (2, 2))
            """
        )
        self.assertEqual((code, verdicts), (0, ["ok 1 - CaseTest.test_it", "1..1"]))
        self.assertTrue(any("once more" in line for line in lines), lines)
        self.assertIn("# AssertionError: missed it", lines)

    def test_failure_stays_one_however_often_the_machine_stands_still(self):
        code, verdicts, lines = self.tap(
            """
            def test_it(self):
                stand_still()
                self.fail(f"at run {self.runs}")
            """
        )
        self.assertEqual((code, verdicts), (1, ["not ok 1 - CaseTest.test_it", "1..1"]))
        self.assertIn("# AssertionError: at run 3", lines)
