#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Runs one file of unittest cases and reports each case in TAP, which meson counts.

    tap.py FILE [CASE...]        CASE as unittest names it: Class or Class.test_method
"""

import importlib.util
import os
import sys
import traceback
import unittest


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

    def fail(self, test, error):
        world = getattr(test, "world", None)
        logs = "\n" + world.logs() if world else ""
        self.report(test, False, detail="".join(traceback.format_exception(*error)) + logs)

    def addSuccess(self, test):
        self.report(test, True)

    def addSkip(self, test, reason):
        super().addSkip(test, reason)
        self.report(test, True, " # SKIP " + reason)

    def addError(self, test, err):
        super().addError(test, err)
        self.fail(test, err)

    def addFailure(self, test, err):
        super().addFailure(test, err)
        self.fail(test, err)

    def addSubTest(self, test, subtest, err):
        super().addSubTest(test, subtest, err)
        if err is not None:
            self.fail(subtest, err)


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
    suite.run(result)
    print(f"1..{result.count}")
    return 0 if result.count and result.wasSuccessful() else 1


if __name__ == "__main__":
    sys.exit(main())
