# SPDX-License-Identifier: LGPL-2.1-or-later
"""What `make bench` writes into docs/: tables and plots of what was counted."""

import os
import subprocess

HERE = os.path.dirname(os.path.abspath(__file__))
DOCS = os.path.join(HERE, "..", "..", "docs")
LICENCE = "SPDX-License-Identifier: LGPL-2.1-or-later"


def grid(lines):
    """A simple table of reStructuredText; numbers to the right."""
    widths = [max(len(line[column]) for line in lines) for column in range(len(lines[0]))]
    rule = "  ".join("=" * width for width in widths)
    text = ["  ".join(cell.rjust(width) for cell, width in zip(line, widths)) for line in lines]
    return "\n".join([rule, text[0], rule, *text[1:], rule])


def write(name, text):
    with open(os.path.join(DOCS, name), "w", encoding="utf-8") as file:
        file.write("".join(line.rstrip() + "\n" for line in text.splitlines()))


def write_table(name, made, table):
    write(name, f".. {LICENCE}\n.. {made}\n\n{table}\n")


def write_plot(name, made, script, sizes, rows):
    """@script: gnuplot's, with places for {tics} and for {rows}, each of which is a tuple of numbers."""
    script = script.format(
        tics=", ".join(str(size) for size in sizes),
        rows="\n".join(" ".join(str(number) for number in row) for row in rows),
    )
    svg = subprocess.run(
        ["gnuplot"], input=script, stdout=subprocess.PIPE, text=True, check=True
    ).stdout
    head, body = svg.split("\n", 1)
    write(name, f"{head}\n<!-- {LICENCE} -->\n<!-- {made} -->\n{body}")
