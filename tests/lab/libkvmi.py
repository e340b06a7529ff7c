# SPDX-License-Identifier: LGPL-2.1-or-later
"""What the introspection tools that exist send, in their order: libkvmi's example `hookguest`, and
LibVMI's KVM driver, which stands on libkvmi, too. Each message has the size and the layout that
their C structures have on x86_64, and what is received is looked at as they do."""

import struct

from ward_kvmi import (
    CHECK_COMMAND,
    CHECK_EVENT,
    CONTROL_CMD_RESPONSE,
    CONTROL_CR,
    CONTROL_EVENTS,
    CONTROL_MSR,
    CONTROL_SINGLESTEP,
    CONTROL_VM_EVENTS,
    EVENT,
    EVENT_CR,
    EVENT_MSR,
    EVENT_PAUSE_VCPU,
    EVENT_PF,
    EVENT_REPLY,
    EVENT_SINGLESTEP,
    EVENT_UNHOOK,
    GET_GUEST_INFO,
    GET_MAX_GFN,
    GET_NEXT_AVAILABLE_GFN,
    GET_REGISTERS,
    GET_VCPU_INFO,
    GET_VERSION,
    HEADER,
    INJECT_EXCEPTION,
    PAUSE_VCPU,
    READ_PHYSICAL,
    SET_PAGE_ACCESS,
    SET_REGISTERS,
    TRANSLATE_GVA,
    WRITE_PHYSICAL,
    KvmiError,
)

PAGE = 4096
CONTINUE, RETRY = 0, 1
R, W, X = 1, 2, 4
MSR_STAR = 0xC0000081
# SYSENTER_CS, _ESP, _EIP, EFER, STAR, LSTAR, CSTAR
LIBVMI_MSRS = (0x174, 0x175, 0x176, 0xC0000080, MSR_STAR, 0xC0000082, 0xC0000083)
PAGES_UNDER_CR3 = 20

# struct kvmi_event: size, vcpu, event, then x86's part: mode, view, kvm_regs, kvm_sregs, MSRs
COMMON = struct.Struct("<HHB3x")
COMMON_SIZE = 544
REGS = slice(16, 16 + 144)
# CR0, 2, 3 follow eight segments and two tables of struct kvm_sregs, which follows struct kvm_regs.
CR3 = struct.Struct("<Q")
CR3_AT = 16 + 144 + 8 * 24 + 2 * 16 + 2 * 8
REGISTERS_SIZE = 472
UNMAPPED = 2**64 - 1
OWN_SIZE = {
    EVENT_UNHOOK: 0, EVENT_CR: 24, EVENT_MSR: 24, EVENT_PF: 24, EVENT_PAUSE_VCPU: 0, EVENT_SINGLESTEP: 8,
}


class Event:
    def __init__(self, sequence, body):
        size, self.vcpu, self.id = COMMON.unpack_from(body)
        assert size == COMMON_SIZE, f"an event's common part of {size} bytes"
        assert len(body) == size + OWN_SIZE[self.id], f"event {self.id} of {len(body)} bytes"
        self.sequence = sequence
        self.mode = body[8]
        self.regs = body[REGS]
        (self.cr3,) = CR3.unpack_from(body, CR3_AT)
        self.own = body[size:]

    def register(self):
        """Of CR and MSR: number, old and new value."""
        number, old, new = struct.unpack("<I4xQQ", self.own)
        return number & 0xFFFF if self.id == EVENT_CR else number, old, new

    def fault(self):
        """Of PF: gva, gpa, access."""
        return struct.unpack("<QQB7x", self.own)


def vcpu_header(vcpu):
    return struct.pack("<H6x", vcpu)


class LibKvmi:
    """A connection as libkvmi has it. It waits for each reply, and takes none but that; what comes
    before it is an event, which is kept."""

    def __init__(self, connection):
        self.connection = connection
        self.sequence = 0
        self.events = []

    def _receive(self, size):
        data = b""
        while len(data) < size:
            more = self.connection.recv(size - len(data))
            if not more:
                raise ConnectionError("the host closed the connection")
            data += more
        return data

    def _message(self):
        number, size, sequence = HEADER.unpack(self._receive(HEADER.size))
        return number, sequence, self._receive(size)

    def _new(self, number, body):
        self.sequence += 1
        return HEADER.pack(number, len(body), self.sequence) + body

    def _reply(self, number):
        while True:
            got, sequence, body = self._message()
            if got == EVENT:
                self.events.append(Event(sequence, body))
                continue
            assert (got, sequence) == (number, self.sequence), "libkvmi would give up here"
            (error,) = struct.unpack_from("<i4x", body)
            if error:
                raise KvmiError(error)
            return body[8:]

    def request(self, number, body=b"", size=0):
        """A reply of another size is an error of ours: libkvmi would cut or fill it."""
        self.connection.sendall(self._new(number, body))
        data = self._reply(number)
        assert len(data) == size, f"{len(data)} bytes in the reply to {number}"
        return data

    def batch(self, messages):
        """Replies off, at once; the messages; replies on, at once; all of it in one write."""
        words = [(CONTROL_CMD_RESPONSE, struct.pack("<BB6x", 0, 1)), *messages]
        words.append((CONTROL_CMD_RESPONSE, struct.pack("<BB6x", 1, 1)))
        self.connection.sendall(b"".join(self._new(*message) for message in words))
        assert self._reply(CONTROL_CMD_RESPONSE) == b""

    def next_event(self):
        if not self.events:
            number, sequence, body = self._message()
            assert number == EVENT, f"message {number} where libkvmi waits for an event"
            self.events.append(Event(sequence, body))
        return self.events.pop(0)

    def answer(self, event, action=CONTINUE, own=b""):
        body = vcpu_header(event.vcpu) + struct.pack("<BB6x", action, event.id) + own
        self.connection.sendall(HEADER.pack(EVENT_REPLY, len(body), event.sequence) + body)

    # libkvmi's functions

    def version(self):
        version, spp, vmfunc, eptp, ve = struct.unpack("<I4x4B4x", self.request(GET_VERSION, size=16))
        return version, (spp, vmfunc, eptp, ve)

    def knows(self, command=None, event=None):
        """Neither tool asks, but what depends on the answer should."""
        number, subject = (CHECK_COMMAND, command) if event is None else (CHECK_EVENT, event)
        try:
            self.request(number, struct.pack("<H6x", subject))
        except KvmiError:
            return False
        return True

    def vcpu_count(self):
        return struct.unpack("<I12x", self.request(GET_GUEST_INFO, size=16))[0]

    def max_gfn(self):
        return struct.unpack("<Q", self.request(GET_MAX_GFN, size=8))[0]

    def next_available_gfn(self):
        return struct.unpack("<Q", self.request(GET_NEXT_AVAILABLE_GFN, size=8))[0]

    def tsc_speed(self):
        return struct.unpack("<Q", self.request(GET_VCPU_INFO, vcpu_header(0), 8))[0]

    def pause_all(self, count):
        wait = struct.pack("<B7x", 1)
        self.batch([(PAUSE_VCPU, vcpu_header(vcpu) + wait) for vcpu in range(count)])

    def control_events(self, vcpu, event, enable):
        self.request(CONTROL_EVENTS, vcpu_header(vcpu) + struct.pack("<HB5x", event, enable))

    def control_vm_events(self, event, enable):
        self.request(CONTROL_VM_EVENTS, struct.pack("<HB5x", event, enable))

    def control_cr(self, vcpu, number, enable):
        self.request(CONTROL_CR, vcpu_header(vcpu) + struct.pack("<B3xI", enable, number))

    def control_msr(self, vcpu, number, enable):
        self.request(CONTROL_MSR, vcpu_header(vcpu) + struct.pack("<B3xI", enable, number))

    def control_singlestep(self, vcpu, enable):
        self.request(CONTROL_SINGLESTEP, vcpu_header(vcpu) + struct.pack("<B7x", enable))

    def set_page_access(self, gpa, access):
        entry = struct.pack("<QB7x", gpa, access)
        self.request(SET_PAGE_ACCESS, struct.pack("<HH4x", 0, 1) + entry)

    def translate(self, vcpu, gva):
        """The physical address; None if nothing is mapped there."""
        body = vcpu_header(vcpu) + struct.pack("<Q", gva)
        (gpa,) = struct.unpack("<Q", self.request(TRANSLATE_GVA, body, 8))
        return None if gpa == UNMAPPED else gpa

    def registers(self, vcpu, msrs):
        body = vcpu_header(vcpu) + struct.pack("<H6x", len(msrs)) + struct.pack(f"<{len(msrs)}I", *msrs)
        data = self.request(GET_REGISTERS, body, REGISTERS_SIZE + 16 * len(msrs))
        entries = struct.iter_unpack("<I4xQ", data[REGISTERS_SIZE:])
        return data[8:8 + 144], dict(entries)

    def set_registers(self, vcpu, regs):
        self.request(SET_REGISTERS, vcpu_header(vcpu) + regs)

    def read(self, gpa, size=PAGE):
        return self.request(READ_PHYSICAL, struct.pack("<QQ", gpa, size), size)

    def write(self, gpa, data):
        self.request(WRITE_PHYSICAL, struct.pack("<QQ", gpa, len(data)) + data)

    def inject(self, vcpu, number, error, address):
        self.request(INJECT_EXCEPTION, vcpu_header(vcpu) + struct.pack("<B3xIQ", number, error, address))


class HookGuest(LibKvmi):
    """libkvmi's example: follows CR3, CR4 and STAR, and sees the first write to each of the pages from
    the one that CR3 points to on. It does not leave by itself."""

    def __init__(self, connection):
        super().__init__(connection)
        self.started = None  # the event with which it began to watch pages
        self.enabled = set()
        self.seen = {"pause": 0, "cr3": 0, "cr4": 0, "star": 0}
        self.written = []

    def attach(self):
        assert self.version() == (1, (0, 0, 0, 0))
        count = self.vcpu_count()
        self.pause_all(count)
        return count, self.max_gfn()

    def handle(self, event):
        {
            EVENT_CR: self.cr, EVENT_MSR: self.msr, EVENT_PF: self.pf, EVENT_PAUSE_VCPU: self.pause,
        }[event.id](event)

    def maybe_start(self, event):
        first = event.cr3 & ~0xFFF
        if self.started is not None or not first:
            return
        for number in range(PAGES_UNDER_CR3):
            self.set_page_access(first + number * PAGE, R | X)
        self.started = event.id
        if event.id == EVENT_CR:
            self.control_cr(event.vcpu, 3, False)

    def cr(self, event):
        self.maybe_start(event)
        number, _, new = event.register()
        self.seen[f"cr{number}"] += 1
        self.answer(event, CONTINUE, struct.pack("<Q", new))

    def msr(self, event):
        number, _, new = event.register()
        assert number == MSR_STAR
        self.seen["star"] += 1
        self.answer(event, CONTINUE, struct.pack("<Q", new))

    def pause(self, event):
        self.maybe_start(event)
        self.seen["pause"] += 1
        if event.vcpu not in self.enabled:
            for kind in (EVENT_CR, EVENT_MSR, EVENT_PF):
                self.control_events(event.vcpu, kind, True)
            if event.vcpu == 0:
                self.control_cr(event.vcpu, 3, True)
            self.control_cr(event.vcpu, 4, True)
            self.control_msr(event.vcpu, MSR_STAR, True)
            self.enabled.add(event.vcpu)
        self.answer(event)

    def pf(self, event):
        _, gpa, access = event.fault()
        assert access == W, f"access {access} to {gpa:#x}"
        self.written.append(gpa & ~0xFFF)
        self.set_page_access(gpa, R | W | X)
        self.answer(event, RETRY, bytes(272))


class LibVmi(LibKvmi):
    """LibVMI's KVM driver, and a program that uses what there is of it."""

    def init(self):
        """vmi_init() with events."""
        assert self.version() == (1, (0, 0, 0, 0))
        self.count = self.vcpu_count()
        # Without the last one LibVMI itself would give up.
        self.kinds = [EVENT_CR, EVENT_MSR, EVENT_PF]
        if self.knows(event=EVENT_SINGLESTEP):
            self.kinds.append(EVENT_SINGLESTEP)
        for vcpu in range(self.count):
            for kind in self.kinds:
                self.control_events(vcpu, kind, True)
        return self.count

    def pause(self):
        self.pause_all(self.count)

    def resume(self):
        """Takes the event of each vCPU, in the order of the vCPUs, and lets it go on."""
        paused = {}
        for vcpu in range(self.count):
            while vcpu not in paused:
                event = self.next_event()
                assert event.id == EVENT_PAUSE_VCPU
                paused[event.vcpu] = event
            self.answer(paused[vcpu])

    def destroy(self, registers=(3,)):
        """vmi_destroy(): all of it off while the VM is paused."""
        self.pause()
        for number in registers:
            for vcpu in range(self.count):
                self.control_cr(vcpu, number, False)
        if EVENT_SINGLESTEP in self.kinds:
            for vcpu in range(self.count):
                self.control_singlestep(vcpu, False)
        for vcpu in range(self.count):
            for kind in self.kinds:
                self.control_events(vcpu, kind, False)
        # What was on its way: LibVMI answers it as if nobody had asked.
        for event in [event for event in self.events if event.id != EVENT_PAUSE_VCPU]:
            self.events.remove(event)
            self.answer_as_it_is(event)
        self.resume()

    def answer_as_it_is(self, event):
        if event.id in (EVENT_CR, EVENT_MSR):
            self.answer(event, CONTINUE, event.own[16:])
        elif event.id == EVENT_PF:
            self.answer(event, CONTINUE, bytes(272))
        else:
            self.answer(event)
