#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Runs one file of unittest cases and reports each case in TAP, which meson counts.

    tap.py FILE [CASE...]        CASE as unittest names it: Class or Class.test_method

A virtual machine may stand still for many seconds, and miss what it was about to look at. A case that
fails while the clock jumped is run once more, with a new world; one that fails without is a failure.
"""

import importlib.util
import os
import sys
import traceback
import unittest

from ward_clock import Clock

ATTEMPTS = 3


class Attempt(unittest.TestResult):
    """What came of a case, until it is known whether that counts."""

    def __init__(self):
        super().__init__()
        self.outcomes = []

    def addSuccess(self, test):
        self.outcomes.append(("addSuccess", test))

    def addSkip(self, test, reason):
        self.outcomes.append(("addSkip", test, reason))

    def addError(self, test, err):
        self.bad("addError", test, err)

    def addFailure(self, test, err):
        self.bad("addFailure", test, err)

    def addSubTest(self, test, subtest, err):
        if err is not None:
            self.bad("addFailure", subtest, err)

    def bad(self, what, test, err):
        world = getattr(test, "world", None)
        logs = "\n" + world.logs() if world else ""
        self.failures.append(test)
        self.outcomes.append((what, test, "".join(traceback.format_exception(*err)) + logs))


def run_patiently(run, clock):
    """TestCase.run(), for a machine that may stand still."""

    def patient_run(case, result=None):
        for left in reversed(range(ATTEMPTS)):
            clock.take()
            attempt = Attempt()
            run(case, attempt)
            jump = clock.take()
            if not attempt.failures or not jump or not left:
                break
            print(f"# {case.id()}: failed, but the clock jumped {jump:.1f} s; once more")
            for _, _, detail in (entry for entry in attempt.outcomes if len(entry) == 3):
                print("\n".join("# " + line for line in detail.splitlines()))
            renew(type(case))
        for outcome, *arguments in attempt.outcomes:
            getattr(result, outcome)(*arguments)

    return patient_run


def renew(case_class):
    case_class.tearDownClass()
    case_class.doClassCleanups()
    case_class.setUpClass()


class TapResult(unittest.TestResult):
    def __init__(self, module):
        super().__init__()
        self.module = module
        self.count = 0

    def report(self, test, ok, directive="", detail=""):
        self.count += 1
        words = test.id().removeprefix(self.module + ".") + directive
        print("ok" if ok else "not ok", self.count, "-", words)
        for line in detail.splitlines():
            print("#", line)
        sys.stdout.flush()

    def addSuccess(self, test):
        self.report(test, True)

    def addSkip(self, test, reason):
        super().addSkip(test, reason)
        self.report(test, True, " # SKIP " + reason)

    def addError(self, test, err):
        self.addFailure(test, err)

    def addFailure(self, test, err):
        """@err: what an Attempt made of it, or the exception of a class's setUp."""
        self.failures.append((test, ""))
        detail = err if isinstance(err, str) else "".join(traceback.format_exception(*err))
        self.report(test, False, detail=detail)


def load(path):
    sys.path.insert(0, os.path.dirname(os.path.abspath(path)))
    name = os.path.splitext(os.path.basename(path))[0]
    spec = importlib.util.spec_from_file_location(name, path)
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)
    return module


def main():
    module = load(sys.argv[1])
    loader = unittest.defaultTestLoader
    if sys.argv[2:]:
        suite = loader.loadTestsFromNames(sys.argv[2:], module)
    else:
        suite = loader.loadTestsFromModule(module)
    result = TapResult(module.__name__)
    unittest.TestCase.run = run_patiently(unittest.TestCase.run, Clock())
    suite.run(result)
    print(f"1..{result.count}")
    return 0 if result.count and result.wasSuccessful() else 1


if __name__ == "__main__":
    sys.exit(main())
