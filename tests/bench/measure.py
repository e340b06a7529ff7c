# SPDX-License-Identifier: LGPL-2.1-or-later
"""Compares virtwardd with libvirt-dbus in the same run, and measures the hook. See bench.

Both have the same 1,000 domains, first in libvirt's test driver, inside their own process, then in
one libvirtd. Every number is the median of several runs in several processes.
"""

import os
import statistics
import subprocess
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "integration"))

from gi.repository import GLib  # noqa: E402

from ward_processes import Daemon, rss_kib, wait_for  # noqa: E402
from ward_sandbox import DAEMON, HOOK, World, domain_path, domain_uuid, domain_xml  # noqa: E402

DOMAINS = 1000
RUNS = 7
# Where its libraries lie, which nobody chooses, makes 4 % of a process's memory.
PROCESSES = 5
PROTECTION = (
    '<ward:teardown onReboot="async" enforcement="preferred"/>'
    '<ward:trustdomain enforcement="preferred"/>'
    '<ward:introspection enforcement="preferred" onDisconnect="retry">'
    '<ward:socket type="unix" path="/run/introspector/vm.sock"/>'
    "</ward:introspection>"
    '<ward:isolation state="on" enforcement="preferred"/>'
)
UNIT = "/usr/lib/systemd/system/virtwardd.service"
CLIENT = os.path.join(sys.argv[1], "tests/bench/bench-client")


def bench(*arguments):
    """Median microseconds, and the number of objects seen in each run."""
    words = [CLIENT, *(str(argument) for argument in arguments)]
    output = subprocess.run(words, capture_output=True, text=True, check=True).stdout
    rows = [[int(word) for word in line.split()] for line in output.splitlines()]
    return statistics.median(row[0] for row in rows), rows[0][1]


def names():
    return [f"bench-{number:04}" for number in range(DOMAINS)]


# The test driver runs the domains of its file unless told otherwise; 5 is VIR_DOMAIN_SHUTOFF.
SHUTOFF = (
    '<test:runstate xmlns:test="http://libvirt.org/schemas/domain/test/1.0">5</test:runstate>'
    "</domain>"
)


def domains(inner):
    return [domain_xml(name, inner, type="test") for name in names()]


def node(xmls):
    """A file of the test driver's, with the domains defined and shut off."""
    stopped = [xml.replace("</domain>", SHUTOFF) for xml in xmls]
    return write("node.xml", "<node>" + "".join(stopped) + "</node>")


def write(name, text):
    path = os.path.join(os.environ["TMPDIR"], name)
    with open(path, "w", encoding="utf-8") as file:
        file.write(text)
    return path


def libvirt_dbus(world):
    user = ["setpriv", "--reuid=libvirtdbus", "--regid=libvirtdbus", "--clear-groups"]
    return Daemon(
        "libvirt-dbus",
        [*user, "/usr/sbin/libvirt-dbus", "--system"],
        lambda: world.client.has_owner("org.libvirt"),
    ).start()


def define_in_libvirt_dbus(world, xmls):
    """In the test driver inside libvirt-dbus."""
    for xml in xmls:
        world.client.raw_call(
            "org.libvirt",
            "/org/libvirt/Test",
            "org.libvirt.Connect",
            "DomainDefineXML",
            GLib.Variant("(s)", (xml,)),
        )


def unit_environment():
    """What systemd would start the daemon with. Its log would go to the journal, as it is; here it must not be converted
    either, for which GLib loads iconv."""
    with open(UNIT, encoding="utf-8") as unit:
        settings = [line.strip().partition("=") for line in unit]
    found = dict(value.split("=", 1) for name, _, value in settings if name == "Environment")
    return {"CHARSET": "UTF-8", **found}


def virtward(world, uri, protected):
    """Starts virtwardd; returns it, and the seconds until it has told of every domain."""
    paths = write("paths", "".join(domain_path(domain_uuid(name)) + "\n" for name in names()))
    shown = ["org.virtward.Isolation1" if protected else "org.virtward.Domain1", "Status"]
    daemon = Daemon(
        "virtwardd",
        [DAEMON, "--uri", uri, "--provider", "simulated" if protected else "stock"],
        lambda: bench("appear", "org.virtward", paths, *shown, 1),
        env=unit_environment(),
    )
    start = time.monotonic()
    daemon.start()
    return daemon, time.monotonic() - start


def settle(daemon):
    """Waits until the daemon has nothing left to do: what is measured is its answers."""

    def used():
        with open(f"/proc/{daemon.pid}/stat", encoding="ascii") as stat:
            return sum(int(word) for word in stat.read().rpartition(")")[2].split()[11:13])

    def quiet():
        before = used()
        time.sleep(0.5)
        return used() == before

    wait_for(quiet, f"{daemon.name} to be idle")


def measure_theirs(world, daemon, root):
    """root: libvirt-dbus's object for the connection that has the domains."""
    target = ("org.libvirt", root, "org.libvirt.Connect", "org.libvirt.Domain")
    inventory, count = bench("each", *target, RUNS)
    path = world.client.raw_call(
        "org.libvirt",
        root,
        "org.libvirt.Connect",
        "DomainLookupByName",
        GLib.Variant("(s)", (names()[0],)),
    )[0]
    name, _ = bench("property", "org.libvirt", path, "org.libvirt.Domain", "Name", 1000)
    result = {"inventory": inventory, "count": count, "rss": rss_kib(daemon.pid), "property": name}
    daemon.stop()
    return result


def measure_ours(world, uri, protected):
    daemon, started = virtward(world, uri, protected)
    settle(daemon)
    inventory, count = bench("managed", "org.virtward", "/org/virtward", RUNS)
    path = domain_path(domain_uuid(names()[0]))
    name, _ = bench("property", "org.virtward", path, "org.virtward.Domain1", "Name", 1000)
    result = {
        "inventory": inventory,
        "count": count,
        "rss": rss_kib(daemon.pid),
        "property": name,
        "start": started * 1e6,
    }
    daemon.stop()
    return result


def medians(measure, *arguments):
    results = [measure(*arguments) for _ in range(PROCESSES)]
    return {key: statistics.median(result[key] for result in results) for key in results[0]}


def measure_theirs_with(world, xmls):
    daemon = libvirt_dbus(world)
    define_in_libvirt_dbus(world, xmls)
    return measure_theirs(world, daemon, "/org/libvirt/Test")


def compare_in_test_driver(world, inner, words):
    """Each daemon has the domains in its own process: what is compared is the daemons alone."""
    xmls = domains(inner)
    theirs = medians(measure_theirs_with, world, xmls)
    ours = medians(measure_ours, world, "test://" + node(xmls), inner is not None)
    return compare(ours, theirs, words)


def compare_on_libvirtd(world, inner, words):
    """Both ask one libvirtd, whose QEMU driver has the domains: what a host has."""
    import libvirt

    if not world.libvirtd.running:
        world.libvirtd.start()
    connection = libvirt.open("qemu:///system")
    for name in names():
        connection.defineXML(domain_xml(name, inner))
    connection.close()
    theirs = medians(lambda: measure_theirs(world, libvirt_dbus(world), "/org/libvirt/QEMU"))
    ours = medians(measure_ours, world, "qemu:///system", inner is not None)
    return compare(ours, theirs, words)


def measure_hook(world):
    name = "bench-hook"
    plain = write("plain.xml", domain_xml(name))
    ward = write("ward.xml", domain_xml(name, '<ward:isolation state="on"/>'))
    hook = [HOOK, name, "start", "begin", "-"]
    result = {
        "true": bench("spawn", plain, 300, "/bin/true")[0],
        "fast": bench("spawn", plain, 300, *hook)[0],
    }
    world.uri = "qemu:///system"
    world.define(name, '<ward:isolation state="on"/>')
    daemon = world.ward.start()
    world.client.wait_get(domain_path(domain_uuid(name)), "Domain1.Status", "pending")
    result["call"] = bench("hook", name, ward, 100)[0]
    result["slow"] = bench("spawn", ward, 100, *hook)[0]
    daemon.stop()
    return result


def table(rows):
    head = ("", "virtward", "compared", "result", "wanted")
    rows = [head, *rows]
    widths = [max(len(row[column]) for row in rows) for column in range(len(head))]
    for number, row in enumerate(rows):
        print("  ".join(cell.ljust(width) for cell, width in zip(row, widths)).rstrip())
        if number == 0:
            print("-" * (sum(widths) + 2 * len(widths) - 2))


def milliseconds(value):
    return f"{value / 1000:.2f} ms"


def main():
    world = World()
    world.start(without=["libvirtd", "virtwardd"])
    rows = []
    for inner, words in ((None, "plain"), (PROTECTION, "all with four protections")):
        rows += compare_in_test_driver(world, inner, words)
    for inner, words in ((None, "plain"), (PROTECTION, "four protections")):
        rows += compare_on_libvirtd(world, inner, f"libvirtd, {words}")
    rows += judge_hook(measure_hook(world))
    print(f"Medians on {os.cpu_count()} cores; compared: libvirt-dbus for daemons, else as named.\n")
    table(rows)
    world.stop()


def compare(ours, theirs, words):
    faster = theirs["inventory"] / ours["inventory"]
    lookup = theirs["property"] / ours["property"]
    memory = ours["rss"] / theirs["rss"]
    return [
        (
            f"inventory of 1,000, {words}",
            milliseconds(ours["inventory"]),
            milliseconds(theirs["inventory"]),
            f"{faster:.1f} times faster",
            ">= 20 times",
        ),
        (
            f"memory, {words}",
            f"{ours['rss'] / 1024:.1f} MiB",
            f"{theirs['rss'] / 1024:.1f} MiB",
            f"{memory:.2f} times as much",
            "<= 1 time",
        ),
        (
            f"one property, {words}",
            f"{ours['property']:.0f} us",
            f"{theirs['property']:.0f} us",
            f"{lookup:.2f} times faster",
            ">= 1 time",
        ),
        (f"start with 1,000, {words}", milliseconds(ours["start"]), "", "", "< 1 s"),
    ]


def judge_hook(hook):
    return [
        (
            "hook, no protection wanted",
            milliseconds(hook["fast"]),
            milliseconds(hook["true"]) + " /bin/true",
            "+" + milliseconds(hook["fast"] - hook["true"]),
            "< +3 ms",
        ),
        (
            "hook, isolation wanted",
            milliseconds(hook["slow"]),
            milliseconds(hook["call"]) + " RunHook",
            "+" + milliseconds(hook["slow"] - hook["call"]),
            "< +25 ms",
        ),
    ]


if __name__ == "__main__":
    main()
