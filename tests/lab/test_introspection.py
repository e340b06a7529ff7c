# SPDX-License-Identifier: LGPL-2.1-or-later
"""Introspection of real KVM guests on the patched kernel, from the domain XML to the tool."""

import json
import os
import subprocess
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "integration"))

from acceptance_case import AcceptanceTest  # noqa: E402,F401
from guide_case import GuideTest  # noqa: E402,F401
from ward_bus import HOST, iterate  # noqa: E402
from introspection_case import IntrospectionTestCase, introspection  # noqa: E402
from ward_sandbox import protection  # noqa: E402
from ward_kvmi import (  # noqa: E402
    CHECK_COMMAND,
    EVENT_UNHOOK,
    GET_GUEST_INFO,
    READ_PHYSICAL,
    FickleTool,
    KvmiError,
    SilentTool,
    VsockTool,
)

KVM_EPERM = 1
TOOL_TAKES = 0.02  # seconds

# SeaBIOS puts the date of the IBM AT's BIOS at its traditional place.
BIOS_DATE = (0xFFFF5, b"06/23/99")
SECRET = "6e7c1bd5-4ccc-4c4b-9a6c-000000000001"


class IntrospectionTest(IntrospectionTestCase):
    def test_host_has_the_kernel_provider(self):
        self.assertFalse(self.client.get(HOST, "Host1.Simulated"))
        supported, provider, _ = self.client.get(HOST, "Host1.Capabilities")["introspection"]
        self.assertEqual((supported, provider), (True, "control"))

    def test_tool_looks_into_a_guest_that_it_was_hooked_to_from_the_start(self):
        path, guest = self.start_hooked("look")
        # The hook has proven it: virsh start would have failed otherwise.
        self.assertEqual(self.client.get(path, "Introspection1.Status"), "active")
        self.assertEqual(self.client.get(path, "Introspection1.Provider"), "control")
        self.assertEqual(self.tool.hellos[-1][1], "look")
        self.assertEqual(guest.version(), 1)
        self.assertEqual(guest.vcpus(), 1)
        self.assertEqual(guest.read(BIOS_DATE[0], len(BIOS_DATE[1])), BIOS_DATE[1])
        info = self.world.ward_json("introspection-info", "look")
        self.assertTrue(info["attached"])

    def test_required_refuses_the_start_when_no_tool_listens(self):
        self.tool.stop()
        self.define("alone", introspection(self.tool.path), type="kvm")
        result = self.world.virsh("start", "alone", check=False)
        self.assertNotEqual(result.returncode, 0)
        self.assertIn(self.tool.path, result.stderr)
        self.assertEqual(self.world.state("alone"), "shut off")

    def test_required_refuses_the_start_when_the_tool_does_not_answer(self):
        tool = SilentTool("/run/introspector/silent.sock").start()
        self.addCleanup(tool.stop)
        self.define("silence", introspection(tool.path), type="kvm")
        result = self.world.virsh("start", "silence", check=False)
        self.assertNotEqual(result.returncode, 0)
        # The tool has as long as the hook has for the daemon: on a slow machine that may be over first.
        self.assertRegex(
            result.stderr,
            f"the tool at unix:{tool.path}: it did not answer in time|virtwardd did not answer within",
        )
        self.assertEqual(self.world.state("silence"), "shut off")

    def test_required_refuses_the_start_when_the_tool_goes_away_meanwhile(self):
        tool = FickleTool("/run/introspector/fickle.sock").start()
        self.addCleanup(tool.stop)
        self.define("fickle", introspection(tool.path), type="kvm")
        result = self.world.virsh("start", "fickle", check=False)
        self.assertIn(
            f"the tool at unix:{tool.path} went away while the domain started", result.stderr
        )
        self.assertEqual(self.world.state("fickle"), "shut off")

    def test_preferred_starts_without_a_tool_and_attaches_later(self):
        self.tool.stop()
        path = self.start("patient", 'enforcement="preferred"')
        self.client.wait_get(path, "Introspection1.Status", "unavailable")
        self.tool.start()
        self.client.wait_get(path, "Introspection1.Status", "active")

    def test_guest_without_kvm_is_refused(self):
        self.define("emulated", introspection(self.tool.path), type="qemu")
        result = self.world.virsh("start", "emulated", check=False)
        self.assertNotEqual(result.returncode, 0)
        self.assertIn("type='kvm'", result.stderr)

    def test_detach_asks_the_tool_to_let_go(self):
        path, guest = self.start_hooked("let-go")
        guest.want_unhook_event()
        self.client.connection.call(
            "org.virtward", path, "org.virtward.Introspection1", "Detach",
            None, None, 0, -1, None, None,
        )
        guest.wait_unhook_event()
        self.assertEqual(guest.version(), 1)  # it may still put the guest right
        guest.close()
        self.client.wait_get(path, "Introspection1.Attached", False)
        self.assertEqual(self.world.state("let-go"), "running")
        self.world.virsh_ward("introspection-attach", "let-go")
        self.assertEqual(self.next_guest().version(), 1)

    def test_tool_that_does_not_let_go_is_cut_off(self):
        """After the minute that it is given: the limit is the design's, so it is waited for."""
        path, guest = self.start_hooked("stubborn")
        guest.want_unhook_event()
        self.world.virsh_ward("introspection-detach", "stubborn")
        guest.wait_unhook_event()
        guest.wait_closed()
        self.client.wait_get(path, "Introspection1.Attached", False)
        self.assertEqual(self.world.state("stubborn"), "running")
        self.assertIn("the introspection tool has not let go in 60 seconds", self.world.ward.output())

    def test_operator_uses_gdbus(self):
        """The other cases use virsh and virsh-ward; the words are those of the guide."""
        path, guest = self.start_hooked("gdbus")
        self.assertIn("'Attached': <true>", self.gdbus(
            path, "org.freedesktop.DBus.Properties.GetAll", "org.virtward.Introspection1"
        ))
        self.gdbus(path, "org.virtward.Introspection1.Detach")
        guest.wait_closed()
        self.assertIs(self.world.ward_json("introspection-info", "gdbus")["attached"], False)
        self.gdbus(path, "org.virtward.Introspection1.Attach")
        self.assertEqual(self.next_guest().version(), 1)

    def gdbus(self, path, method, *arguments):
        words = ["gdbus", "call", "--system", "-d", "org.virtward", "-o", path, "-m", method]
        result = subprocess.run([*words, *arguments], capture_output=True, text=True, check=False)
        self.assertEqual(result.returncode, 0, result.stderr)
        return result.stdout

    def test_tool_that_goes_away_is_attached_again(self):
        path, guest = self.start_hooked("again", 'onDisconnect="retry"')
        guest.close()
        self.assertEqual(self.next_guest().version(), 1)
        self.client.wait_get(path, "Introspection1.Status", "active")

    def test_domain_pauses_while_its_tool_is_away(self):
        path, guest = self.start_hooked("pause", 'onDisconnect="pause"')
        self.tool.stop()
        guest.close()
        self.client.wait_get(path, "Domain1.State", "paused")
        self.tool.start()
        self.client.wait_get(path, "Domain1.State", "running")
        self.client.wait_get(path, "Introspection1.Status", "active")

    def test_domain_is_destroyed_when_its_tool_goes(self):
        path, guest = self.start_hooked("destroy", 'onDisconnect="destroy"')
        guest.close()
        self.client.wait_get(path, "Domain1.State", "shutoff")

    def test_suspended_domain_has_no_tool(self):
        path, guest = self.start_hooked("suspend")
        self.world.virsh("suspend", "suspend")
        guest.wait_closed()
        self.client.wait_get(path, "Introspection1.Attached", False)
        self.world.virsh("resume", "suspend")
        self.client.wait_get(path, "Introspection1.Attached", True)
        self.assertEqual(self.next_guest().version(), 1)

    def test_saved_and_restored_domain_has_its_tool(self):
        path, guest = self.start_hooked("save")
        self.world.virsh("managedsave", "save")
        guest.wait_closed()
        self.world.virsh("start", "save")
        self.client.wait_get(path, "Introspection1.Status", "active")
        self.assertEqual(self.next_guest().version(), 1)

    def test_hook_outlives_the_daemon(self):
        path, guest = self.start_hooked("outlive")
        self.world.ward.kill()
        self.assertEqual(guest.read(BIOS_DATE[0], len(BIOS_DATE[1])), BIOS_DATE[1])
        self.world.ward.start()
        self.client.wait_get(path, "Introspection1.Attached", True)
        self.assertEqual(self.client.get(path, "Introspection1.Status"), "active")
        self.assertEqual(guest.version(), 1)
        self.assertEqual(len(self.tool.hellos), 1)

    def test_qemu_shows_the_kernels_statistics(self):
        self.start_hooked("statistics")
        query = {"execute": "query-stats", "arguments": {"target": "vm"}}
        answer = self.world.virsh("qemu-monitor-command", "statistics", json.dumps(query)).stdout
        values = {
            entry["name"]: entry["value"]
            for provider in json.loads(answer)["return"]
            for entry in provider["stats"]
        }
        self.assertEqual(values["introspection_hooked"], 1)
        self.assertGreaterEqual(values["control_fds"], 1)

    def test_host_counts_what_the_tool_does(self):
        allowed = "".join(
            f'<ward:allow command="{name}"/>' for name in ("get-guest-info", "pause-vcpu")
        )
        path, guest = self.start_hooked("counters", inner=allowed)
        changes = self.client.record("org.freedesktop.DBus.Properties", "PropertiesChanged", path)
        self.assertEqual(guest.vcpus(), 1)
        with self.assertRaises(KvmiError):
            guest.read(BIOS_DATE[0], 8)
        self.assert_counts(path, commands=2, errors=1, events=0)
        event = guest.pause()
        self.assert_counts(path, commands=3, errors=1, events=1)
        time.sleep(TOOL_TAKES)
        guest.answer(event)
        self.assertEqual(guest.vcpus(), 1)  # what was sent before has been read
        self.assert_counts(path, commands=4, errors=1, events=1, replies=1)
        times = self.client.get(path, "Introspection1.ReplyTimes")
        (entry,) = [i for i, count in enumerate(times) if count]
        self.assertGreater(2**entry, TOOL_TAKES * 1e9)
        text = self.world.virsh_ward("introspection-info", "counters").stdout
        self.assertRegex(text, r"(?m)^Replies: +half (under|over) [0-9.]+ m?s, 90 % ")
        # A broken protocol counts, too, and what was counted stays with the VM.
        guest.answer(event)
        guest.wait_closed()
        self.next_guest()
        self.assert_counts(path, commands=4, errors=2, events=1, replies=1)
        iterate()
        for _, _, (_, changed, _) in changes:
            self.assertFalse({"Commands", "Errors", "Events", "ReplyTimes"} & set(changed))

    def assert_counts(self, path, commands, errors, events, replies=0):
        shown = self.gdbus(
            path, "org.freedesktop.DBus.Properties.GetAll", "org.virtward.Introspection1"
        )
        for name, number in (("Commands", commands), ("Errors", errors), ("Events", events)):
            self.assertIn(f"'{name}': <uint64 {number}>", shown)
            self.assertEqual(self.client.get(path, "Introspection1." + name), number)
        info = self.world.ward_json("introspection-info", "counters")
        self.assertEqual((info["commands"], info["errors"], info["events"]), (commands, errors, events))
        self.assertEqual((len(info["replyTimes"]), sum(info["replyTimes"])), (40, replies))

    def test_signals_tell_what_becomes_of_the_tool(self):
        """Every reason but "migration", which test_moves.py has; "stopped" is the last."""
        record = self.client.record()
        path, _ = self.start_hooked("signals", 'onDisconnect="retry"')
        hooked = ("Hooked", ("unix:" + self.tool.path,))
        self.expect_signals(record, path, hooked)
        self.world.virsh_ward("introspection-detach", "signals")
        self.expect_signals(record, path, ("Unhooked", ("detach",)))
        self.world.virsh_ward("introspection-attach", "signals")
        self.expect_signals(record, path, hooked)
        self.next_guest()
        self.world.virsh("suspend", "signals")
        self.expect_signals(record, path, ("Unhooked", ("suspended",)))
        self.world.virsh("resume", "signals")
        self.expect_signals(record, path, hooked)
        # The tool goes and is there again before the daemon looks; then it breaks the protocol.
        self.next_guest().close()
        gone = [("PeerGone", ("retry",)), ("Unhooked", ("disconnect",))]
        self.expect_signals(record, path, *gone, hooked)
        self.next_guest().answer((1, 0, EVENT_UNHOOK))
        self.expect_signals(record, path, *gone, hooked)
        self.change_settings("signals", path, record)
        self.world.virsh("managedsave", "signals")
        (reason,) = self.client.wait_signal(record, "Introspection1.Unhooked", path)
        self.assertIn(reason, ("suspended", "migration"))  # libvirt stops it first
        record.clear()
        self.world.virsh("start", "signals")
        self.expect_signals(record, path, hooked)
        self.world.virsh("destroy", "signals")
        self.expect_signals(record, path, ("Unhooked", ("stopped",)))

    def change_settings(self, name, path, record):
        """Another list of what is allowed hooks the tool anew, and no settings at all let it go."""
        unhooked = ("Unhooked", ("settings",))
        hooked = ("Hooked", ("unix:" + self.tool.path,))
        allow = introspection(self.tool.path, 'onDisconnect="retry"', '<ward:allow event="unhook"/>')
        self.set_live(name, allow)
        self.expect_signals(record, path, unhooked, hooked)
        self.world.virsh_ward("protection-clear", name, "--live", "--config")
        self.expect_signals(record, path, unhooked)
        self.assertNotIn("Introspection1", self.client.objects()[path])
        self.set_live(name, introspection(self.tool.path))
        self.expect_signals(record, path, hooked)

    def set_live(self, name, wanted):
        file = os.path.join(os.environ["TMPDIR"], name + "-settings.xml")
        with open(file, "w", encoding="utf-8") as out:
            out.write(protection(wanted))
        self.world.virsh_ward("protection-set", name, file, "--live", "--config")

    def expect_signals(self, record, path, *expected):
        self.client.expect_signals(record, path, "Introspection1", *expected)

    def test_destroyed_domain_lets_its_tool_go(self):
        path, guest = self.start_hooked("gone")
        self.world.virsh("destroy", "gone")
        guest.wait_closed()
        self.client.wait_get(path, "Domain1.State", "shutoff")

    def test_tool_may_do_only_what_is_allowed(self):
        _, guest = self.start_hooked("allow", inner='<ward:allow command="get-guest-info"/>')
        self.assertEqual(guest.vcpus(), 1)
        with self.assertRaises(KvmiError) as caught:
            guest.read(*(BIOS_DATE[0], 8))
        self.assertEqual(caught.exception.number, -KVM_EPERM)
        guest.command(CHECK_COMMAND, GET_GUEST_INFO.to_bytes(8, "little"))
        with self.assertRaises(KvmiError):
            guest.command(CHECK_COMMAND, READ_PHYSICAL.to_bytes(8, "little"))

    def test_tool_on_a_vsock(self):
        tool = VsockTool(4243).start()
        self.addCleanup(tool.stop)
        path = self.define(
            "vsock",
            '<ward:introspection><ward:socket type="vsock" cid="1" port="4243"/>'
            "</ward:introspection>",
            type="kvm",
        )
        self.world.virsh("start", "vsock")
        self.assertEqual(tool.next_guest(self.wait_for).version(), 1)
        self.assertEqual(self.client.get(path, "Introspection1.Socket"), tool.path)

    def test_tool_must_know_the_secret(self):
        path = os.path.join(os.environ["TMPDIR"], "secret.xml")
        with open(path, "w", encoding="utf-8") as file:
            file.write(f"<secret private='no'><uuid>{SECRET}</uuid></secret>")
        self.world.virsh("secret-define", path)
        self.addCleanup(self.world.virsh, "secret-undefine", SECRET, check=False)
        self.world.virsh("secret-set-value", SECRET, "b3BlbiBzZXNhbWU=")
        wanted = introspection(
            self.tool.path, inner=f'<ward:authentication secret="{SECRET}"/>'
        )
        self.define("secret", wanted, type="kvm")
        self.tool.secret = b"open barley"
        result = self.world.virsh("start", "secret", check=False)
        self.assertIn("does not know the secret", result.stderr)
        self.tool.connections.clear()
        self.tool.secret = b"open sesame"
        self.world.virsh("start", "secret")
        self.assertEqual(self.next_guest().version(), 1)
