# SPDX-License-Identifier: LGPL-2.1-or-later
"""A protected domain from its definition to its end, on a simulated host."""

import os

from ward_bus import HOST, domain_path
from ward_sandbox import WorldTestCase, domain_xml, protection
from ward_tool import Tool

ISOLATION = '<ward:isolation state="on"/>'
LIVE = 1
CONFIG = 2
UPDATE = 4


class LifecycleTest(WorldTestCase):
    def test_daemon_says_that_it_simulates(self):
        self.assertTrue(self.client.get(HOST, "Host1.Simulated"))
        capabilities = self.client.get(HOST, "Host1.Capabilities")
        self.assertEqual(
            {name: provider for name, (_, provider, _) in capabilities.items()},
            dict.fromkeys(
                ["teardown", "trustdomain", "introspection", "isolation"], "simulated"
            ),
        )

    def test_domain_has_an_object_while_it_is_defined(self):
        path = self.define("defined")
        self.client.wait_get(path, "Domain1.Status", "unprotected")
        self.assertEqual(set(self.world.objects()[path]), {"Domain1"})
        self.world.remove("defined")
        self.wait_for(lambda: path not in self.world.objects(), "the object to go")

    def test_start_to_stop(self):
        path = self.define("cycle", ISOLATION)
        self.client.wait_get(path, "Domain1.Status", "pending")
        self.world.virsh("start", "cycle")
        # Proven by the hook before virsh returned; the state of the domain follows by an event.
        self.client.wait_get(path, "Isolation1.State", "on")
        self.client.wait_get(path, "Domain1.State", "running")
        self.client.wait_get(path, "Domain1.Status", "protected")
        self.assertEqual(self.client.get(path, "Isolation1.Provider"), "simulated")
        self.world.virsh("destroy", "cycle")
        self.client.wait_get(path, "Domain1.Status", "pending")
        self.client.wait_get(path, "Isolation1.Status", "pending")

    def test_bad_protection_refuses_the_start_and_says_where(self):
        path = self.define("wrong", '<ward:isolation state="maybe"/>')
        self.client.wait_get(path, "Domain1.Status", "failed")
        result = self.world.virsh("start", "wrong", check=False)
        self.assertNotEqual(result.returncode, 0)
        for word in ("'wrong'", "line ", "state", "maybe", "on", "off"):
            self.assertIn(word, result.stderr)
        self.assertEqual(self.world.state("wrong"), "shut off")
        self.define("wrong", ISOLATION)
        self.client.wait_get(path, "Domain1.Status", "pending")
        self.world.virsh("start", "wrong")

    def test_domain_that_cannot_be_read_says_so(self):
        """libvirt takes any XML of others into the metadata, deeper than we look."""
        path = self.define("deep")
        self.client.wait_get(path, "Domain1.Status", "unprotected")
        deep = "<x:x xmlns:x='urn:deep'>" + "<x:x>" * 70 + "</x:x>" * 71
        xml = domain_xml("deep", ISOLATION).replace("</metadata>", deep + "</metadata>")
        file = os.path.join(os.environ["TMPDIR"], "deep.xml")
        with open(file, "w", encoding="utf-8") as out:
            out.write(xml)
        self.world.define_file("deep", file)
        self.client.wait_get(path, "Domain1.Status", "failed")
        reason = self.client.get(path, "Domain1.Reason")
        for word in ("'deep'", "cannot be read", "nested", "64"):
            self.assertIn(word, reason)
        result = self.world.virsh("start", "deep", check=False)
        self.assertNotEqual(result.returncode, 0)
        self.assertIn("nested", result.stderr)
        self.define("deep", ISOLATION)
        self.client.wait_get(path, "Domain1.Status", "pending")
        self.assertEqual(self.client.get(path, "Domain1.Reason"), "")

    def test_live_change_reaches_the_guest_and_the_metadata(self):
        path = self.define("live", ISOLATION)
        self.world.virsh("start", "live")
        self.client.wait_get(path, "Isolation1.State", "on")
        self.client.wait_get(path, "Domain1.State", "running")
        self.client.call(path, "Isolation1.SetState", "(su)", "off", LIVE)
        self.client.wait_get(path, "Isolation1.State", "off")
        live = self.world.virsh("dumpxml", "live").stdout
        config = self.world.virsh("dumpxml", "live", "--inactive").stdout
        self.assertIn("state='off'", live.replace('"', "'"))
        self.assertIn("state='on'", config.replace('"', "'"))

    def test_metadata_written_by_virsh_is_applied(self):
        path = self.define("metadata")
        self.world.virsh("start", "metadata")
        self.client.wait_get(path, "Domain1.Status", "unprotected")
        self.world.virsh(
            "metadata",
            "metadata",
            "--live",
            "--uri",
            "http://virtward.org/schemas/domain/1.0",
            "--key",
            "ward",
            "--set",
            # libvirt puts the namespace in.
            '<protection><isolation state="on"/></protection>',
        )
        self.client.wait_get(path, "Domain1.Status", "protected")
        self.client.wait_get(path, "Isolation1.State", "on")

    def test_set_update_and_clear(self):
        path = self.define("set")
        teardown = protection('<ward:teardown onReboot="sync"/>')
        self.client.wait_get(path, "Domain1.Status", "unprotected")
        self.client.call(path, "Domain1.SetProtection", "(su)", protection(ISOLATION), CONFIG)
        self.client.wait_get(path, "Domain1.Status", "pending")
        self.client.call(path, "Domain1.SetProtection", "(su)", teardown, CONFIG | UPDATE)
        self.client.wait_get(path, "Teardown1.OnReboot", "sync")
        self.assertEqual(
            set(self.world.objects()[path]), {"Domain1", "Teardown1", "Isolation1"}
        )
        self.client.call(path, "Domain1.SetProtection", "(su)", teardown, CONFIG)
        self.wait_for(
            lambda: set(self.world.objects()[path]) == {"Domain1", "Teardown1"},
            "isolation to be replaced",
        )
        self.client.call(path, "Domain1.ClearProtection", "(u)", CONFIG)
        self.client.wait_get(path, "Domain1.Status", "unprotected")
        self.assertNotIn("ward:", self.world.virsh("dumpxml", "set").stdout)

    def test_refused_set_writes_nothing(self):
        path = self.define("refused", ISOLATION)
        self.client.wait_get(path, "Domain1.Status", "pending")
        before = self.world.virsh("dumpxml", "refused").stdout
        for xml, error in (
            ("<nonsense", "InvalidXml"),
            (protection("<ward:unknown/>"), "InvalidXml"),
            ("x" * (9 * 1024 * 1024), "InvalidArgument"),
        ):
            self.assert_bus_error(
                error, self.client.call, path, "Domain1.SetProtection", "(su)", xml, CONFIG
            )
        self.assert_bus_error(
            "InvalidArgument", self.client.call, path, "Domain1.ClearProtection", "(u)", 1 << 20
        )
        self.assertEqual(self.world.virsh("dumpxml", "refused").stdout, before)

    def test_lookup_finds_by_name_uuid_and_id(self):
        path = self.define("lookup")
        self.world.virsh("start", "lookup")
        uuid = self.world.virsh("domuuid", "lookup").stdout.strip()
        identity = self.world.virsh("domid", "lookup").stdout.strip()
        self.client.wait_get(path, "Domain1.State", "running")
        for key in ("lookup", uuid, identity):
            self.assertEqual(self.client.call(HOST, "Host1.LookupDomain", "(s)", key), path)
        message = self.assert_bus_error(
            "NotFound", self.client.call, HOST, "Host1.LookupDomain", "(s)", "nobody"
        )
        self.assertIn("nobody", message)

    def test_calls_know_what_virsh_has_done(self):
        """However late libvirt's events are: no call waits for them here."""
        for round in range(10):
            name = f"at-once-{round}"
            path = self.define(name)
            self.assertEqual(self.client.call(HOST, "Host1.LookupDomain", "(s)", name), path)
            self.world.virsh("start", name)
            self.assertEqual(self.client.call(path, "Domain1.GetProtection", "(u)", LIVE), "")
            self.client.call(path, "Domain1.SetProtection", "(su)", protection(ISOLATION), LIVE)
            self.assertEqual(self.client.get(path, "Isolation1.State"), "on")

    def test_changes_are_signalled(self):
        record = self.client.record()
        path = self.define("signals", ISOLATION)
        self.client.wait_signal(record, "ObjectManager.InterfacesAdded")
        self.world.virsh("start", "signals")
        self.client.wait_get(path, "Isolation1.State", "on")

        def changed():
            self.client.wait_signal(record, "Properties.PropertiesChanged", path)
            return {
                (arguments[0].rpartition(".")[2], name): value
                for where, signal, arguments in record
                if where == path and signal == "Properties.PropertiesChanged"
                for name, value in arguments[1].items()
            }

        wanted = {
            ("Isolation1", "State"): "on",
            ("Isolation1", "Status"): "active",
            ("Domain1", "State"): "running",
            ("Domain1", "Status"): "protected",
        }
        self.wait_for(lambda: changed().items() >= wanted.items(), "all changes to be signalled")
        self.world.remove("signals")
        self.client.wait_signal(record, "ObjectManager.InterfacesRemoved")


class TeardownTest(WorldTestCase):
    def test_reboot_gives_a_job_with_progress(self):
        path = self.define("reboot", '<ward:teardown onReboot="async"/>', memory=64)
        self.world.virsh("start", "reboot")
        self.client.wait_get(path, "Domain1.Status", "protected")
        record = self.client.record()
        self.world.virsh("reset", "reboot")
        self.client.wait_signal(record, "Teardown1.Started", path)
        duration = self.client.wait_signal(record, "Teardown1.Finished", path)[0]
        self.assertGreater(duration, 0)
        result = self.client.wait_signal(record, "Job1.Finished")
        self.assertEqual(result, ("completed", ""))
        done = [
            arguments[1]["Done"]
            for _, signal, arguments in record
            if signal == "Properties.PropertiesChanged"
            and arguments[0] == "org.virtward.Job1"
            and "Done" in arguments[1]
        ]
        self.assertEqual(done, sorted(done))
        self.client.wait_get(path, "Teardown1.Phase", "none")
        self.client.wait_get(path, "Teardown1.Job", "/")
        self.wait_for(
            lambda: not [p for p in self.world.objects() if "/job/" in p], "the job to go"
        )

    def test_wait_returns_when_the_teardown_has_ended(self):
        path = self.define("wait", '<ward:teardown onReboot="async"/>', memory=64)
        self.world.virsh("start", "wait")
        self.client.wait_get(path, "Domain1.Status", "protected")
        record = self.client.record()
        self.world.virsh("reset", "wait")
        self.client.wait_signal(record, "Teardown1.Started", path)
        self.assertEqual(self.client.call(path, "Teardown1.Wait", "(u)", 0), "none")
        self.assertEqual(self.client.get(path, "Teardown1.Phase"), "none")


class IntrospectionTest(WorldTestCase):
    def setUp(self):
        self.tool = Tool("/run/introspector/tool.sock", b"a shared secret").start()
        self.addCleanup(self.tool.stop)

    def element(self, more="", inner=""):
        return (
            f"<ward:introspection {more}>"
            f'<ward:socket type="unix" path="{self.tool.path}"/>{inner}</ward:introspection>'
        )

    def test_tool_is_hooked_before_the_start_returns(self):
        path = self.define("watched", self.element())
        self.world.virsh("start", "watched")
        self.assertEqual([name for _, name in self.tool.hellos], ["watched"])
        self.client.wait_get(path, "Introspection1.Attached", True)
        self.client.wait_get(path, "Domain1.Status", "protected")

    def test_required_tool_that_is_absent_stops_the_start(self):
        self.tool.stop()
        self.define("unwatched", self.element())
        result = self.world.virsh("start", "unwatched", check=False)
        self.assertNotEqual(result.returncode, 0)
        self.assertIn(self.tool.path, result.stderr)
        self.assertEqual(self.world.state("unwatched"), "shut off")
        self.tool.start()

    def test_detach_and_attach(self):
        path = self.define("detach", self.element())
        self.world.virsh("start", "detach")
        self.client.wait_get(path, "Introspection1.Attached", True)
        self.client.call(path, "Introspection1.Detach")
        self.client.wait_get(path, "Introspection1.Attached", False)
        self.assert_bus_error("InvalidState", self.client.call, path, "Introspection1.Detach")
        self.client.call(path, "Introspection1.Attach")
        self.client.wait_get(path, "Introspection1.Attached", True)
        self.assert_bus_error("Busy", self.client.call, path, "Introspection1.Attach")

    def test_signals_tell_what_becomes_of_the_tool(self):
        record = self.client.record()
        path = self.define("signals", self.element('onDisconnect="retry"'))
        hooked = ("Hooked", ("unix:" + self.tool.path,))

        def expect(*signals):
            self.client.expect_signals(record, path, "Introspection1", *signals)

        self.world.virsh("start", "signals")
        expect(hooked)
        self.client.call(path, "Introspection1.Detach")
        expect(("Unhooked", ("detach",)))
        self.client.call(path, "Introspection1.Attach")
        expect(hooked)
        self.world.virsh("suspend", "signals")
        expect(("Unhooked", ("suspended",)))
        self.world.virsh("resume", "signals")
        expect(hooked)
        # It is there again at once: whoever watches learns that it was not, all the same.
        self.tool.hang_up()
        expect(("PeerGone", ("retry",)), ("Unhooked", ("disconnect",)), hooked)
        # On other terms it is hooked anew, and without any it is let go for good.
        self.set_live("signals", self.element(inner='<ward:allow event="unhook"/>'))
        expect(("Unhooked", ("settings",)), hooked)
        self.world.virsh_ward("protection-clear", "signals", "--live", "--config")
        expect(("Unhooked", ("settings",)))
        self.assertNotIn("Introspection1", self.client.objects()[path])
        self.set_live("signals", self.element())
        expect(hooked)
        self.world.virsh("destroy", "signals")
        expect(("Unhooked", ("stopped",)))

    def set_live(self, name, wanted):
        xml = protection(wanted)
        self.world.virsh_ward("protection-set", name, "--xml", xml, "--live", "--config")

    def test_guest_is_paused_while_the_tool_is_away(self):
        path = self.define("paused", self.element('onDisconnect="pause"'))
        self.world.virsh("start", "paused")
        self.client.wait_get(path, "Introspection1.Attached", True)
        record = self.client.record()
        self.tool.stop()
        self.assertEqual(
            self.client.wait_signal(record, "Introspection1.PeerGone", path), ("pause",)
        )
        self.wait_for(lambda: self.world.state("paused") == "paused", "the guest to pause")
        self.tool.start()
        self.wait_for(lambda: self.world.state("paused") == "running", "the guest to go on")
        self.client.wait_get(path, "Introspection1.Attached", True)

    def test_guest_is_destroyed_when_the_tool_leaves_and_that_is_wanted(self):
        self.define("destroyed", self.element('onDisconnect="destroy"'))
        self.world.virsh("start", "destroyed")
        self.tool.stop()
        self.wait_for(lambda: self.world.state("destroyed") == "shut off", "the guest to end")
        self.tool.start()


class TransientDomainTest(WorldTestCase):
    def test_create_protects_and_leaves_no_object(self):
        path = domain_path("7d7a4b0c-8a5f-4f57-9c3e-0123456789ab")
        xml = domain_xml("transient", ISOLATION).split("<uuid>")
        xml = xml[0] + "<uuid>7d7a4b0c-8a5f-4f57-9c3e-0123456789ab" + xml[1][xml[1].index("</uuid>"):]
        self.addCleanup(self.world.remove, "transient")
        self.world.virsh("create", "/dev/stdin", input=xml)
        self.client.wait_get(path, "Domain1.Status", "protected")
        self.world.virsh("destroy", "transient")
        self.wait_for(lambda: path not in self.world.objects(), "the object to go")
