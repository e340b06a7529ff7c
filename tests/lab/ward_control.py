# SPDX-License-Identifier: LGPL-2.1-or-later
"""The kernel's own record of a VM, read through a control fd of the test's own."""

import fcntl
import os
import struct
from typing import NamedTuple

# linux/kvm_control.h in kernel/control
KVM_CONTROL_OPEN = 0x4020AEF0  # _IOW(KVMIO, 0xf0, 32 bytes)
KVM_CONTROL_GET_INFO = 0x80C0AEF1  # _IOR(KVMIO, 0xf1, 192 bytes)
OPEN = struct.Struct("<iI3Q")
INFO = struct.Struct("<2Q2I2Q" + "Q2I" * 4 + "11Q")
ITEMS = 7  # number of the field that the first item begins with
INTROSPECTION = 2
BROKEN = 1


class Record(NamedTuple):
    active: bool  # a tool is hooked, and its connection works
    since: int  # ns of CLOCK_BOOTTIME
    entered_before: int  # vCPUs that had entered the guest by then
    first_entry: int  # ns of CLOCK_BOOTTIME, 0: none entered yet


def open_control(pid):
    pidfd = os.pidfd_open(pid)
    try:
        with open("/dev/kvm", "rb+", buffering=0) as kvm:
            # Of a buffer that can be changed, ioctl() gives the result, which is the fd.
            return fcntl.ioctl(kvm, KVM_CONTROL_OPEN, bytearray(OPEN.pack(pidfd, 0, 0, 0, 0)))
    finally:
        os.close(pidfd)


def introspection_record(pid):
    """Of the VM of the process."""
    control = open_control(pid)
    try:
        info = INFO.unpack(fcntl.ioctl(control, KVM_CONTROL_GET_INFO, bytes(INFO.size)))
    finally:
        os.close(control)
    _, active, _, _, first_entry, _ = info[:ITEMS - 1]
    since, entered_before, flags = info[ITEMS - 1 + 3 * INTROSPECTION:][:3]
    hooked = bool(active & 1 << INTROSPECTION) and not flags & BROKEN
    return Record(hooked, since, entered_before, first_entry)
