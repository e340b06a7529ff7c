# SPDX-License-Identifier: LGPL-2.1-or-later
"""Counts the SEAMCALLs at the end of a trust domain, with its key and without, and makes docs/'s table and plot of them.

The counts are what the KUnit suite tdx_td_calls prints, in a kernel that is booted for that: calls to a model of the
TDX module, not to a machine's. See bench.
"""

import os
import re
import subprocess
import sys

from measured_docs import HERE, grid, write_plot, write_table

CHECK = os.path.join(HERE, "..", "lab", "check-trustdomain")
SUITE = "tdx_td_calls"
LINE = re.compile(
    r"calls: (\d+) GiB, (\d+) of (\d+) pages there: (\d+) (\d+) (\d+)$", re.MULTILINE
)
SIZES = [1, 4, 18, 107, 400]
MADE = "Made by `make bench` (tests/bench/measure_trustdomain_calls.py)."

PLOT = """\
set terminal svg size 640,400 font "sans-serif,13" background "white"
set title "SEAMCALLs at the end of a trust domain"
set xlabel "guest memory (GiB)"
set ylabel "calls"
set logscale x 2
set logscale y 10
set xrange [0.8:512]
set yrange [1:2e9]
set xtics ({tics})
set format y "10^{{%L}}"
set grid
set key right center
$calls << END
{rows}
END
plot $calls using 1:2 with linespoints linewidth 2 pointtype 7 title "with the key (block, track, remove, flush)", \\
     $calls using 1:3 with linespoints linewidth 2 pointtype 5 title "once the key is gone (reclaim)", \\
     $calls using 1:4 with linespoints linewidth 2 pointtype 9 title "until the KeyID is free"
"""


class Calls:
    """A guest size's row."""

    def __init__(self, words):
        self.size, self.there, self.pages, self.live, self.released, self.held = map(int, words)


def count():
    """What the suite prints; its own lines go on to stderr if it fails."""
    result = subprocess.run([CHECK, SUITE], stdout=subprocess.PIPE, text=True, check=False)
    rows = [Calls(words) for words in LINE.findall(result.stdout)]
    if result.returncode != 0 or [row.size for row in rows] != SIZES:
        sys.exit(f"{result.stdout}\n{SUITE} failed, or did not print its counts")
    return rows


def table(rows):
    lines = [("guest", "pages", "with the key", "key gone", "per page", "until the KeyID is free")]
    for row in rows:
        lines.append(
            (
                f"{row.size} GiB",
                f"{row.pages:,}",
                f"{row.live:,}",
                f"{row.released:,}",
                f"{row.live / row.pages:.2f} : {row.released / row.pages:.2f}",
                f"{row.held:,}",
            )
        )
    return grid(lines)


def main():
    rows = count()
    print("SEAMCALLs at the end of a trust domain with 4 vCPUs, on a model, two packages. Wanted: one for\n"
          "each private page once the key is gone, and as many until then at any size.\n")
    print(table(rows))
    write_table("trustdomain-calls-table.rst", MADE, table(rows))
    write_plot("trustdomain-calls.svg", MADE, PLOT, SIZES,
               [(row.size, row.live, row.released, row.held) for row in rows])


if __name__ == "__main__":
    main()
