# SPDX-License-Identifier: LGPL-2.1-or-later
"""A host with trust domains, for the tests: Debian sid's libvirtd, and a simulated machine.

No machine of ours has TDX. libvirtd is real and new enough for <launchSecurity type='tdx'>, but its driver is "test",
which runs no QEMU and no hook: so a Guest calls the installed hook as libvirt's QEMU driver does, and keys, pages and
leaks are those of virtward's simulated machine. The daemon is this machine's own build; it reaches libvirtd by a socket.
"""

import os
import subprocess
import time
import unittest

import libvirt

from ward_bus import HOST, domain_path
from ward_processes import PATIENCE, Daemon, accepts, wait_for
from ward_sandbox import HOOK, World, WorldTestCase, domain_uuid, domain_xml

SOCKET = "/run/libvirt/libvirt-sock"
# libvirtd keeps the domains of this URI in its memory, for all its clients together.
URI = f"test+unix:///default?socket={SOCKET}"
ROOT = "/run/sandbox/sid"
# While it is there, the daemon hears of stops and starts as of those of a reboot: reboot-events.c.
RECREATES = "/run/sandbox/recreates"
TDX = "<launchSecurity type='tdx'/>"
KEYS = 31


def trustdomain_xml(name, attributes="", element=True, tdx=True):
    inner = f"<ward:trustdomain {attributes}/>" if element else None
    xml = domain_xml(name, inner, type="test")
    return xml.replace("</domain>", f"{TDX if tdx else ''}</domain>")


def enter_sid(root):
    """sid's root file system with a layer in memory, and this world's processes, devices and /run."""
    layer = ROOT + "-layer"
    os.makedirs(ROOT)
    os.makedirs(layer + "/upper")
    os.makedirs(layer + "/work")
    options = f"lowerdir={root},upperdir={layer}/upper,workdir={layer}/work"
    subprocess.run(["mount", "-t", "overlay", "-o", options, "sid", ROOT], check=True)
    for name in ("dev", "proc"):
        subprocess.run(["mount", "--rbind", "/" + name, f"{ROOT}/{name}"], check=True)
    subprocess.run(["mount", "--bind", "/run", ROOT + "/run"], check=True)


class TrustdomainWorld(World):
    """libvirtd is sid's. What it has of domains it forgets when its last client goes: keeper stays."""

    def __init__(self, uri, provider="simulated", options=()):
        super().__init__(uri, provider, options)
        if not os.path.isdir(ROOT):
            enter_sid(os.environ["WARD_SID_ROOT"])
        self.keeper = None
        libvirt.registerErrorHandler(lambda *_: None, None)  # it would print them
        self.libvirtd = Daemon(
            "libvirtd", ["chroot", ROOT, "/usr/sbin/libvirtd"], self._libvirtd_serves
        )

    def preload_events(self):
        """The daemon hears of reboots, of which the test driver has none."""
        self.ward.env = {
            "LD_PRELOAD": os.environ["WARD_REBOOT_EVENTS"], "WARD_TEST_RECREATES": RECREATES
        }

    def _libvirtd_serves(self):
        if not accepts(SOCKET):
            return False
        self.keeper = self.keeper or libvirt.open(self.uri)
        return True

    def stop(self):
        if self.keeper:
            self.keeper.close()
        super().stop()

    def define_xml(self, name, xml):
        self.keeper.defineXML(xml)
        return domain_path(domain_uuid(name))

    def remove(self, name):
        try:
            domain = self.keeper.lookupByName(name)
        except libvirt.libvirtError:
            return
        if domain.isActive():
            Guest(self, name).stop()
        domain.undefine()


class Guest:
    """A domain of the test driver, started and stopped as libvirt's QEMU driver does it, hooks and all."""

    def __init__(self, world, name):
        self.world = world
        self.name = name
        self.path = domain_path(domain_uuid(name))
        self.starting = None  # the hook's process at "start", which may wait

    @property
    def domain(self):
        return self.world.keeper.lookupByName(self.name)

    def call_hook(self, operation, sub_operation):
        """libvirt gives it the name, no argument more that tells anything, and a bare environment."""
        process = subprocess.Popen(
            [HOOK, self.name, operation, sub_operation, "-"],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            env={"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL": "C"},
            text=True,
        )
        process.stdin.write(self.domain.XMLDesc())
        process.stdin.close()
        process.stdin = None
        return process

    def run_hook(self, operation, sub_operation):
        process = self.call_hook(operation, sub_operation)
        _, errors = process.communicate(timeout=5 * PATIENCE)
        return process.returncode, errors

    def begin(self):
        """Up to the hook at which a start may wait; returns at once."""
        status, errors = self.run_hook("prepare", "begin")
        if status != 0:
            raise StartRefused(errors)
        self.starting = self.call_hook("start", "begin")
        return self

    @property
    def waits(self):
        return self.starting.poll() is None

    def finish(self):
        """The rest of the start, once the hook has answered."""
        _, errors = self.starting.communicate(timeout=5 * PATIENCE)
        status = self.starting.returncode
        self.starting = None
        if status != 0:
            self.end()
            raise StartRefused(errors)
        self.domain.create()
        status, more = self.run_hook("started", "begin")
        if status != 0:
            self.stop()
            raise StartRefused(more)
        return errors + more

    def start(self):
        """Returns what the hooks said."""
        return self.begin().finish()

    def end(self):
        self.run_hook("stopped", "end")
        self.run_hook("release", "end")

    def stop(self):
        """libvirt's hooks come first, and then its event."""
        self.end()
        self.domain.destroy()


    def recreate(self):
        """A reboot as libvirt makes it: of QEMU, under hooks that look like those of a stop and a start."""
        with open(RECREATES, "w", encoding="ascii"):
            self.stop()
        return self.begin()

    def recreated(self):
        words = self.finish()
        os.unlink(RECREATES)
        return words

    def reset(self):
        """A reboot as QEMU 11.0 makes it, in place: libvirt has nothing to do but to tell."""
        title = f"reset {time.monotonic()}"
        self.domain.setMetadata(
            libvirt.VIR_DOMAIN_METADATA_TITLE, title, None, None, libvirt.VIR_DOMAIN_AFFECT_LIVE
        )


class StartRefused(Exception):
    """What the hook said, which libvirt shows whoever starts the domain."""


class TrustdomainCase(WorldTestCase):
    uri = URI
    world_class = TrustdomainWorld
    without = ("virtlogd",)

    @classmethod
    def setUpClass(cls):
        if "WARD_SID_ROOT" not in os.environ:
            raise unittest.SkipTest("needs sid's libvirtd: run it by tests/sid-root")
        super().setUpClass()
        cls.world.forbid_activation()

    def setUp(self):
        """What the case before has left is gone a moment later."""
        self.wait_for(self.is_quiet, "a host without trust domains")

    def is_quiet(self):
        capacity = self.capacity()
        return not any(capacity[name] for name in ("used", "reserved", "waiting"))

    def guest(self, name, attributes="", **more):
        self.addCleanup(self.world.remove, name)
        self.world.define_xml(name, trustdomain_xml(name, attributes, **more))
        return Guest(self.world, name)

    def refused(self, guest):
        """Why its start was."""
        with self.assertRaises(StartRefused) as caught:
            guest.start()
        return str(caught.exception)

    def keys(self):
        """Who has a key, by the simulated machine's own file."""
        machine = self.world.read_machine()
        return {uuid for uuid in machine.sections() if "trustdomain-key" in machine[uuid]}

    def capacity(self):
        return self.client.call(HOST, "Host1.GetTrustDomainCapacity")

    def machine_says_no(self):
        """How often a guest that was let in found no key: the simulated machine counts that."""
        machine = self.world.read_machine()
        return int(machine.get("host", "trustdomain-refused", fallback="0"))

    def fill(self, count=KEYS):
        """As many trust domains as there are keys."""
        guests = [self.guest(f"full-{number}") for number in range(count)]
        for guest in guests:
            guest.start()
        return guests

    def wait_life(self, guest, life):
        self.client.wait_get(guest.path, "TrustDomain1.Life", life)

    def begin_in_line(self, guests):
        """One after the other, so that their order in the queue is known."""
        for number, guest in enumerate(guests, self.capacity()["waiting"] + 1):
            guest.begin()
            self.addCleanup(guest.starting.kill)
            wait_for(lambda: self.capacity()["waiting"] == number, f"{guest.name} to wait")
