# SPDX-License-Identifier: LGPL-2.1-or-later
"""Guests that stop at their first instruction, for what only needs a guest: a BIOS that finds nothing
to boot takes a CPU, and the lab has two."""

import os

SIZE = 64 * 1024
RESET_VECTOR = 0xFFF0
CLI_HLT_AGAIN = b"\xfa\xf4\xeb\xfd"


def firmware():
    """Writes it once; returns its element in <os>."""
    path = os.path.join(os.environ["TMPDIR"], "halting.rom")
    image = bytearray(SIZE)
    image[RESET_VECTOR:RESET_VECTOR + len(CLI_HLT_AGAIN)] = CLI_HLT_AGAIN
    with open(path, "wb") as out:
        out.write(image)
    return f"<loader type='rom'>{path}</loader>"


def halting(xml):
    """The domain XML with that firmware."""
    return xml.replace("hvm</type>", "hvm</type>" + firmware())
