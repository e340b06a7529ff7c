# SPDX-License-Identifier: LGPL-2.1-or-later
"""A small introspection tool that speaks KVMI, for the stories in the lab."""

import contextlib
import socket
import struct
import sys
import os
import threading

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "integration"))

from ward_processes import PATIENCE  # noqa: E402
from ward_tool import Tool  # noqa: E402

# linux/kvmi.h in kernel/introspection
EVENT_REPLY = 0
EVENT = 1
GET_VERSION = 2
CHECK_COMMAND = 3
CHECK_EVENT = 4
GET_GUEST_INFO = 5
GET_VCPU_INFO = 6
PAUSE_VCPU = 7
CONTROL_VM_EVENTS = 8
CONTROL_EVENTS = 9
CONTROL_CR = 10
CONTROL_MSR = 11
GET_REGISTERS = 13
SET_REGISTERS = 14
READ_PHYSICAL = 17
WRITE_PHYSICAL = 18
INJECT_EXCEPTION = 19
SET_PAGE_ACCESS = 21
CONTROL_CMD_RESPONSE = 27
GET_MAX_GFN = 29
GET_NEXT_AVAILABLE_GFN = 31
TRANSLATE_GVA = 35
CONTROL_SINGLESTEP = 63

EVENT_UNHOOK = 0
EVENT_CR = 1
EVENT_MSR = 2
EVENT_PF = 6
EVENT_PAUSE_VCPU = 10
EVENT_SINGLESTEP = 11

ACTION_CONTINUE = 0

HEADER = struct.Struct("<HHI")
# linux/vm_sockets.h: the machine itself
VMADDR_CID_LOCAL = 1
EVENT_ID_OFFSET = 4  # in struct kvmi_event: after size and vcpu


class KvmiError(Exception):
    def __init__(self, number):
        self.number = number
        super().__init__(f"KVMI error {number}")


class Guest:
    """One hooked guest: commands are answered in order, events are noted by a thread."""

    def __init__(self, connection):
        self.connection = connection
        self.connection.settimeout(None)
        self.sequence = 0
        self.replies = {}
        self.events = []
        self.unanswered = []  # (sequence, vCPU, event)
        self.closed = False
        self.condition = threading.Condition()
        threading.Thread(target=self._read, daemon=True).start()

    def _receive(self, size):
        data = b""
        while len(data) < size:
            more = self.connection.recv(size - len(data))
            if not more:
                raise OSError("closed")
            data += more
        return data

    def _read(self):
        try:
            while True:
                number, size, sequence = HEADER.unpack(self._receive(HEADER.size))
                body = self._receive(size)
                with self.condition:
                    if number == EVENT:
                        (vcpu,) = struct.unpack_from("<2xH", body)
                        self.events.append(body[EVENT_ID_OFFSET])
                        self.unanswered.append((sequence, vcpu, body[EVENT_ID_OFFSET]))
                    else:
                        self.replies[sequence] = body
                    self.condition.notify_all()
        except OSError:
            pass
        with self.condition:
            self.closed = True
            self.condition.notify_all()

    def _wait(self, predicate, what):
        with self.condition:
            if not self.condition.wait_for(predicate, PATIENCE):
                raise AssertionError(f"waited {PATIENCE} s in vain for {what}")

    def command(self, number, body=b""):
        self.sequence += 1
        sequence = self.sequence
        self.connection.sendall(HEADER.pack(number, len(body), sequence) + body)
        self._wait(lambda: sequence in self.replies or self.closed, f"a reply to {number}")
        if sequence not in self.replies:
            raise ConnectionError("the host closed the connection")
        reply = self.replies.pop(sequence)
        (error,) = struct.unpack_from("<i", reply)
        if error:
            raise KvmiError(error)
        return reply[8:]

    def version(self):
        return struct.unpack_from("<I", self.command(GET_VERSION))[0]

    def vcpus(self):
        return struct.unpack_from("<I", self.command(GET_GUEST_INFO))[0]

    def read(self, address, size):
        return self.command(READ_PHYSICAL, struct.pack("<QQ", address, size))

    def pause(self, vcpu=0):
        """The vCPU waits with an event; returns it, for answer()."""
        self.command(PAUSE_VCPU, struct.pack("<H6xB7x", vcpu, 1))
        self._wait(lambda: EVENT_PAUSE_VCPU in self.events, "the event PAUSE_VCPU")
        self.events.remove(EVENT_PAUSE_VCPU)
        return self.unanswered.pop()

    def answer(self, event, action=ACTION_CONTINUE):
        sequence, vcpu, number = event
        body = struct.pack("<H6xBB6x", vcpu, action, number)
        self.connection.sendall(HEADER.pack(EVENT_REPLY, len(body), sequence) + body)

    def want_unhook_event(self):
        self.command(CONTROL_VM_EVENTS, struct.pack("<HB5x", EVENT_UNHOOK, 1))

    def wait_unhook_event(self):
        self._wait(lambda: EVENT_UNHOOK in self.events, "the event UNHOOK")

    def wait_end(self):
        """However long that takes; True: asked to let go, False: cut off."""
        with self.condition:
            self.condition.wait_for(lambda: self.closed or EVENT_UNHOOK in self.events)
            return not self.closed

    def wait_closed(self):
        self._wait(lambda: self.closed, "the host to close the connection")

    def close(self):
        with contextlib.suppress(OSError):
            self.connection.shutdown(socket.SHUT_RDWR)


class KvmiTool(Tool):
    """Listens as Tool does; guests that were hooked are taken with next_guest()."""

    def next_guest(self, wait_for):
        return Guest(wait_for(self.take, "a guest"))


class SilentTool(Tool):
    """Takes connections and never says a word: there is no thread that would."""

    def start(self):
        self.listener = self.bind()
        self.listener.listen()
        return self


class FickleTool(KvmiTool):
    """Shakes hands, and hangs up."""

    def after_handshake(self):
        self.hang_up()


class VsockTool(KvmiTool):
    """The same on a vsock port of this machine."""

    def __init__(self, port):
        super().__init__(f"vsock:{VMADDR_CID_LOCAL}:{port}")
        self.port = port

    def bind(self):
        listener = socket.socket(socket.AF_VSOCK)
        listener.bind((socket.VMADDR_CID_ANY, self.port))
        return listener
