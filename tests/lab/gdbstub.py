# SPDX-License-Identifier: LGPL-2.1-or-later
"""The lab's machine as its emulator shows it (gdb's remote protocol), and its page tables.

Nothing here asks the kernel that runs in the lab: registers and physical memory are the emulator's."""

import socket
import struct

# Numbers of QEMU's registers of x86_64: gdb-xml/i386-64bit.xml.
RIP, CR3, CR4 = 16, 29, 30

PACKET = 1024  # bytes of memory in an answer, which has two digits for each
LA57 = 1 << 12
PRESENT, LARGE = 1 << 0, 1 << 7
ADDRESS = 0x000FFFFFFFFFF000
ENTRIES = struct.Struct("<512Q")
PAGE = 4096


class GdbStub:
    """The machine stands still from connect() on, but in go()."""

    def __init__(self, path):
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.settimeout(600)
        self.socket.connect(path)
        self.buffer = b""
        # Who has not asked for the list of registers is given none.
        self.ask("qXfer:features:read:target.xml:0,3ff")
        # What a virtual address means depends on whether a guest was running.
        self.demand("Qqemu.PhyMemMode:1")

    def close(self):
        """Lets the machine run."""
        self.ask("D")
        self.socket.close()

    def _byte(self):
        if not self.buffer:
            self.buffer = self.socket.recv(65536)
            if not self.buffer:
                raise EOFError("the emulator has gone")
        byte, self.buffer = self.buffer[:1], self.buffer[1:]
        return byte

    def _send(self, text):
        data = text.encode("ascii")
        self.socket.sendall(b"$%s#%02x" % (data, sum(data) & 0xFF))

    def _receive(self):
        while self._byte() != b"$":
            pass
        data = bytearray()
        while (byte := self._byte()) != b"#":
            data += byte
        self._byte(), self._byte()
        self.socket.sendall(b"+")
        return data.decode("ascii")

    def ask(self, text):
        """Never go on with this: that the machine has stopped (T) is told unasked when we connect, too."""
        self._send(text)
        while (answer := self._receive()).startswith("T"):
            pass
        return answer

    def demand(self, text):
        answer = self.ask(text)
        if answer != "OK":
            raise RuntimeError(f"the emulator answers {answer!r} to {text}")

    def register(self, number):
        """Of the CPU that stopped last."""
        return struct.unpack("<Q", bytes.fromhex(self.ask(f"p{number:x}"))[:8])[0]

    def read(self, address, size):
        """Physical memory."""
        data = b""
        while len(data) < size:
            count = min(PACKET, size - len(data))
            answer = self.ask(f"m{address + len(data):x},{count:x}")
            if answer.startswith("E") or len(answer) != 2 * count:
                raise RuntimeError(f"cannot read {count} bytes at {address + len(data):#x}")
            data += bytes.fromhex(answer)
        return data

    def break_at(self, address):
        self.demand(f"Z0,{address:x},1")

    def no_break_at(self, address):
        self.demand(f"z0,{address:x},1")

    def go(self):
        """Until a CPU comes to a breakpoint, which is then the one whose registers are read."""
        self._send("c")
        while (answer := self._receive()).startswith("T02"):
            pass  # that was when we connected
        fields = dict(field.split(":") for field in answer[3:].split(";") if ":" in field)
        if not answer.startswith("T05") or "thread" not in fields:
            raise RuntimeError(f"the machine stopped with {answer!r}")
        self.demand(f"Hg{fields['thread']}")


class PageTables:
    """All that the tables of a CR3 map."""

    def __init__(self, stub, cr3, cr4):
        self.stub = stub
        self.root = cr3 & ADDRESS
        self.levels = 5 if cr4 & LA57 else 4
        self.tables = {}

    def _table(self, address):
        if address not in self.tables:
            self.tables[address] = ENTRIES.unpack(self.stub.read(address, PAGE))
        return self.tables[address]

    def translate(self, virtual):
        """The physical address; None: it is not mapped."""
        table = self.root
        for level in reversed(range(self.levels)):
            shift = 12 + 9 * level
            entry = self._table(table)[virtual >> shift & 511]
            if not entry & PRESENT:
                return None
            if level == 0 or entry & LARGE:
                size = 1 << shift
                return (entry & ADDRESS & -size) | (virtual & (size - 1))
            table = entry & ADDRESS
        raise AssertionError

    def leaves(self):
        """(physical address, size) of each leaf, once for each table that it is in."""
        todo, seen = [(self.root, self.levels - 1)], set()
        while todo:
            table, level = todo.pop()
            if (table, level) in seen:
                continue
            seen.add((table, level))
            size = 1 << (12 + 9 * level)
            for entry in self._table(table):
                if not entry & PRESENT:
                    continue
                if level == 0 or entry & LARGE:
                    yield entry & ADDRESS & -size, size
                else:
                    todo.append((entry & ADDRESS, level - 1))

    def covered(self, frames):
        """Those of the physical addresses that some leaf maps."""
        found = set()
        for start, size in self.leaves():
            found |= {frame for frame in frames if start <= frame < start + size}
        return found
