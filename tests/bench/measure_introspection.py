# SPDX-License-Identifier: LGPL-2.1-or-later
"""Introspection in the lab: attaching, and reading guest memory, compared with what a stock host
offers to read it. One guest, one run; every number is the median of several. See bench."""

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

from halting import halting  # noqa: E402
from measure import bench, milliseconds, settle, table, write  # noqa: E402
from ward_processes import wait_for  # noqa: E402
from ward_sandbox import World, domain_path, domain_uuid, domain_xml  # noqa: E402

NAME = "bench-introspection"
TOOL = "/run/introspector/bench.sock"
GDB = "/run/introspector/gdb.sock"
INTROSPECTION = f'<ward:introspection><ward:socket type="unix" path="{TOOL}"/></ward:introspection>'
GDBSTUB = f"""\
<qemu:commandline xmlns:qemu='http://libvirt.org/schemas/domain/qemu/1.0'>\
<qemu:arg value='-gdb'/><qemu:arg value='unix:{GDB},server=on,wait=off'/></qemu:commandline></domain>"""
MEMORY = os.path.join(sys.argv[1], "tests/bench/bench-memory")
# Where bench-memory begins, too.
FIRST = 0x100000
PAGE = 4096
RUNS = 7
PAGES = 500
PAGES_OF_PMEMSAVE = 50
CALLS = 50


class Tool:
    """bench-memory's tool; every answer is a number of microseconds."""

    def __init__(self):
        os.makedirs(os.path.dirname(TOOL), exist_ok=True)
        self.process = subprocess.Popen(
            [MEMORY, "tool", TOOL], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        wait_for(lambda: os.path.exists(TOOL), "the tool to listen")

    def ask(self, words):
        self.process.stdin.write(words + "\n")
        self.process.stdin.flush()
        return int(self.process.stdout.readline())


class Process:
    """What settle() looks at."""

    def __init__(self, name, pid):
        self.name, self.pid = name, pid


def start_guest(world):
    xml = halting(domain_xml(NAME, INTROSPECTION, type="kvm")).replace("</domain>", GDBSTUB)
    world.define_file(NAME, write("bench-introspection.xml", xml))
    world.virsh("start", NAME)
    path = domain_path(domain_uuid(NAME))
    world.client.wait_get(path, "Introspection1.Attached", True)
    settle(Process("the guest", world.guest_pid(NAME)))
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


def measure_kvmi(tool):
    tool.ask(f"read {PAGES}")
    return statistics.median(tool.ask(f"read {PAGES}") for _ in range(RUNS)) / PAGES


def measure_pmemsave():
    file = os.path.join(os.environ["TMPDIR"], "page")
    domain = libvirt.open("qemu:///system").lookupByName(NAME)

    def run():
        start = time.monotonic()
        for number in range(PAGES_OF_PMEMSAVE):
            arguments = {"val": FIRST + number * PAGE, "size": PAGE, "filename": file}
            command = json.dumps({"execute": "pmemsave", "arguments": arguments})
            libvirt_qemu.qemuMonitorCommand(domain, command, 0)
            with open(file, "rb") as page:
                assert len(page.read()) == PAGE
        return (time.monotonic() - start) * 1e6 / PAGES_OF_PMEMSAVE

    run()
    return statistics.median(run() for _ in range(RUNS))


def measure_gdb():
    """It stops the guest, which makes the tool leave: so it comes last."""
    words = [MEMORY, "gdb", GDB, str(PAGES), str(RUNS + 1)]
    output = subprocess.run(words, capture_output=True, text=True, check=True).stdout
    return statistics.median(int(line) for line in output.splitlines()[1:]) / PAGES


def row(name, ours, theirs, what, ratio, wanted):
    return (name, milliseconds(ours), f"{milliseconds(theirs)} {what}", ratio, wanted)


def main():
    tool = Tool()
    world = World(provider="auto").start()
    path = start_guest(world)
    idle, attach, own = measure_attach(path, tool)
    settle(world.ward)
    kvmi = measure_kvmi(tool)
    pmemsave = measure_pmemsave()
    gdb = measure_gdb()
    beyond = attach - own
    print(
        f"Medians on {os.cpu_count()} emulated cores; the tool's own {milliseconds(own)} are not "
        "in attach.\n"
    )
    table(
        [
            row("attach", beyond, idle, "Ping", f"{beyond / idle:.1f} times", "<= 10 times"),
            row("a page", kvmi, gdb, "gdbstub", f"{gdb / kvmi:.1f} times faster", ">= 3 times"),
            row(
                "a page", kvmi, pmemsave, "pmemsave",
                f"{pmemsave / kvmi:.1f} times faster", ">= 20 times",
            ),
        ]
    )
    world.remove(NAME)
    world.stop()
    tool.process.terminate()


if __name__ == "__main__":
    main()
