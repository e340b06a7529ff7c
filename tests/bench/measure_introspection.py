# SPDX-License-Identifier: LGPL-2.1-or-later
"""Introspection in the lab: attaching, events, and reading guest memory, compared with what a stock host
offers for it. One run, on guests that differ only in what they do; every number is the median of several. See bench."""

import json
import os
import statistics
import subprocess
import sys
import time

import libvirt
import libvirt_qemu

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [HERE, os.path.join(HERE, "..", "lab")]

from halting import STORE_COUNTER, STORE_PAGES, STORES, halting, storing  # noqa: E402
from measure import bench, milliseconds, settle, table, write  # noqa: E402
from ward_processes import wait_for  # noqa: E402
from ward_sandbox import World, domain_path, domain_uuid, domain_xml  # noqa: E402

TOOL = "/run/introspector/{}.sock"
GDB = "/run/introspector/{}.gdb.sock"
INTROSPECTION = '<ward:introspection><ward:socket type="unix" path="{}"/></ward:introspection>'
GDBSTUB = """\
<qemu:commandline xmlns:qemu='http://libvirt.org/schemas/domain/qemu/1.0'>\
<qemu:arg value='-gdb'/><qemu:arg value='unix:{},server=on,wait=off'/></qemu:commandline></domain>"""
# All of it is there, and no page of zeros that many share.
MEMORY = "<memoryBacking><allocation mode='immediate'/></memoryBacking><vcpu>"
MIB = 128
BUILD = os.path.join(sys.argv[1], "tests")
# Where bench-tool begins, too.
FIRST = 0x100000
PAGE = 4096
RUNS = 7
PAGES = 500
PAGES_OF_PMEMSAVE = 50
CALLS = 50
# Much memory takes long, and gdbstub longest.
BULK = 64 << 20
BULK_RUNS = 5
EVENTS = 500
STOPS = 100


class Tool:
    """bench-tool; every answer is a number of microseconds."""

    def __init__(self, name):
        path = TOOL.format(name)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        self.process = subprocess.Popen(
            [os.path.join(BUILD, "bench/bench-tool"), path],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
        )
        wait_for(lambda: os.path.exists(path), "the tool to listen")

    def ask(self, words):
        self.process.stdin.write(words + "\n")
        self.process.stdin.flush()
        return int(self.process.stdout.readline())

    def median(self, words, runs=RUNS):
        self.ask(words)
        return statistics.median(self.ask(words) for _ in range(runs))

    def end(self):
        self.process.terminate()
        self.process.wait()


class Process:
    """What settle() looks at."""

    def __init__(self, name, pid):
        self.name, self.pid = name, pid


def start_guest(world, name, firmware):
    xml = firmware(domain_xml(name, INTROSPECTION.format(TOOL.format(name)), type="kvm", memory=MIB))
    xml = xml.replace("<vcpu>", MEMORY).replace("</domain>", GDBSTUB.format(GDB.format(name)))
    world.define_file(name, write(name + ".xml", xml))
    world.virsh("start", name)
    path = domain_path(domain_uuid(name))
    world.client.wait_get(path, "Introspection1.Attached", True)
    settle(world.ward)
    return path


def measure_attach(path, tool):
    """Microseconds of a call that does nothing, and of Attach without the tool's own."""
    idle, _ = bench("ping", "org.virtward", path, 10 * CALLS)
    times, own = [], []
    for _ in range(CALLS):
        times.append(bench("attach", "org.virtward", path, 1)[0])
        own.append(tool.ask("own"))
    return idle, statistics.median(times), statistics.median(own)


def measure_pmemsave(name, size, count, runs):
    """Microseconds of one that saves so much, of so many in a row."""
    file = os.path.join(os.environ["TMPDIR"], "saved")
    domain = libvirt.open("qemu:///system").lookupByName(name)

    def run():
        start = time.monotonic()
        for number in range(count):
            arguments = {"val": FIRST + number * size, "size": size, "filename": file}
            command = json.dumps({"execute": "pmemsave", "arguments": arguments})
            libvirt_qemu.qemuMonitorCommand(domain, command, 0)
            assert os.path.getsize(file) == size
        return (time.monotonic() - start) * 1e6 / count

    run()
    return statistics.median(run() for _ in range(runs))


def gdb(*words):
    command = [os.path.join(BUILD, "bench/bench-gdb"), *(str(word) for word in words)]
    return subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True).stdout.split()


def gdb_read(name, pages, runs):
    """It stops the guest, which makes the tool leave: so it comes last."""
    lines = gdb("read", GDB.format(name), pages, runs + 1)
    return statistics.median(int(line) for line in lines[1:])


def gdb_watch(name):
    how, _, *lines = gdb("watch", GDB.format(name), STORES + STORE_COUNTER, STOPS, RUNS + 1)
    return how, statistics.median(int(line) for line in lines) / STOPS


def measure_exit():
    """Microseconds of a KVM_EXIT_IO round trip."""
    output = subprocess.run(
        [os.path.join(BUILD, "lab/exit-cost")], capture_output=True, text=True, check=True
    ).stdout
    return statistics.median(float(line.split()[1]) for line in output.splitlines()) / 1000


def compare(what, ours, theirs, whose, wanted, slower=False):
    ratio = f"{ours / theirs:.1f} times" if slower else f"{theirs / ours:.1f} times faster"
    return (what, milliseconds(ours), f"{milliseconds(theirs)} {whose}", ratio, wanted)


def measure_reading(world):
    name = "bench-reading"
    tool = Tool(name)
    path = start_guest(world, name, halting)
    settle(Process("the guest", world.guest_pid(name)))
    idle, attach, own = measure_attach(path, tool)
    settle(world.ward)
    page = tool.median(f"read {PAGES}") / PAGES
    single, piped = (tool.median(f"{how} {BULK // PAGE}", BULK_RUNS) for how in ("read", "pipeline"))
    save_page = measure_pmemsave(name, PAGE, PAGES_OF_PMEMSAVE, RUNS)
    save = measure_pmemsave(name, BULK, 1, BULK_RUNS)
    gdb_page = gdb_read(name, PAGES, RUNS) / PAGES
    gdb_all = gdb_read(name, BULK // PAGE, BULK_RUNS)
    world.remove(name)
    tool.end()
    print(f"The tool's own {milliseconds(own)} are not in attach.")
    return [
        compare("attach", attach - own, idle, "Ping", "<= 10 times", slower=True),
        compare("a page", page, gdb_page, "gdbstub", ">= 3 times"),
        compare("a page", page, save_page, "pmemsave", ">= 20 times"),
        compare("64 MiB, pipelined", piped, gdb_all, "gdbstub", ">= 10 times"),
        compare("64 MiB, pipelined", piped, single, "one at a time", ">= 2 times"),
        compare("64 MiB, one at a time", single, gdb_all, "gdbstub", ""),
        compare("64 MiB, pipelined", piped, save, "pmemsave", ""),
    ]


def measure_events(world):
    name = "bench-events"
    tool = Tool(name)
    start_guest(world, name, storing)
    watch = tool.median(f"watch {EVENTS}") / EVENTS
    allow = tool.median("allow") / (STORE_PAGES - 1)
    how, stop = gdb_watch(name)
    world.remove(name)
    tool.end()
    exit_io = measure_exit()
    return [
        compare("write event, CONTINUE", watch, stop, f"gdbstub, {how}", ">= 4 times"),
        compare("write event, CONTINUE", watch, exit_io, "KVM_EXIT_IO", "<= 5 times", slower=True),
        compare("write event, page allowed", allow, stop, f"gdbstub, {how}", ">= 4 times"),
        compare("write event, page allowed", allow, exit_io, "KVM_EXIT_IO", "", slower=True),
    ]


def main():
    world = World(provider="auto").start()
    # libvirt looks at what its QEMUs can do: now, or else in the background while something is measured.
    world.virsh("capabilities")
    rows = measure_events(world) + measure_reading(world)
    print(f"Medians on {os.cpu_count()} emulated cores, load {os.environ.get('LAB_LOAD', 'unknown')}.\n")
    table(rows)
    world.stop()


if __name__ == "__main__":
    main()
