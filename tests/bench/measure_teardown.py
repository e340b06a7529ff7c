# SPDX-License-Identifier: LGPL-2.1-or-later
"""Counts the Ultravisor calls of a reboot, synchronous and asynchronous, and makes docs/'s table and plot of them.

The counts are what the KUnit suite kvm_s390_pv_calls prints, on both bases, in an s390x kernel that is booted for
that: calls to a model of the Ultravisor, not to a machine's. See bench.
"""

import os
import re
import subprocess
import sys

from measured_docs import HERE, grid, write_plot, write_table

CHECK = os.path.join(HERE, "..", "lab", "check-teardown")
SUITE = "kvm_s390_pv_calls"
BASES = ("6.12", "6.1")
LINE = re.compile(
    r"calls: (\d+) GiB, (\d+) vCPUs, (\d+) pages of its own: (\d+) (\d+) (\d+)$", re.MULTILINE
)
SIZES = [4, 16, 64, 256]
MADE = "Made by `make bench` (tests/bench/measure_teardown.py)."

PLOT = """\
set terminal svg size 640,400 font "sans-serif,13" background "white"
set title "Ultravisor calls before the guest can boot again"
set xlabel "guest memory (GiB)"
set ylabel "calls"
set logscale x 2
set logscale y 10
set xrange [3:340]
set yrange [1e5:2e8]
set xtics ({tics})
set format y "10^{{%L}}"
set grid
set key left top
$calls << END
{rows}
END
plot $calls using 1:2 with linespoints linewidth 2 pointtype 7 title "synchronous (DISABLE)", \\
     $calls using 1:3 with linespoints linewidth 2 pointtype 5 title "asynchronous (PREPARE)"
"""


class Calls:
    """A guest size's row; @own pages are the process's, not the guest's."""

    def __init__(self, words):
        self.size, self.vcpus, self.own, self.disable, self.prepare, self.perform = map(int, words)

    def ratio(self):
        return self.disable / self.prepare

    def ratio_of_guest(self):
        return (self.disable - self.own) / self.prepare


def count(base):
    """What the suite prints on @base; its own lines go on to stderr if it fails."""
    result = subprocess.run([CHECK, base, SUITE], stdout=subprocess.PIPE, text=True, check=False)
    rows = [Calls(words) for words in LINE.findall(result.stdout)]
    if result.returncode != 0 or [row.size for row in rows] != SIZES:
        sys.exit(f"{result.stdout}\n{SUITE} on {base} failed, or did not print its counts")
    return rows


def table(rows):
    lines = [("guest", "synchronous", "asynchronous", "in background", "ratio", "guest alone")]
    for row in rows:
        lines.append(
            (
                f"{row.size} GiB",
                f"{row.disable:,}",
                f"{row.prepare:,}",
                f"{row.perform:,}",
                f"1/{row.ratio():.4f}",
                f"1/{row.ratio_of_guest():.4f}",
            )
        )
    return grid(lines)


def main():
    counts = {base: count(base) for base in BASES}
    rows = counts[BASES[0]]
    tables = {base: table(counts[base]) for base in BASES}
    if len(set(tables.values())) != 1:
        sys.exit("\n\n".join(f"{base}:\n{text}" for base, text in tables.items()) +
                 "\n\nThe bases differ; docs/ has one table for both.")
    print(f"Ultravisor calls of a reboot, on a model; {rows[0].vcpus} vCPUs; the process has "
          f"{rows[0].own:,} pages of its own;\nthe same on {' and '.join(BASES)}. Wanted at 64 GiB: "
          "1/32 or less, and asynchronous the same at any size.\n")
    print(tables[BASES[0]])
    write_table("teardown-calls-table.rst", MADE, tables[BASES[0]])
    write_plot("teardown-calls.svg", MADE, PLOT, SIZES,
               [(row.size, row.disable, row.prepare) for row in rows])


if __name__ == "__main__":
    main()
