# SPDX-License-Identifier: LGPL-2.1-or-later
"""virsh-ward on a bus of its own, with a daemon that says what the test wants."""

import copy
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
import unittest

from ward_processes import PATIENCE
from ward_terminal import Terminal

ROOT = os.environ["WARD_SOURCE_ROOT"]
BUILD = os.environ["WARD_BUILD_ROOT"]
PROGRAM = os.path.join(BUILD, "virsh-ext", "virsh-ward")
INTERFACES = os.path.join(ROOT, "dbus-api", "interfaces")
HERE = os.path.dirname(os.path.abspath(__file__))
URI = "test:///default"

ALPHA = "/org/virtward/domain/_00000000_0000_0000_0000_00000000000a"
BETA = "/org/virtward/domain/_00000000_0000_0000_0000_00000000000b"
EVIL = "/org/virtward/domain/_00000000_0000_0000_0000_00000000000e"
JOB = "/org/virtward/job/7"
HOST = "/org/virtward/host"


def common(**more):
    return {
        "Status": "active",
        "Provider": "control",
        "Reason": "",
        "Enforcement": "required",
        **more,
    }


def domain(path, name, state, status, reason=""):
    uuid = path.rsplit("/_", 1)[1].replace("_", "-")
    return {"Name": name, "Uuid": uuid, "State": state, "Status": status, "Reason": reason}


OBJECTS = {
    HOST: {
        "Host1": {
            "ApiVersion": 1,
            "Version": "0.1.0",
            "Uri": URI,
            "Connected": True,
            "ConnectionError": "",
            "LibvirtVersion": "9.0.0",
            "Simulated": False,
            "Capabilities": {
                "teardown": (True, "control", "kernel patch"),
                "trustdomain": (False, "stock", "no TDX on this host"),
                "introspection": (True, "control", "kernel patch"),
                "isolation": (True, "control", "kernel patch"),
            },
        }
    },
    ALPHA: {
        "Domain1": domain(ALPHA, "alpha", "running", "protected"),
        "Teardown1": common(
            OnReboot="async",
            OnExit="",
            Phase="running",
            BytesDone=512 << 20,
            BytesTotal=1 << 30,
            LastDuration=1250000,
            LastError="",
            Job=JOB,
        ),
        "TrustDomain1": common(
            Life="running",
            Admission="wait",
            Timeout=30,
            OnReboot="recreate",
            LastReboot="recreate",
            KeyId=7,
            ControlPages=30,
            CreatedTime=123456789,
        ),
        "Introspection1": common(
            Attached=True,
            Socket="unix:/run/tool.sock",
            OnDisconnect="retry",
            AllowedCommands=["get-registers"],
            AllowedEvents=[],
            Commands=120,
            Errors=3,
            Events=20,
            ReplyTimes=[0] * 16 + [10, 8, 0, 2] + [0] * 20,
        ),
        "Isolation1": common(Wanted="on", State="on"),
    },
    BETA: {"Domain1": domain(BETA, "beta two", "shutoff", "unprotected")},
    EVIL: {
        "Domain1": domain(EVIL, "evil\x1b[31m", "running", "degraded", "no\x1b[2Jreason"),
        "Isolation1": common(Status="unavailable", Wanted="on", State="off", Reason="no\rASI"),
    },
    JOB: {
        "Job1": {
            "Operation": "teardown",
            "Domain": ALPHA,
            "DomainName": "alpha",
            "Done": 512 << 20,
            "Total": 1 << 30,
            "Unit": "bytes",
            "StartTime": 1700000000000000,
            "Cancellable": True,
        }
    },
}


class Fake:
    """The daemon of the test, one process."""

    def __init__(self, address, objects):
        self.process = subprocess.Popen(
            [sys.executable, "-B", os.path.join(HERE, "fake_virtwardd.py"), address, INTERFACES],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        self.say(objects)

    def say(self, value):
        self.process.stdin.write(json.dumps(value) + "\n")
        self.process.stdin.flush()
        answer = self.process.stdout.readline()
        if not answer:
            raise AssertionError("the fake daemon died")
        return json.loads(answer)

    def order(self, op, **arguments):
        return self.say({"op": op, **arguments})

    def calls(self, *methods):
        """[(method, arguments)] of those methods since the last time."""
        return [
            (name, arguments) for _, name, arguments, _ in self.order("calls") if name in methods
        ]

    def kill(self):
        self.process.kill()
        self.process.wait(PATIENCE)
        self.process.stdin.close()
        self.process.stdout.close()


class VirshWardCase(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.directory = tempfile.mkdtemp(prefix="virsh-ward-test-")
        cls.addClassCleanup(shutil.rmtree, cls.directory)
        cls.bus = subprocess.Popen(
            ["dbus-daemon", "--session", "--nofork", "--nopidfile", "--print-address"],
            stdout=subprocess.PIPE,
            text=True,
        )
        cls.addClassCleanup(cls.stop_bus)
        cls.address = cls.bus.stdout.readline().strip()

    @classmethod
    def stop_bus(cls):
        cls.bus.kill()
        cls.bus.wait(PATIENCE)
        cls.bus.stdout.close()

    def setUp(self):
        self.fake = None
        self.objects = copy.deepcopy(OBJECTS)
        self.home = tempfile.mkdtemp(dir=self.directory)
        self.env = {
            key: value
            for key, value in os.environ.items()
            if not key.startswith(("XDG_", "VIRSH_", "LIBVIRT_", "DBUS_", "G_"))
        }
        self.env.update(
            DBUS_SYSTEM_BUS_ADDRESS=self.address,
            DBUS_SESSION_BUS_ADDRESS=self.address,
            HOME=self.home,
            LC_ALL="C.UTF-8",
            TERM="xterm",
            TZ="UTC",
        )

    def start(self, **host):
        """Starts the daemon, with other properties of the host if the test wants them."""
        self.objects[HOST]["Host1"].update(host)
        self.fake = Fake(self.address, self.objects)
        self.addCleanup(self.fake.kill)
        return self.fake

    def run_program(self, argv, input=None, **more):
        return subprocess.run(
            argv,
            input=input,
            stdin=subprocess.DEVNULL if input is None else None,
            capture_output=True,
            text=True,
            env=self.env,
            cwd=self.home,
            timeout=2 * PATIENCE,
            check=False,
            **more,
        )

    def ward(self, *arguments, input=None):
        return self.run_program([PROGRAM, *arguments], input=input)

    def ward_ok(self, *arguments, input=None):
        result = self.ward(*arguments, input=input)
        self.assertEqual(result.returncode, 0, result.stderr)
        return result.stdout

    def ward_json(self, *arguments):
        return json.loads(self.ward_ok("--format", "json", *arguments))

    def ward_fails(self, *arguments, input=None):
        """What it says on stderr, after "error: "."""
        result = self.ward(*arguments, input=input)
        self.assertEqual(result.returncode, 1, result.stdout + result.stderr)
        self.assertRegex(result.stderr, r"(?m)^error: ")
        return result.stderr

    def popen(self, *arguments, **more):
        process = subprocess.Popen(
            [PROGRAM, *arguments],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env=self.env,
            **more,
        )
        self.addCleanup(process.stdout.close)
        self.addCleanup(process.stderr.close)
        self.addCleanup(process.kill)
        return process

    def terminal(self, *arguments, argv=None):
        terminal = Terminal(argv or [PROGRAM, *arguments], self.env, self.home)
        self.addCleanup(terminal.close)
        return terminal

    def wait_for_call(self, method):
        """The arguments of the call, once it is there."""
        end = time.monotonic() + PATIENCE
        while time.monotonic() < end:
            calls = self.fake.calls(method)
            if calls:
                return calls[0][1]
            time.sleep(0.01)
        raise AssertionError(f"nobody called {method}")

    def write(self, name, content, mode=0o644):
        path = os.path.join(self.home, name)
        with open(path, "wb") as file:
            file.write(content if isinstance(content, bytes) else content.encode())
        os.chmod(path, mode)
        return path
