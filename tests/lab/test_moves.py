# SPDX-License-Identifier: LGPL-2.1-or-later
"""Introspected guests whose memory is saved or moved: the tool leaves first, and is back with the
guest wherever that runs."""

import os
import subprocess
import sys
import threading

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

from introspection_case import IntrospectionTestCase, introspection  # noqa: E402
from second_host import SecondHost  # noqa: E402
from ward_sandbox import domain_xml  # noqa: E402

SHARED = "/mnt"
# What cannot be sent in less than a second: guests are small and mostly zero.
BALLAST = 6 * 1024 * 1024

DISK = """\
<devices><disk type='file' device='disk'><driver name='qemu' type='qcow2'/>\
<source file='{path}'/><target dev='vda' bus='virtio'/></disk></devices></domain>"""
LOADER = """\
<qemu:commandline xmlns:qemu='http://libvirt.org/schemas/domain/qemu/1.0'>\
<qemu:arg value='-device'/>\
<qemu:arg value='loader,file={path},addr=0x200000,force-raw=on'/></qemu:commandline></domain>"""


class MovesTestCase(IntrospectionTestCase):
    def start_with(self, name, end, inner=None):
        """As start_hooked(); end goes to the end of the domain's XML."""
        self.addCleanup(self.world.remove, name)
        xml = domain_xml(name, inner or introspection(self.tool.path), type="kvm")
        file = os.path.join(os.environ["TMPDIR"], name + ".xml")
        with open(file, "w", encoding="utf-8") as out:
            out.write(xml.replace("</domain>", end))
        path = self.world.define_file(name, file)
        self.world.virsh("start", name)
        self.client.wait_get(path, "Introspection1.Attached", True)
        return path, self.next_guest()

    def expect_unhooked(self, record, path, *reasons):
        (reason,) = self.client.wait_signal(record, "Introspection1.Unhooked", path)
        self.assertIn(reason, reasons)


class SaveTest(MovesTestCase):
    def start_on_disk(self, name):
        disk = os.path.join(os.environ["TMPDIR"], name + ".qcow2")
        subprocess.run(["qemu-img", "create", "-q", "-f", "qcow2", disk, "1M"], check=True)
        return self.start_with(name, DISK.format(path=disk))

    def test_save_asks_the_tool_to_leave(self):
        path, guest = self.start_hooked("save")
        guest.want_unhook_event()
        record = self.client.record()
        file = os.path.join(os.environ["TMPDIR"], "save.image")
        save = threading.Thread(target=self.world.virsh, args=("save", "save", file))
        save.start()
        guest.wait_unhook_event()
        guest.close()
        save.join()
        self.expect_unhooked(record, path, "suspended", "migration")
        self.world.virsh("restore", file)
        # Required: it would not run if the tool had not been there before the guest was.
        self.assertEqual(self.next_guest().version(), 1)
        self.client.wait_get(path, "Introspection1.Status", "active")

    def test_snapshot_asks_the_tool_to_leave_and_brings_it_back(self):
        path, guest = self.start_on_disk("snapshot")
        guest.want_unhook_event()
        record = self.client.record()
        self.world.virsh("snapshot-create-as", "snapshot", "one")
        guest.wait_unhook_event()
        guest.close()
        self.expect_unhooked(record, path, "suspended", "migration")
        self.client.wait_get(path, "Introspection1.Status", "active")
        self.assertEqual(self.next_guest().version(), 1)
        self.assertEqual(self.world.state("snapshot"), "running")

    def test_revert_hooks_before_the_guest_goes_on(self):
        path, guest = self.start_on_disk("revert")
        self.world.virsh("snapshot-create-as", "revert", "one")
        guest.wait_closed()
        self.next_guest()
        self.client.wait_get(path, "Introspection1.Status", "active")
        self.world.virsh("snapshot-revert", "revert", "one")
        self.assertEqual(self.next_guest().version(), 1)
        self.client.wait_get(path, "Introspection1.Status", "active")
        self.assertEqual(self.world.state("revert"), "running")

    def test_live_snapshot_asks_the_tool_while_the_guest_runs(self):
        path, guest = self.start_on_disk("live")
        guest.want_unhook_event()
        record = self.client.record()
        memory = os.path.join(os.environ["TMPDIR"], "live.memory")
        self.world.virsh("snapshot-create-as", "live", "one", "--live", "--memspec", memory)
        guest.wait_unhook_event()
        guest.close()
        self.expect_unhooked(record, path, "migration")
        self.client.wait_get(path, "Introspection1.Status", "active")
        self.assertEqual(self.next_guest().version(), 1)


class MigrationTest(MovesTestCase):
    tools = SHARED

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.second = SecondHost(SHARED)
        cls.addClassCleanup(cls.second.stop)
        cls.second.start()

    def start_migratable(self, name, inner=None):
        """A guest that takes as long to be sent as a test needs."""
        ballast = os.path.join(SHARED, "ballast")
        with open(ballast, "wb") as out:
            out.write(os.urandom(BALLAST))
        self.addCleanup(self.second.virsh, "destroy", name, check=False)
        return self.start_with(name, LOADER.format(path=ballast), inner)

    def migrate(self, name, *more, check=True):
        socket = f"unix://{SHARED}/{name}.migration"
        words = ["migrate", "--live", name, self.second.uri, "--migrateuri", socket, *more]
        return self.world.virsh(*words, check=check)

    def begin_migration(self, name):
        """So slow that it does not end until it is told to; returns a thread with its result."""
        thread = threading.Thread(
            target=lambda: setattr(
                thread, "result", self.migrate(name, "--bandwidth", "1", check=False)
            )
        )
        thread.start()
        return thread

    def test_tool_leaves_first_and_is_there_first(self):
        path, guest = self.start_migratable("move")
        guest.want_unhook_event()
        record = self.client.record()
        metadata = self.metadata(self.world, "move")
        migration = self.begin_migration("move")
        guest.wait_unhook_event()
        self.assertEqual(self.world.state("move"), "running")
        guest.close()
        self.expect_unhooked(record, path, "migration")
        self.world.virsh("migrate-setspeed", "move", "1000")
        migration.join()
        self.assertEqual(migration.result.returncode, 0, migration.result.stderr)
        # Required there too: the hook of that host has proven it.
        self.assertEqual(self.second.virsh("domstate", "move").stdout.strip(), "running")
        self.second.client.wait_get(path, "Introspection1.Status", "active")
        self.assertEqual(self.next_guest().version(), 1)
        self.assertEqual(self.world.state("move"), "shut off")
        self.assertEqual(self.metadata(self.second, "move"), metadata)

    def metadata(self, host, name):
        return host.virsh("metadata", name, "http://virtward.org/schemas/domain/1.0").stdout

    def test_tool_is_back_when_the_guest_stays(self):
        path, guest = self.start_migratable("stay")
        guest.want_unhook_event()
        migration = self.begin_migration("stay")
        guest.wait_unhook_event()
        guest.close()
        self.client.wait_get(path, "Introspection1.Attached", False)
        self.world.virsh("domjobabort", "stay")
        migration.join()
        self.assertNotEqual(migration.result.returncode, 0)
        self.client.wait_get(path, "Introspection1.Status", "active")
        # The first came from the destination, which had its tool before the guest's memory.
        self.assertEqual([name for _, name in self.tool.hellos], ["stay"] * 3)
        self.assertEqual(self.world.state("stay"), "running")

    def test_destination_without_the_tool_refuses_the_guest(self):
        local = type(self.tool)("/run/introspector/here.sock").start()
        self.addCleanup(local.stop)
        self.tool, self.shared_tool = local, self.tool
        self.addCleanup(self.shared_tool.stop)
        path, guest = self.start_migratable("here", introspection(local.path))
        result = self.migrate("here", check=False)
        self.assertNotEqual(result.returncode, 0)
        self.assertIn(local.path, result.stderr)
        self.assertEqual(self.world.state("here"), "running")
        self.client.wait_get(path, "Introspection1.Status", "active")
        self.assertEqual(guest.version(), 1)
