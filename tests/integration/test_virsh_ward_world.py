# SPDX-License-Identifier: LGPL-2.1-or-later
"""virsh-ward with the real daemon, libvirt, guests and polkit."""

import os
import subprocess

from ward_processes import PATIENCE
from ward_sandbox import WorldTestCase
from ward_terminal import Terminal
from ward_tool import Tool

NOBODY = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"]
PASSWORD = "open-sesame"
ENV = {"PATH": os.environ["PATH"], "LC_ALL": "C.UTF-8", "TERM": "xterm"}


class RealTest(WorldTestCase):
    def info(self, name):
        return self.world.ward_json("protection-info", name)

    def test_what_is_set_is_listed_and_cleared(self):
        self.define("plain")
        ward = self.world.virsh_ward
        ward("isolation-set", "plain", "on", "--config")
        self.assertEqual(self.info("plain")["protections"]["isolation"]["wanted"], "on")
        self.assertIn("plain", ward("protection-list").stdout)
        self.assertIn("<ward:isolation", ward("protection-info", "plain", "--xml").stdout)
        self.assertIn("ward", self.world.virsh("dumpxml", "plain").stdout)
        ward("protection-clear", "plain")
        self.assertNotIn("plain", ward("protection-list").stdout)
        self.assertIn("unprotected", ward("protection-list", "--all").stdout)

    def test_a_live_change_reaches_the_running_guest(self):
        path = self.define("live", '<ward:isolation state="on"/>')
        self.world.virsh("start", "live")
        self.world.wait_domain(path, "protected")
        identity = self.world.virsh("domid", "live").stdout.strip()
        self.world.virsh_ward("isolation-set", identity, "off", "--live")
        self.assertEqual(self.info("live")["protections"]["isolation"]["state"], "off")
        self.world.virsh_ward("isolation-stats", "live")

    def test_bad_xml_is_refused_with_its_line_and_changes_nothing(self):
        self.define("safe", '<ward:isolation state="on"/>')
        result = self.world.virsh_ward("protection-set", "safe", "--xml", "<x/>", check=False)
        self.assertEqual(result.returncode, 1)
        self.assertRegex(result.stderr, "^error: .*'safe'.*line 1")
        self.assertEqual(self.info("safe")["protections"]["isolation"]["wanted"], "on")

    def test_a_tool_is_attached_and_detached(self):
        tool = Tool("/run/tool/virsh-ward.sock").start()
        path = self.define("watched")
        self.world.virsh("start", "watched")
        self.client.wait_get(path, "Domain1.State", "running")
        self.world.virsh_ward("introspection-attach", "watched", "--socket", f"unix:{tool.path}")
        info = self.world.ward_json("introspection-info", "watched")
        self.assertEqual((info["attached"], info["socket"]), (True, f"unix:{tool.path}"))
        result = self.world.virsh_ward("introspection-detach", "watched")
        self.assertIn("detached", result.stdout)
        self.assertIs(self.world.ward_json("introspection-info", "watched")["attached"], False)

    def test_a_teardown_is_watched_on_a_terminal(self):
        path = self.define("again", '<ward:teardown onReboot="async"/>', memory=64)
        self.world.virsh("start", "again")
        self.world.wait_domain(path, "protected")
        self.world.virsh("reset", "again")
        self.client.wait_get(path, "Teardown1.Phase", "running")
        (job,) = self.world.ward_json("job-list")["jobs"]
        self.assertEqual((job["operation"], job["domain"]), ("teardown", "again"))
        terminal = Terminal(["virsh-ward", "-c", self.world.uri, "teardown-wait", "again"], ENV)
        self.addCleanup(terminal.close)
        terminal.expect(r"Teardown: \[=* *\] +\d+ %")
        terminal.expect(r"\[=+\] 100 %")
        terminal.expect("No teardown of domain 'again' is running")
        self.assertEqual(terminal.finish(), 0)

    def test_events_of_a_start_are_heard(self):
        self.define("heard", '<ward:isolation state="on"/>')
        listener = subprocess.Popen(
            ["virsh-ward", "-c", self.world.uri, "protection-events", "heard"],
            stdout=subprocess.PIPE,
            text=True,
        )
        self.addCleanup(listener.stdout.close)
        self.addCleanup(listener.kill)
        while listener.poll() is None:
            self.world.virsh("start", "heard")
            self.world.virsh("destroy", "heard")
        self.assertEqual(listener.wait(PATIENCE), 0)
        self.assertRegex(
            listener.stdout.readline(), "^event 'protection-status' for domain 'heard': status "
        )

    def test_a_daemon_started_by_the_call_knows_the_domains(self):
        names = [f"known-{number}" for number in range(20)]
        for name in names:
            self.define(name, '<ward:isolation state="on"/>')
        self.world.ward.kill()
        self.addCleanup(self.world.ward.start)
        for command in (["protection-list"], ["protection-info", names[0]]):
            result = self.world.virsh_ward("-q", *command, check=False)
            self.assertEqual((result.returncode, result.stderr), (0, ""))
            for name in names[: 20 if command[0] == "protection-list" else 1]:
                self.assertIn(name, result.stdout)
            os.kill(self.client.owner_pid(), 9)
            self.wait_for(lambda: not self.client.has_owner(), "the bus's daemon to go")


class PasswordTest(WorldTestCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        # The sandbox has an /etc of its own.
        subprocess.run(["chpasswd"], input=f"root:{PASSWORD}\n", text=True, check=True)

    def virsh_ward(self, *arguments):
        argv = [*NOBODY, "virsh-ward", "-c", self.world.uri, *arguments]
        terminal = Terminal(argv, ENV)
        self.addCleanup(terminal.close)
        return terminal

    def test_the_password_of_root_allows_the_change(self):
        path = self.define("asked", '<ward:isolation state="on"/>')
        self.world.wait_domain(path, "pending")
        terminal = self.virsh_ward("protection-clear", "asked")
        terminal.expect("org.virtward.domain.clear-protection")
        terminal.expect("Password: ")
        terminal.type_password(PASSWORD)
        terminal.expect("Protection of domain 'asked' cleared")
        self.assertEqual(terminal.finish(), 0)
        self.world.wait_domain(path, "unprotected")

    def test_a_wrong_password_changes_nothing(self):
        path = self.define("kept", '<ward:isolation state="on"/>')
        self.world.wait_domain(path, "pending")
        terminal = self.virsh_ward("isolation-set", "kept", "off")
        terminal.expect("Password: ")
        terminal.type_password("wrong")
        terminal.expect("error: .*org.virtward.isolation.set")
        self.assertEqual(terminal.finish(), 1 << 8)
        self.assertEqual(self.client.get(path, "Isolation1.Wanted"), "on")

    def test_reading_asks_for_nothing(self):
        path = self.define("read", '<ward:isolation state="on"/>')
        self.world.wait_domain(path, "pending")
        terminal = self.virsh_ward("protection-info", "read")
        terminal.expect("Status: +pending")
        self.assertEqual(terminal.finish(), 0)
        self.assertNotIn("Password", terminal.seen)
