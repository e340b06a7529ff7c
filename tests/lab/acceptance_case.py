# SPDX-License-Identifier: LGPL-2.1-or-later
"""The tools that exist, at a real KVM guest that the daemon has hooked: what they send is what
libkvmi.py sends. Part of the story about introspection."""

import json
import os

from halting import BUSY_COUNTER, BUSY_PAGES, BUSY_TABLES, busy
from introspection_case import IntrospectionTestCase, introspection
from libkvmi import LIBVMI_MSRS, PAGE, HookGuest, LibVmi, R, X
from ward_kvmi import EVENT_CR, EVENT_PF, EVENT_SINGLESTEP, GET_NEXT_AVAILABLE_GFN
from ward_sandbox import domain_path, domain_uuid, domain_xml

VCPUS = 2
FIRST_GFN_BEHIND = 0x100000  # the ROM ends at 4 GiB
PAGES = [BUSY_TABLES + number * PAGE for number in range(BUSY_PAGES)]


class AcceptanceTest(IntrospectionTestCase):
    def start_busy(self, name, flow):
        """A guest with two vCPUs, one of which waits to be started, at a tool of that flow."""
        xml = busy(domain_xml(name, introspection(self.tool.path), type="kvm"))
        xml = xml.replace("<vcpu>1<", f"<vcpu>{VCPUS}<")
        file = os.path.join(os.environ["TMPDIR"], name + ".xml")
        with open(file, "w", encoding="utf-8") as out:
            out.write(xml)
        self.world.define_file(name, file)
        self.addCleanup(self.world.remove, name)
        self.world.virsh("start", name)
        path = domain_path(domain_uuid(name))
        self.client.wait_get(path, "Introspection1.Attached", True)
        return path, flow(self.wait_for(self.tool.take, "a guest"))

    def counter(self, name, page=PAGES[0]):
        """As QEMU reads it, which no tool has a part in."""
        return int(self.monitor(name, f"xp /1dw {page + BUSY_COUNTER:#x}").split(":")[1])

    def monitor(self, name, line):
        words = {"execute": "human-monitor-command", "arguments": {"command-line": line}}
        answer = self.world.virsh("qemu-monitor-command", name, json.dumps(words)).stdout
        return json.loads(answer)["return"]

    def assert_goes_on(self, name):
        before = self.counter(name)
        try:
            self.wait_for(lambda: self.counter(name) != before, "the guest to go on")
        except AssertionError as error:
            where = self.monitor(name, "info registers -a")
            error.add_note(f"It is {self.world.state(name)}, its counter at {before}:\n{where}")
            raise

    def test_hookguest(self):
        path, tool = self.start_busy("hookguest", HookGuest)
        count, max_gfn = tool.attach()
        self.assertEqual(count, VCPUS)
        self.assertGreaterEqual(max_gfn, FIRST_GFN_BEHIND)
        while len(tool.written) < BUSY_PAGES or tool.seen["cr4"] < 10 or tool.seen["star"] < 10:
            tool.handle(tool.next_event())
        # Each page once: the first write to it gave it back.
        self.assertEqual(sorted(tool.written), PAGES)
        self.assertEqual(tool.seen["pause"], VCPUS)
        # It wants the address of the page tables, and follows CR3 no longer if that is where it was.
        if tool.started == EVENT_CR:
            self.assertIn(tool.seen["cr3"], (1, 2))
        tool.connection.close()
        self.assert_goes_on("hookguest")
        self.assertEqual(self.world.state("hookguest"), "running")

    def test_libvmi_looks_and_writes(self):
        _, tool = self.start_busy("libvmi", LibVmi)
        self.assertEqual(tool.init(), VCPUS)
        self.assertGreaterEqual(tool.max_gfn(), FIRST_GFN_BEHIND)
        if tool.knows(command=GET_NEXT_AVAILABLE_GFN):
            self.assertGreater(tool.next_available_gfn(), 0)
        self.assertGreater(tool.tsc_speed(), 0)
        tool.pause()
        regs, msrs = tool.registers(0, LIBVMI_MSRS)
        self.assertEqual(sorted(msrs), sorted(LIBVMI_MSRS))
        before = [tool.read(page) for page in PAGES]
        self.assertEqual([tool.read(page) for page in PAGES], before, "the guest is not paused")
        self.assertEqual(tool.registers(0, LIBVMI_MSRS), (regs, msrs))
        tool.write(PAGES[0] + 0x800, b"somebody was here")
        self.assertEqual(tool.read(PAGES[0])[0x800:0x811], b"somebody was here")
        tool.set_registers(0, regs)
        tool.resume()
        self.assert_goes_on("libvmi")
        tool.destroy()
        tool.connection.close()
        self.assert_goes_on("libvmi")

    def test_libvmi_has_its_events(self):
        _, tool = self.start_busy("events", LibVmi)
        tool.init()
        tool.pause()
        for vcpu in range(VCPUS):
            tool.control_cr(vcpu, 3, True)
        tool.set_page_access(PAGES[1], R | X)
        tool.resume()
        seen = {EVENT_CR: 0, EVENT_PF: 0}
        while min(seen.values()) < 5:
            event = tool.next_event()
            seen[event.id] += 1
            if event.id == EVENT_PF:
                self.assertEqual(event.fault()[1:], (PAGES[1] + BUSY_COUNTER, 2))
            else:
                number, old, new = event.register()
                self.assertEqual((number, old ^ new), (3, 8))
            tool.answer_as_it_is(event)
        tool.pause()
        tool.set_page_access(PAGES[1], 7)
        tool.destroy()
        tool.connection.close()
        self.assert_goes_on("events")

    def test_libvmi_steps(self):
        _, tool = self.start_busy("steps", LibVmi)
        tool.init()
        if EVENT_SINGLESTEP not in tool.kinds:
            self.skipTest("this kernel has no single step")
        tool.pause()
        tool.control_singlestep(0, True)
        tool.resume()
        for _ in range(10):
            event = tool.next_event()
            self.assertEqual((event.id, event.vcpu, event.own[0]), (EVENT_SINGLESTEP, 0, 0))
            tool.answer(event)
        tool.destroy(())
        tool.connection.close()
        self.assert_goes_on("steps")
