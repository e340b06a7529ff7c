# SPDX-License-Identifier: LGPL-2.1-or-later
"""The race between libvirt, which lets a new guest run, and the daemon, which has to hook it before.
Who won is read from the kernel's record, through a control fd that the daemon knows nothing of."""

import os
import queue
import subprocess
import sys
import threading

import libvirt

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

from halting import halting  # noqa: E402
from introspection_case import IntrospectionTestCase, introspection  # noqa: E402
from ward_control import introspection_record  # noqa: E402
from ward_sandbox import domain_uuid, protection  # noqa: E402

STARTS = int(os.environ.get("WARD_RACE_STARTS", "200"))
# Many at a time on one CPU: whoever is slow to get it loses. It is never idle, for a loop takes what
# these leave, and nothing else.
AT_A_TIME = 12

# QEMU's smallest build, as Debian ships it: it starts sooner, so the daemon has less time.
DOMAIN = """\
<domain type='kvm'>
  <name>{name}</name>
  <uuid>{uuid}</uuid>
  <memory unit='MiB'>2</memory>
  <vcpu>1</vcpu>
  <os><type arch='x86_64' machine='q35'>hvm</type></os>
  <metadata>{metadata}</metadata>
  <devices>
    <emulator>/usr/bin/qemu-system-x86_64-microvm</emulator>
    <controller type='usb' model='none'/>
    <memballoon model='none'/>
  </devices>
</domain>
"""


class RaceTest(IntrospectionTestCase):
    def setUp(self):
        super().setUp()
        self.names = queue.SimpleQueue()
        self.hooked, self.late, self.refused = [], [], []
        for number in range(STARTS):
            self.names.put(f"race-{number:03}")
        loop = subprocess.Popen(["chrt", "--idle", "0", sys.executable, "-c", "while True: pass"])
        self.addCleanup(loop.wait)
        self.addCleanup(loop.kill)

    def start_one(self, connection, name):
        xml = DOMAIN.format(
            name=name, uuid=domain_uuid(name), metadata=protection(introspection(self.tool.path))
        )
        try:
            domain = connection.createXML(halting(xml))
        except libvirt.libvirtError as error:
            self.refused.append(str(error))
            return
        record = introspection_record(self.world.guest_pid(name))
        in_time = record.active and record.entered_before == 0
        (self.hooked if in_time else self.late).append((name, record))
        domain.destroy()

    def start_many(self):
        connection = libvirt.open("qemu:///system")
        while True:
            try:
                name = self.names.get_nowait()
            except queue.Empty:
                break
            self.start_one(connection, name)
            # For whoever waits: a software CPU takes its time.
            if name.endswith("9"):
                print(f"# {name}: {self.counts()}", flush=True)
        connection.close()

    def counts(self):
        return (
            f"{len(self.hooked)} hooked before the first entry, "
            f"{len(self.refused)} refused, {len(self.late)} late"
        )

    def test_no_guest_runs_before_its_tool(self):
        threads = [threading.Thread(target=self.start_many) for _ in range(AT_A_TIME)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        print(f"# of {STARTS} starts: {self.counts()}", flush=True)
        for reason in self.refused:
            print(f"# refused: {reason}")
        self.assertEqual(self.late, [])
        self.assertEqual(len(self.hooked) + len(self.refused), STARTS)
        # Refusing all of them would be easy.
        self.assertGreater(len(self.hooked), STARTS // 2)
