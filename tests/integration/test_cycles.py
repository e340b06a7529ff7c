# SPDX-License-Identifier: LGPL-2.1-or-later
"""Start and stop, again and again: always the right state, and nothing piles up.

1,000 cycles of libvirt's test driver in a real libvirtd, which are all events and no guests, and
100 of real QEMU guests with the hook (WARD_QEMU_CYCLES sets another number).
"""

import os
import threading

import libvirt

from ward_bus import domain_path
from ward_processes import open_files, rss_kib, threads
from ward_sandbox import WorldTestCase, domain_xml

QEMU_CYCLES = int(os.environ.get("WARD_QEMU_CYCLES", "100"))
TEST_CYCLES = 1000
# The allocator keeps some of what it got: 1,000 leaked domains would be many times that.
MORE_MEMORY_KIB = 1024
PROTECTION = (
    '<ward:teardown/><ward:isolation state="on"/>'
    '<ward:trustdomain admission="wait" enforcement="preferred"/>'
)


class Size:
    """What a daemon holds."""

    def __init__(self, pid):
        self.pid = pid
        self.memory = rss_kib(pid)
        self.files = open_files(pid)

    def assert_not_grown(self, case):
        # Idle threads of pools come and go with their files.
        case.wait_for(
            lambda: open_files(self.pid) <= self.files,
            f"no more than {self.files} open files, there are {open_files(self.pid)}",
        )
        case.assertLess(rss_kib(self.pid) - self.memory, MORE_MEMORY_KIB)
        case.assertLess(threads(self.pid), 64)


class TestDriverCyclesTest(WorldTestCase):
    uri = "test+unix:///default"

    def cycle(self, domains, times):
        for _ in range(times // len(domains)):
            for domain in domains:
                domain.create()
            for domain in domains:
                domain.destroy()

    def test_1000_cycles_of_the_test_driver(self):
        connection = libvirt.open(self.uri)
        self.addCleanup(connection.close)
        domains = [
            connection.defineXML(domain_xml(f"cycle-{number}", PROTECTION, type="test"))
            for number in range(5)
        ]
        paths = [domain_path(domain.UUIDString()) for domain in domains]
        self.cycle(domains, TEST_CYCLES // 2)
        for path in paths:
            self.client.wait_get(path, "Domain1.Status", "pending")
        size = Size(self.world.ward.pid)
        self.cycle(domains, TEST_CYCLES // 2)
        for domain, path in zip(domains, paths):
            self.client.wait_get(path, "Domain1.Status", "pending")
            domain.create()
        for domain, path in zip(domains, paths):
            self.client.wait_get(path, "Domain1.State", "running")
            self.client.wait_get(path, "Isolation1.State", "on")
            domain.destroy()
            self.client.wait_get(path, "Domain1.Status", "pending")
        size.assert_not_grown(self)
        for domain, path in zip(domains, paths):
            domain.undefine()
            self.wait_for(lambda path=path: path not in self.world.objects(), "the object to go")


class QemuCyclesTest(WorldTestCase):
    def cycle(self, name, path, times, failures):
        try:
            for _ in range(times):
                self.world.virsh("start", name)
                self.world.virsh("destroy", name)
        except AssertionError as error:
            failures.append(error)

    def cycle_all(self, paths, times):
        failures = []
        workers = [
            threading.Thread(target=self.cycle, args=(name, path, times // len(paths), failures))
            for name, path in paths.items()
        ]
        for worker in workers:
            worker.start()
        for worker in workers:
            worker.join()
        self.assertEqual(failures, [])
        for path in paths.values():
            self.client.wait_get(path, "Domain1.Status", "pending")

    def test_cycles_of_real_guests_with_the_hook(self):
        paths = {
            name: self.define(name, '<ward:teardown/><ward:isolation state="on"/>')
            for name in ("guest-1", "guest-2")
        }
        self.cycle_all(paths, QEMU_CYCLES // 2)
        size = Size(self.world.ward.pid)
        self.cycle_all(paths, QEMU_CYCLES // 2)
        size.assert_not_grown(self)
        for name, path in paths.items():
            self.world.virsh("start", name)
            self.client.wait_get(path, "Domain1.Status", "protected")
