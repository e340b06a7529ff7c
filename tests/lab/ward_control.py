# SPDX-License-Identifier: LGPL-2.1-or-later
"""The kernel's own record of a VM, read through a control fd of the test's own."""

import contextlib
import fcntl
import os
import struct
import time
from typing import NamedTuple

# linux/kvm_control.h in kernel/control
KVM_CONTROL_OPEN = 0x4020AEF0  # _IOW(KVMIO, 0xf0, 32 bytes)
KVM_CONTROL_GET_INFO = 0x80C0AEF1  # _IOR(KVMIO, 0xf1, 192 bytes)
KVM_CONTROL_SET_POLICY = 0x4020AEF2  # _IOW(KVMIO, 0xf2, 32 bytes)
OPEN = struct.Struct("<iI3Q")
INFO = struct.Struct("<2Q2I2Q" + "Q2I" * 4 + "11Q")
POLICY = struct.Struct("<4Q")
ITEMS = 7  # number of the field that the first item begins with
INTROSPECTION, ISOLATION = 2, 3  # bits, and items
BROKEN = 1

# linux/kvm_isolation.h in kernel/isolation
KVM_ISOLATION_GET_STATS = 0x8080AEF6  # _IOR(KVMIO, 0xf6, 128 bytes)
STATS = struct.Struct("<16Q")
COUNTERS = (
    "entries_restricted", "entries_unrestricted", "violations", "exits_fault", "exits_schedule",
    "exits_userspace", "exits_explicit", "flushes",
)


class Record(NamedTuple):
    active: bool  # it is on, and works
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


def wait_for_control(pid):
    """open_control() of a process that may not have its VM yet."""
    while True:
        try:
            return open_control(pid)
        except FileNotFoundError:
            time.sleep(0.1)


@contextlib.contextmanager
def control_of(pid):
    control = open_control(pid)
    try:
        yield control
    finally:
        os.close(control)


def record(pid, item):
    """Of the VM of the process: a Record of one of its protections."""
    with control_of(pid) as control:
        info = INFO.unpack(fcntl.ioctl(control, KVM_CONTROL_GET_INFO, bytes(INFO.size)))
    _, active, _, _, first_entry, _ = info[:ITEMS - 1]
    since, entered_before, flags = info[ITEMS - 1 + 3 * item:][:3]
    works = bool(active & 1 << item) and not flags & BROKEN
    return Record(works, since, entered_before, first_entry)


def introspection_record(pid):
    return record(pid, INTROSPECTION)


def set_policy_of(control, item, on):
    policy = POLICY.pack(1 << item, on << item, 0, 0)
    fcntl.ioctl(control, KVM_CONTROL_SET_POLICY, policy)


def set_policy(pid, item, on):
    """As another manager than the daemon."""
    with control_of(pid) as control:
        set_policy_of(control, item, on)


def isolation_counters(pid):
    with control_of(pid) as control:
        stats = fcntl.ioctl(control, KVM_ISOLATION_GET_STATS, bytes(STATS.size))
    return dict(zip(COUNTERS, STATS.unpack(stats)))
