# SPDX-License-Identifier: LGPL-2.1-or-later
"""Guests without a BIOS: one that stops at its first instruction, for what only needs a guest (a BIOS that
finds nothing to boot takes a CPU, and the lab has two), one that does what tools watch, and one that only
writes."""

import os

SIZE = 64 * 1024
RESET_VECTOR = 0xFFF0
CLI_HLT_AGAIN = b"\xfa\xf4\xeb\xfd"


def firmware(name, code):
    """Writes it, address by address; returns its element in <os>."""
    path = os.path.join(os.environ["TMPDIR"], name + ".rom")
    image = bytearray(SIZE)
    for address, part in code.items():
        image[address:address + len(part)] = part
    with open(path, "wb") as out:
        out.write(image)
    return f"<loader type='rom'>{path}</loader>"


def halting(xml):
    """The domain XML with that firmware."""
    return xml.replace("hvm</type>", "hvm</type>" + firmware("halting", {RESET_VECTOR: CLI_HLT_AGAIN}))


# Real-mode code for 0xf000 in the ROM. It says that its page tables are at BUSY_TABLES, which nothing
# looks at in real mode, and then goes round and round: writes BUSY_PAGES pages from there on, then CR3,
# CR4 and STAR, one bit of which is off and on.
BUSY_TABLES = 0x10000
BUSY_PAGES = 8
BUSY_COUNTER = 0x10  # in each of the pages, 32 bits
BUSY = bytes.fromhex(
    "fa" "66b800000100" "0f22d8"  # cli; mov $0x10000, %eax; mov %eax, %cr3
    "bb0010"  # 1: mov $0x1000, %bx
    "8edb" "66ff061000"  # 2: mov %bx, %ds; incl 0x10
    "81c30001" "81fb0018" "75ef"  # add $0x100, %bx; cmp $0x1800, %bx; jne 2b
    "0f20d8" "3408" "0f22d8"  # mov %cr3, %eax; xor $8, %al; mov %eax, %cr3
    "0f20e0" "3408" "0f22e0"  # mov %cr4, %eax; xor $8, %al; mov %eax, %cr4
    "66b9810000c0" "0f32" "80f601" "0f30"  # mov $0xc0000081, %ecx; rdmsr; xor $1, %dh; wrmsr
    "ebcd"  # jmp 1b
)
BUSY_AT = 0xF000
JMP_BUSY = b"\xe9" + (BUSY_AT - RESET_VECTOR - 3 & 0xFFFF).to_bytes(2, "little")


def busy(xml):
    """The domain XML with that firmware."""
    code = {BUSY_AT: BUSY, RESET_VECTOR: JMP_BUSY}
    return xml.replace("hvm</type>", "hvm</type>" + firmware("busy", code))


# The same that writes to STORE_PAGES pages from STORES on, one after the other, and does nothing else.
STORES = 0x10000
STORE_PAGES = 128
STORE_COUNTER = 0x10  # in each of the pages, 32 bits
STORING = bytes.fromhex(
    "fa" "bb0010"  # cli; 1: mov $0x1000, %bx
    "8edb" "66ff061000"  # 2: mov %bx, %ds; incl 0x10
    "81c30001" "81fb0090" "75ef"  # add $0x100, %bx; cmp $0x9000, %bx; jne 2b
    "ebea"  # jmp 1b
)


def storing(xml):
    """The domain XML with that firmware."""
    code = {BUSY_AT: STORING, RESET_VECTOR: JMP_BUSY}
    return xml.replace("hvm</type>", "hvm</type>" + firmware("storing", code))
