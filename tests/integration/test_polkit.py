# SPDX-License-Identifier: LGPL-2.1-or-later
"""Questions to the real polkit: about the real caller, with the domain's name, and taken back."""

import os
import subprocess
import sys

from gi.repository import Gio, GLib

from test_rights import as_nobody, NOBODY
from ward_bus import HOST, Client, domain_path
from ward_sandbox import SYSTEM_BUS, WorldTestCase, protection, script_for_others

AGENT = "/agent"
AGENT_XML = """
<node><interface name="org.freedesktop.PolicyKit1.AuthenticationAgent">
  <method name="BeginAuthentication">
    <arg type="s" name="action_id" direction="in"/>
    <arg type="s" name="message" direction="in"/>
    <arg type="s" name="icon_name" direction="in"/>
    <arg type="a{ss}" name="details" direction="in"/>
    <arg type="s" name="cookie" direction="in"/>
    <arg type="a(sa{sv})" name="identities" direction="in"/>
  </method>
  <method name="CancelAuthentication"><arg type="s" name="cookie" direction="in"/></method>
</interface></node>
"""


def register_agent(client, on_call):
    """Makes this process the one that asks its user for passwords."""
    with open("/proc/self/stat", encoding="ascii") as file:
        start_time = int(file.read().rpartition(")")[2].split()[19])
    subject = (
        "unix-process",
        {
            "pid": GLib.Variant("u", os.getpid()),
            "start-time": GLib.Variant("t", start_time),
            "uid": GLib.Variant("i", os.getuid()),
        },
    )
    info = Gio.DBusNodeInfo.new_for_xml(AGENT_XML).interfaces[0]
    client.connection.register_object(AGENT, info, on_call, None, None)
    client.raw_call(
        "org.freedesktop.PolicyKit1",
        "/org/freedesktop/PolicyKit1/Authority",
        "org.freedesktop.PolicyKit1.Authority",
        "RegisterAuthenticationAgent",
        GLib.Variant("((sa{sv})ss)", (subject, "C", AGENT)),
    )


def call_interactively(client, path):
    message = Gio.DBusMessage.new_method_call(
        "org.virtward", path, "org.virtward.Domain1", "SetProtection"
    )
    message.set_body(GLib.Variant("(su)", (protection("<ward:isolation/>"), 2)))
    message.set_flags(Gio.DBusMessageFlags.ALLOW_INTERACTIVE_AUTHORIZATION)
    client.connection.send_message(message, Gio.DBusSendMessageFlags.NONE)


def ask_and_leave(path):
    """Calls as a user who is asked for a password, and leaves the bus instead of giving it."""
    agent, caller = Client(SYSTEM_BUS), Client(SYSTEM_BUS)
    loop = GLib.MainLoop()

    def on_call(_connection, _sender, _path, _interface, method, arguments, invocation):
        if method == "BeginAuthentication":
            print("asked:", arguments.unpack()[1], flush=True)
            caller.close()
        else:
            print("taken back", flush=True)
            loop.quit()
        invocation.return_value(None)

    register_agent(agent, on_call)
    call_interactively(caller, path)
    GLib.timeout_add_seconds(60, loop.quit)
    loop.run()


class PolkitTest(WorldTestCase):
    def test_question_names_the_domain_and_is_taken_back_when_the_caller_leaves(self):
        path = self.define("questioned")
        self.client.wait_get(path, "Domain1.Status", "unprotected")
        user = ["setpriv", f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups"]
        result = subprocess.run(
            [*user, sys.executable, "-B", script_for_others(__file__), path],
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        asked, *answers = result.stdout.splitlines() or self.fail(result.stderr)
        self.assertRegex(asked, "^asked: .*questioned")
        # By polkit, which sees the caller go, and by the daemon, which sees it too.
        self.assertEqual(set(answers), {"taken back"})
        self.assertEqual(self.client.get(path, "Domain1.Status"), "unprotected")

    def test_refusal_says_what_would_help(self):
        path = self.define("refused")
        self.client.wait_get(path, "Domain1.Status", "unprotected")
        (refusal,) = as_nobody([(path, "Domain1.ClearProtection", "(u)", 2)])
        self.assertEqual(refusal["error"], "AccessDenied")
        self.assertIn("'refused'", refusal["message"])
        self.assertIn("org.virtward.domain.clear-protection", refusal["message"])


class BusRestartTest(WorldTestCase):
    """On the test driver: libvirtd does not outlive a bus."""

    uri = "test:///default"
    without = ("virtlogd", "libvirtd")

    def test_polkit_is_asked_again_after_the_bus_came_back(self):
        path = domain_path("6695eb01-f6a4-8304-79aa-97f2502e193f")
        read = (path, "Domain1.GetProtection", "(u)", 2)
        change = (path, "Domain1.ClearProtection", "(u)", 2)
        self.world.client.wait_get(path, "Domain1.Status", "unprotected")
        self.assertEqual(as_nobody([read]), [""])
        for _ in range(2):
            self.world.restart_bus()
            self.world.client.wait_get(HOST, "Host1.Connected", True)
            xml, refusal = as_nobody([read, change])
            self.assertEqual(xml, "")
            self.assertEqual(refusal["error"], "AccessDenied")
            self.assertIn("authentication", refusal["message"])


if __name__ == "__main__":
    ask_and_leave(sys.argv[1])
