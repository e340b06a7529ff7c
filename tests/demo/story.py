# SPDX-License-Identifier: LGPL-2.1-or-later
"""virtward protecting a real libvirt domain, from a mistake in its XML to a killed daemon.

Runs in tests/sandbox: libvirtd, QEMU, polkit, the bus, the hook and the daemon are the real ones;
a patched kernel is not asked for, so the daemon runs with its simulated provider and says so.
"""

import os
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "integration"))

from stage import Stage  # noqa: E402
from ward_bus import domain_path  # noqa: E402
from ward_clock import Clock  # noqa: E402
from ward_processes import PATIENCE  # noqa: E402
from ward_sandbox import World  # noqa: E402

NAME = "guest"
UUID = "5e1f0000-1111-4222-8333-444455556666"
DOMAIN = f"""\
<domain type='qemu'>
  <name>{NAME}</name>
  <uuid>{UUID}</uuid>
  <memory unit='MiB'>128</memory>
  <os><type>hvm</type></os>
  <metadata>
    <ward:protection xmlns:ward="http://virtward.org/schemas/domain/1.0">
      <ward:teardown onReboot="async"/>
      <ward:isolation state="on" enforcement="required"/>
    </ward:protection>
  </metadata>
</domain>
"""
OTHER = "other"
OTHER_UUID = "5e1f0000-1111-4222-8333-777788889999"
STOOD_STILL = 75  # for tell
HELD_BACK = (
    "as many teardowns run as this host may have at once (1): until one ends, this domain's "
    "reboots are synchronous"
)
MISTAKE = ('state="on"', 'state="yes"')


def write(name, text):
    path = os.path.join(os.environ["HOME"], name)
    with open(path, "w", encoding="utf-8") as file:
        file.write(text)


class Story:
    def __init__(self):
        self.stage = Stage()
        self.clock = Clock()
        self.world = World(provider="simulated", options=["--max-teardowns", "1"])
        self.path = domain_path(UUID)

    def wait(self, name, value, path=None):
        """Events take a moment to arrive; the next command is to show what came of them."""
        try:
            self.world.client.wait_get(path or self.path, name, value, PATIENCE)
        except AssertionError as error:
            self.stage.check(False, str(error))

    def host(self):
        self.stage.chapter(
            "A host",
            """A private bus, polkit, virtlogd, libvirtd and virtwardd are started as plain
            processes, in namespaces of their own. A libvirt on this machine is not touched.""",
        )
        self.world.start()
        self.stage.run("virsh list --all")
        self.stage.run(
            "virsh-ward protection-capabilities", shows=["simulated", "teardown", "isolation"]
        )
        self.stage.held("the daemon runs, and says aloud that its host is a simulated one")

    def mistake(self):
        self.stage.chapter(
            "A mistake",
            """libvirt stores whatever is in <metadata>. A protection that virtward cannot
            understand must not be a protection that silently is not there.""",
        )
        wrong = DOMAIN.replace(*MISTAKE)
        write("wrong.xml", wrong)
        self.stage.show_file("wrong.xml", wrong)
        self.stage.run("virsh define wrong.xml")
        self.stage.run(
            f"virsh start {NAME}", succeeds=False, shows=["virtward", "isolation", "yes", "line"]
        )
        self.stage.run("virsh-ward protection-validate wrong.xml", succeeds=False, shows=["yes"])
        self.stage.run(f"virsh domstate {NAME}", shows=["shut off"])
        self.stage.held("the start was refused, and the message says where the mistake is")

    def start(self):
        self.stage.chapter(
            "A protected guest",
            """The same domain without the mistake, started by plain virsh. libvirt's hook asks
            the daemon before QEMU exists, and again before the start counts as done.""",
        )
        write("right.xml", DOMAIN)
        self.stage.run("virsh define right.xml")
        self.stage.run(f"virsh start {NAME}", shows=["started"])
        self.wait("Domain1.Status", "protected")
        self.stage.run(f"virsh domstate {NAME}", shows=["running"])
        self.stage.run("virsh-ward protection-list", shows=[NAME, "protected"])
        self.stage.run(f"virsh-ward protection-info {NAME}", shows=["isolation", "active"])
        self.stage.held("the guest runs, and what its XML wants is in force")

    def orchestrator(self):
        self.stage.chapter(
            "The same for an orchestrator",
            "Every property is on the system bus; its changes are signalled.",
        )
        get = "org.freedesktop.DBus.Properties.GetAll org.virtward"
        call = f"gdbus call --system --dest org.virtward --object-path {self.path} --method {get}"
        self.stage.run(f"{call}.Domain1", shows=["'Status': <'protected'>"])
        self.stage.run(f"{call}.Isolation1", shows=["'State': <'on'>"])
        self.stage.held("D-Bus tells what virsh-ward told")

    def change(self):
        self.stage.chapter(
            "A live change",
            "Into the running guest and its live XML; the persistent XML stays as it is.",
        )
        self.stage.run(f"virsh-ward isolation-set {NAME} off --live")
        self.wait("Isolation1.State", "off")
        self.stage.run(f"virsh-ward protection-info {NAME}", shows=["off"])
        self.stage.run(f"virsh dumpxml {NAME} | grep ward:isolation", shows=["off"])
        self.stage.run(f"virsh dumpxml {NAME} --inactive | grep ward:isolation", shows=["on"])
        self.stage.run(f"virsh-ward isolation-set {NAME} on --live")
        self.wait("Isolation1.State", "on")
        self.stage.held("changed while it ran, in the guest and in the metadata")

    def reboot(self):
        self.stage.chapter(
            "A reboot",
            """The old memory of a protected guest is torn down in the background while the guest
            boots again. That is a job, with progress.""",
        )
        self.stage.run(f"virsh reset {NAME}")
        self.wait("Teardown1.Phase", "running")
        self.stage.run("virsh-ward job-list", shows=["teardown"])
        self.stage.run("virsh-ward teardown-list", shows=[NAME, "running"])
        self.stage.run(f"virsh-ward teardown-wait {NAME}", live=True)
        self.wait("Teardown1.Phase", "none")
        self.stage.run("virsh-ward teardown-list", shows=["none", "100 %"])
        self.stage.held("the teardown was watched to its end")

    def death(self):
        self.stage.chapter(
            "A killed daemon",
            """SIGKILL, in the middle of the next teardown. What is wanted is in libvirt, what is
            in force is in the kernel (here: in its model): a new daemon finds both.""",
        )
        self.stage.run(f"virsh reset {NAME}")
        self.wait("Teardown1.Phase", "running")
        print(self.stage.paint("1", f"$ kill -KILL {self.world.ward.pid}    # virtwardd"))
        self.world.ward.kill()
        self.stage.run(f"virsh domstate {NAME}", shows=["running"])
        print(self.stage.paint("1", "$ virtwardd &"))
        self.world.ward.start()
        self.wait("Domain1.Status", "protected")
        self.stage.run(f"virsh-ward teardown-wait {NAME}", live=True)
        self.wait("Teardown1.Phase", "none")
        self.stage.run(f"virsh-ward protection-info {NAME}", shows=["isolation", "active"])
        self.stage.held("the guest never noticed, and nothing was lost")

    def limit(self):
        other = DOMAIN.replace(NAME, OTHER).replace(UUID, OTHER_UUID)
        self.stage.chapter(
            "One at a time",
            """This virtwardd was started with --max-teardowns 1. While one guest's memory is torn
            down, the others do without: their reboots wait for it again.""",
        )
        write("other.xml", other)
        self.stage.run("virsh define other.xml")
        self.stage.run(f"virsh start {OTHER}", shows=["started"])
        self.wait("Teardown1.Status", "active", domain_path(OTHER_UUID))
        self.stage.run(f"virsh reset {NAME}")
        self.wait("Teardown1.Reason", HELD_BACK, domain_path(OTHER_UUID))
        self.stage.run(f"virsh-ward protection-info {OTHER}", shows=["synchronous"])
        self.stage.run(f"virsh-ward teardown-wait {NAME}", live=True)
        self.wait("Teardown1.Reason", "", domain_path(OTHER_UUID))
        self.stage.run(f"virsh-ward protection-info {OTHER}", hides=["synchronous"])
        self.stage.run(f"virsh destroy {OTHER}")
        self.stage.run(f"virsh undefine {OTHER}")
        self.stage.held("there was one at a time, and the other guest's object said why")

    def break_machine(self, what, **keys):
        print(self.stage.paint("2", f"--- from now on, in the model: {what}"), flush=True)
        self.world.change_machine(NAME, **keys)
        self.wait("Teardown1.Status", "active")

    def forgotten(self):
        self.stage.chapter(
            "A QEMU that forgets",
            """The kernel has set the old guest aside, and QEMU does not go on. There it would stay,
            and make the next reboot a slow one.""",
        )
        self.break_machine("QEMU sets aside, and no more", teardown_forgets="true")
        self.stage.run(f"virsh reset {NAME}")
        self.wait("Teardown1.Phase", "running")
        self.stage.run("virsh-ward job-list", shows=["teardown"])
        self.stage.run(f"virsh-ward teardown-wait {NAME}", live=True)
        self.wait("Teardown1.Phase", "none")
        self.stage.held("virtward waited for QEMU for a while, and then did it")

    def refused(self):
        self.stage.chapter(
            "An Ultravisor that refuses",
            "The memory is destroyed, but the firmware does not let go of the guest that had it.",
        )
        self.break_machine(
            "the Ultravisor refuses with rc 0x0102, rrc 0x0304",
            teardown_forgets="false",
            teardown_refusal=0x01020304,
        )
        self.stage.run(f"virsh reset {NAME}")
        self.wait("Teardown1.Phase", "running")
        self.stage.run(
            f"virsh-ward teardown-wait {NAME}", succeeds=False, live=True, shows=["rc 0x0102"]
        )
        self.stage.run("virsh-ward teardown-list", shows=["failed"])
        self.stage.run(f"virsh domstate {NAME}", shows=["running"])
        self.stage.held("it is a failed job, with the firmware's codes; the guest runs on")

    def end(self):
        self.stage.chapter("The end", "The guest stops; its protections wait for the next start.")
        self.stage.run(f"virsh destroy {NAME}")
        self.wait("Domain1.Status", "pending")
        self.stage.run("virsh-ward protection-list --all", shows=[NAME, "pending"])
        self.stage.run(f"virsh undefine {NAME}")
        self.stage.check(self.world.ward.stop() == 0, "virtwardd ends with status 0")
        self.world.stop()
        self.stage.held("all of it lived in this process's namespaces, which now go away")

    def tell(self):
        for part in (
            self.host,
            self.mistake,
            self.start,
            self.orchestrator,
            self.change,
            self.reboot,
            self.death,
            self.limit,
            self.forgotten,
            self.refused,
            self.end,
        ):
            part()
            if self.stage.failures:
                print(self.world.logs())
                break
        status = self.stage.finish()
        jump = self.clock.take()
        if status == 0 or not jump:
            return status
        print(f"\nBut this machine stood still for {jump:.0f} seconds, and misses what happens meanwhile.")
        return STOOD_STILL


def main():
    os.chdir(os.environ["HOME"])
    os.environ["LIBVIRT_DEFAULT_URI"] = "qemu:///system"
    return Story().tell()


if __name__ == "__main__":
    sys.exit(main())
