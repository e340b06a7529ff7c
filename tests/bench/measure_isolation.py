# SPDX-License-Identifier: LGPL-2.1-or-later
"""Counts the host's instructions for each exit of a guest: unpatched, with asi=off, and with asi=on for a VM without
isolation and one with it; and how often the restricted address space is left, and why. Makes docs/'s table of it.

The counts are those of tests/lab/exit-cost in a lab whose time is a count of instructions (run --count): they repeat,
and do not depend on this machine, but on the compiler and the configuration.

A user's alternative, flushing at every entry into a guest, is one flush an entry by definition. What a flush takes
is time of the memory system, which a software CPU does not have: instructions cannot tell. So the flushes are counted,
not weighed. See bench."""

import os
import re
import subprocess
import sys

from measured_docs import HERE, grid, write_table

LAB = os.path.join(HERE, "..", "lab", "run")
BUILD = os.path.join(HERE, "..", "..", "kernel", "build")
MADE = "Made by `make bench` (tests/bench/measure_isolation.py)."
FIGURES = re.compile(r"(?m)^io ([0-9.]+) cpuid ([0-9.]+) steady ([0-9.]+)$")
COUNTERS = re.compile(r"(?m)^counters (\w+) (.+)$")
GUESTS = {
    "io": "port I/O, served by user space",
    "cpuid": "CPUID, served in the kernel",
    "steady": "own work, timer, port I/O in the kernel",
}
MOST_ON, MOST_OFF, MOST_EXITS = 0.08, 0.005, 1.0


class Run:
    """One kernel, one way to boot it, one policy."""

    def __init__(self, program, variant=(), append="", policy=None):
        kernel = output(BUILD, *variant).strip()
        words = [LAB, "--count", "--append", append, kernel, program]
        text = output(*words, *([policy] if policy else []))
        lines = [list(map(float, found)) for found in FIGURES.findall(text)]
        if not lines:
            sys.exit(f"{program} printed no figures:\n{text}")
        self.figures = {name: min(column) for name, column in zip(GUESTS, zip(*lines))}
        self.counters = {}
        for name, words in COUNTERS.findall(text):
            words = words.split()
            self.counters[name] = dict(zip(words[::2], map(int, words[1::2])))


def output(*command):
    return subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True).stdout


def more(after, before):
    return after / before - 1


def cost_table(unpatched, off, without, isolated):
    lines = [("exit", "unpatched", "asi=off", "asi=on, without", "asi=on, isolated", "on over off")]
    for name, what in GUESTS.items():
        runs = [run.figures[name] for run in (unpatched, off, without, isolated)]
        lines.append((what, *(f"{figure:,.1f}" for figure in runs), f"{more(runs[3], runs[1]):+.1%}"))
    return grid(lines)


def per_100(counters, *names):
    entries = counters["entries_restricted"]
    return 100 * sum(counters[name] for name in names) / entries if entries else 0.0


def exits_table(isolated):
    causes = ["exits_fault", "exits_schedule", "exits_userspace", "exits_explicit"]
    lines = [("per 100 entries", "exits", "fault", "schedule", "user space", "explicit", "flushes")]
    for name, what in GUESTS.items():
        counters = isolated.counters[name]
        columns = [per_100(counters, *causes), *(per_100(counters, cause) for cause in causes)]
        columns.append(per_100(counters, "flushes"))
        lines.append((what, *(f"{number:.2f}" for number in columns)))
    lines.append(("flush at every entry", "-", "-", "-", "-", "-", "100.00"))
    return grid(lines)


def judge(good, what):
    print(f"{'good' if good else 'MISSED'}: {what}")


def main(program):
    unpatched = Run(program, ["--unpatched"])
    off = Run(program)
    without = Run(program, append="asi=on", policy="off")
    isolated = Run(program, append="asi=on", policy="on")
    costs = cost_table(unpatched, off, without, isolated)
    exits = exits_table(isolated)
    print("Instructions of the host for each exit, one CPU:\n")
    print(f"{costs}\n\nExits from the restricted address space, and flushes:\n\n{exits}\n")
    for name in ("steady", "cpuid"):
        served = more(isolated.figures[name], off.figures[name])
        judge(served <= MOST_ON, f"{GUESTS[name]}, on over off: {served:+.1%} (at most {MOST_ON:+.0%})")
    worst = max(more(off.figures[name], unpatched.figures[name]) for name in GUESTS)
    judge(worst <= MOST_OFF, f"off over unpatched: {worst:+.2%} at most (at most {MOST_OFF:+.1%})")
    steady = isolated.counters["steady"]
    ratio = per_100(steady, "exits_fault", "exits_schedule", "exits_userspace", "exits_explicit")
    judge(ratio < MOST_EXITS, f"steady state: {ratio:.2f} exits per 100 entries (less than {MOST_EXITS:.0f})")
    for name in ("entries_unrestricted", "violations"):
        if any(counters[name] for counters in isolated.counters.values()):
            sys.exit(f"{name} while isolation was on: {isolated.counters}")
    write_table("isolation-cost-table.rst", MADE, f"{costs}\n\n{exits}")


if __name__ == "__main__":
    main(os.path.join(os.path.abspath(sys.argv[1]), "tests/lab/exit-cost"))
