# SPDX-License-Identifier: LGPL-2.1-or-later
"""The daemons of a host, run for the tests inside tests/sandbox, and what the tests ask of them."""

import configparser
import json
import os
import shutil
import subprocess
import unittest
import uuid

import ward_bus
from ward_bus import BusError, Client, domain_path
from ward_processes import PATIENCE, Daemon, accepts, wait_for

SYSTEM_BUS = "unix:path=/run/dbus/system_bus_socket"
SERVICES = "/usr/share/dbus-1/system-services"
MACHINE = "/run/virtward/simulated-machine.conf"
DAEMON = "/usr/sbin/virtwardd"
NAMESPACE = "http://virtward.org/schemas/domain/1.0"
HOOK = "/etc/libvirt/hooks/qemu.d/virtward"

DOMAIN = """\
<domain type='{type}'>
  <name>{name}</name>
  <uuid>{uuid}</uuid>
  <memory unit='MiB'>{memory}</memory>
  <vcpu>1</vcpu>
  <os><type>hvm</type></os>
  <metadata>{metadata}</metadata>
</domain>
"""


def script_for_others(path):
    """The script's copy, beside those of the modules it imports, where any user can read it."""
    copy = os.path.join(os.environ["TMPDIR"], "scripts")
    shutil.copytree(os.path.dirname(path), copy, dirs_exist_ok=True)
    os.chmod(copy, 0o755)
    return os.path.join(copy, os.path.basename(path))


def protection(inner):
    return f'<ward:protection xmlns:ward="{NAMESPACE}">{inner}</ward:protection>'


def domain_xml(name, inner=None, type="qemu", memory=16, metadata=""):
    """A domain that needs no disk: firmware, and nothing to boot."""
    if inner is not None:
        metadata += protection(inner)
    identity = domain_uuid(name)
    return DOMAIN.format(type=type, name=name, uuid=identity, memory=memory, metadata=metadata)


def domain_uuid(name):
    """Always the same for the same name."""
    return str(uuid.uuid5(uuid.NAMESPACE_URL, name))


class World:
    """bus, polkit, virtlogd, libvirtd and virtwardd. Each may be None, or stopped and started."""

    def __init__(self, uri="qemu:///system", provider="simulated", options=()):
        self.uri = uri
        self.bus = Daemon(
            "dbus",
            ["dbus-daemon", "--system", "--nofork", "--nopidfile"],
            lambda: accepts("/run/dbus/system_bus_socket"),
        )
        self.polkit = Daemon(
            "polkit",
            ["/usr/lib/polkit-1/polkitd", "--no-debug"],
            lambda: self.client.has_owner("org.freedesktop.PolicyKit1"),
        )
        self.virtlogd = Daemon(
            "virtlogd", ["virtlogd"], lambda: accepts("/run/libvirt/virtlogd-sock")
        )
        self.libvirtd = Daemon("libvirtd", ["libvirtd"], lambda: accepts("/run/libvirt/libvirt-sock"))
        self.ward = Daemon(
            "virtwardd",
            [DAEMON, "--uri", uri, "--provider", provider, *options],
            self._ward_serves,
        )
        self.client = None

    def _ward_serves(self):
        """The bus may not have noticed yet that a daemon before this one was killed."""
        try:
            return self.client.has_owner() and self.client.get(ward_bus.HOST, "Host1.Connected")
        except BusError:
            return False

    def daemons(self):
        return [self.bus, self.polkit, self.virtlogd, self.libvirtd, self.ward]

    def start(self, without=()):
        for daemon in self.daemons():
            if daemon.name in without:
                continue
            daemon.start()
            if daemon is self.bus:
                self.client = Client(SYSTEM_BUS)
        return self

    def stop(self):
        """Ends it all. The daemon has to end well: a sanitizer tells of a leak by its status."""
        for daemon in reversed(self.daemons()):
            if not daemon.running:
                continue
            daemon.resume()
            status = daemon.stop()
            if daemon is self.ward and status != 0:
                raise AssertionError(f"virtwardd ended with {status}\n{daemon.output()}")

    def restart_bus(self):
        """The bus ends and comes back; so does polkit, which does not survive that."""
        self.bus.kill()
        self.polkit.kill()
        self.bus.start()
        self.client = Client(SYSTEM_BUS)
        self.polkit.start()

    def logs(self):
        return "\n".join(
            f"--- {daemon.name}\n{daemon.output()}" for daemon in self.daemons() if daemon.process
        )

    # libvirt

    def virsh(self, *arguments, check=True, program="virsh", input=None):
        result = subprocess.run(
            [program, "-c", self.uri, *arguments],
            input=input,
            stdin=subprocess.DEVNULL if input is None else None,
            capture_output=True,
            text=True,
            timeout=5 * PATIENCE,
            check=False,
        )
        if check and result.returncode != 0:
            raise AssertionError(
                f"{program} {' '.join(arguments)}: {result.stderr.strip()}\n{self.logs()}"
            )
        return result

    def virsh_ward(self, *arguments, check=True, input=None):
        return self.virsh(*arguments, check=check, program="virsh-ward", input=input)

    def ward_json(self, *arguments):
        return json.loads(self.virsh_ward("--format", "json", *arguments).stdout)

    def define(self, name, inner=None, **more):
        """Defines a domain that is not there or is shut off; returns its D-Bus path."""
        xml = domain_xml(name, inner, **more)
        path = os.path.join(os.environ["TMPDIR"], name + ".xml")
        with open(path, "w", encoding="utf-8") as file:
            file.write(xml)
        return self.define_file(name, path)

    def define_file(self, name, path):
        self.virsh("define", path)
        return domain_path(domain_uuid(name))

    def state(self, name):
        return self.virsh("domstate", name).stdout.strip()

    def remove(self, name):
        self.virsh("destroy", name, check=False)
        self.virsh("undefine", name, check=False)

    def wait_reconnected(self, name):
        """libvirtd takes up running guests one by one after it started, and what is asked of them
        meanwhile may find them gone: the monitor answers only afterwards."""
        status = self.virsh("qemu-monitor-command", name, "--hmp", "info status").stdout
        assert "running" in status or "paused" in status, status

    def guest_pid(self, name):
        with open(f"/run/libvirt/qemu/{name}.pid", encoding="ascii") as file:
            return int(file.read())

    # virtward

    def objects(self):
        return self.client.objects()

    def wait_domain(self, path, status):
        """Waits until the domain has that Domain1.Status."""
        self.client.wait_get(path, "Domain1.Status", status)

    def read_machine(self):
        machine = configparser.ConfigParser(delimiters=["="], interpolation=None)
        machine.read(MACHINE)
        return machine

    def machine_of(self, name):
        """What the simulated machine holds of a running domain."""
        return dict(self.read_machine()[self.uuid(name)])

    def change_machine(self, name, **keys):
        """Changes the simulated machine under a running domain while no daemon looks."""
        self.ward.kill()
        machine = self.read_machine()
        for key, value in keys.items():
            machine[self.uuid(name)][key.replace("_", "-")] = str(value)
        with open(MACHINE, "w", encoding="utf-8") as file:
            machine.write(file, space_around_delimiters=False)
        self.ward.start()

    def uuid(self, name):
        return self.virsh("domuuid", name).stdout.strip()

    def forbid_activation(self):
        """From now on the bus starts no virtwardd by itself."""
        for directory in (SERVICES, SERVICES.replace("system-services", "services")):
            service = os.path.join(directory, "org.virtward.service")
            if os.path.exists(service):
                os.unlink(service)
        self.client.bus("ReloadConfig")


class WorldTestCase(unittest.TestCase):
    """One world for all the cases of a class. A case cleans up the domains it defines."""

    uri = "qemu:///system"
    provider = "simulated"
    options = ()
    without = ()
    world_class = World

    @classmethod
    def setUpClass(cls):
        if os.getpid() == 1 or not os.path.isdir("/run/sandbox"):
            raise unittest.SkipTest("runs only inside tests/sandbox")
        cls.world = cls.world_class(cls.uri, cls.provider, cls.options)
        cls.addClassCleanup(cls.world.stop)
        cls.world.start(cls.without)
        cls.client = cls.world.client

    def define(self, name, inner=None, **more):
        self.addCleanup(self.world.remove, name)
        return self.world.define(name, inner, **more)

    def assert_bus_error(self, name, call, *arguments):
        """Returns the message."""
        with self.assertRaises(BusError) as caught:
            call(*arguments)
        self.assertEqual(caught.exception.name, name, caught.exception.message)
        return caught.exception.message

    def wait_for(self, predicate, what, seconds=PATIENCE):
        return wait_for(predicate, what, seconds)
