# SPDX-License-Identifier: LGPL-2.1-or-later
"""Session mode: a user without rights, the user's own bus, libvirt and daemon."""

import json
import os
import pwd
import signal
import subprocess
import unittest

from ward_processes import PATIENCE, Daemon, accepts, wait_for
from ward_sandbox import DAEMON, domain_xml, protection

USER = "tester"
ISOLATION = '<ward:isolation state="on"/>'


class SessionTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        if not os.path.isdir("/run/sandbox"):
            raise unittest.SkipTest("runs only inside tests/sandbox")
        subprocess.run(["useradd", "--create-home", "--home-dir", "/run/tester", USER], check=True)
        user = pwd.getpwnam(USER)
        cls.runtime = f"/run/user/{user.pw_uid}"
        os.makedirs(cls.runtime, mode=0o700)
        os.chown(cls.runtime, user.pw_uid, user.pw_gid)
        cls.bus_address = f"unix:path={cls.runtime}/bus"
        cls.become = ["setpriv", f"--reuid={USER}", f"--regid={USER}", "--init-groups"]
        cls.env = {
            "HOME": "/run/tester",
            "USER": USER,
            "XDG_RUNTIME_DIR": cls.runtime,
            "DBUS_SESSION_BUS_ADDRESS": cls.bus_address,
        }
        bus = Daemon(
            "session-bus",
            [*cls.become, "dbus-daemon", "--session", "--nofork", f"--address={cls.bus_address}"],
            lambda: accepts(f"{cls.runtime}/bus"),
            env=cls.env,
        )
        bus.start()
        cls.addClassCleanup(bus.stop)

    def run_as_user(self, *arguments, check=True):
        result = subprocess.run(
            [*self.become, *arguments],
            env={**os.environ, **self.env},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=3 * PATIENCE,
            check=False,
        )
        if check:
            self.assertEqual(result.returncode, 0, f"{arguments}: {result.stderr}")
        return result

    def start_daemon(self, *options):
        daemon = Daemon(
            "session-virtwardd",
            [*self.become, DAEMON, "--provider", "simulated", *options],
            lambda: "true" in self.ask_bus("NameHasOwner"),
            env=self.env,
        )
        daemon.start()
        self.addCleanup(daemon.stop)
        return daemon

    def define(self, name):
        """Returns the virsh command of the user's libvirt."""
        virsh = ("virsh", "-c", "qemu:///session")
        path = os.path.join(os.environ["TMPDIR"], name + ".xml")
        with open(path, "w", encoding="utf-8") as file:
            file.write(domain_xml(name, ISOLATION))
        self.run_as_user(*virsh, "define", path)
        self.addCleanup(self.run_as_user, *virsh, "undefine", name)
        return virsh

    def ask_bus(self, method):
        """About our name; unlike a call of ours, this starts no daemon."""
        return self.run_as_user(
            "gdbus",
            "call",
            "--session",
            "--dest=org.freedesktop.DBus",
            "--object-path=/org/freedesktop/DBus",
            f"--method=org.freedesktop.DBus.{method}",
            "org.virtward",
        ).stdout

    def wait_status(self, name, status):
        command = ("virsh-ward", "--format", "json", "protection-info", name)

        def has_it():
            result = self.run_as_user(*command, check=False)
            return result.returncode == 0 and json.loads(result.stdout)["status"] == status

        wait_for(has_it, f"{name} to be {status}")

    def test_test_driver(self):
        self.start_daemon("--uri", "test:///default", "--bus", "session")
        self.wait_status("test", "unprotected")
        xml = protection(ISOLATION)
        self.run_as_user("virsh-ward", "protection-set", "test", "--live", "--xml", xml)
        self.wait_status("test", "protected")
        self.run_as_user("virsh-ward", "protection-clear", "test", "--live")
        self.wait_status("test", "unprotected")

    def test_real_guest_of_a_user(self):
        self.start_daemon()
        name = "mine"
        virsh = self.define(name)
        self.wait_status(name, "pending")
        self.run_as_user(*virsh, "start", name)
        self.addCleanup(self.run_as_user, *virsh, "destroy", name)
        self.wait_status(name, "protected")

    def end_activated_daemon(self):
        pid = int(self.ask_bus("GetConnectionUnixProcessID").split()[1].strip(",)"))
        os.kill(pid, signal.SIGTERM)
        wait_for(lambda: not os.path.exists(f"/proc/{pid}"), "the activated daemon to end")

    def test_hook_of_a_user_starts_the_users_daemon(self):
        # That one simulates nothing, and this machine has no isolation.
        name = "refused"
        virsh = self.define(name)
        result = self.run_as_user(*virsh, "start", name, check=False)
        self.end_activated_daemon()
        self.assertNotEqual(result.returncode, 0)
        self.assertIn("'refused': isolation", result.stderr)
        state = self.run_as_user(*virsh, "domstate", name)
        self.assertEqual(state.stdout.strip(), "shut off")
