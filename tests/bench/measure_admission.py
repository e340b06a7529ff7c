# SPDX-License-Identifier: LGPL-2.1-or-later
"""Admission of trust domains on a simulated host: how many starts are decided in a second. See bench.

The decision is measured where it is made, in the daemon's core without D-Bus and libvirt (bench-admission), and as a
host sees it: RunHook of the running daemon, with Debian sid's libvirtd, and all keys in use. There the bus carries
every call and every answer, so calls that do nothing, made in the same way in the same run, say what is its share.
"""

import os
import statistics
import subprocess
import sys
import tempfile

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [HERE, os.path.join(HERE, "..", "integration")]

from measure import settle, table  # noqa: E402
from ward_trustdomain import KEYS, URI, Guest, TrustdomainWorld, trustdomain_xml  # noqa: E402

BENCH = os.path.join(sys.argv[1], "tests/bench")
STARTS = 1000
RUNS = 7
WANTED = 10000


def run(program, *arguments):
    words = [os.path.join(BENCH, program), *(str(argument) for argument in arguments)]
    output = subprocess.run(words, stdout=subprocess.PIPE, text=True, check=True).stdout
    return [line.split() for line in output.splitlines()]


def per_second(times):
    return STARTS * 1e6 / statistics.median(int(time) for time in times)


def measure_core():
    """{"together": decisions a second, "alone": ...}"""
    with tempfile.TemporaryDirectory() as state:
        rows = run("bench-admission", state, STARTS, RUNS)
    assert all(int(admitted) == KEYS for _, _, admitted in rows)
    return {
        words: per_second(time for kind, time, _ in rows if kind == words)
        for words in ("together", "alone")
    }


def measure_bus(world):
    """Calls a second: RunHook, all refused; Ping."""
    for number in range(KEYS):
        world.define_xml(f"full-{number}", trustdomain_xml(f"full-{number}"))
        Guest(world, f"full-{number}").start()
    xmls = [trustdomain_xml(f"bench-{number:04}") for number in range(STARTS)]
    for number, xml in enumerate(xmls):
        world.define_xml(f"bench-{number:04}", xml)
    path = os.path.join(os.environ["TMPDIR"], "starts")
    with open(path, "w", encoding="ascii") as file:
        file.write("".join(xml + "\0" for xml in xmls))
    settle(world.ward)
    starts, pings = [], []
    for _ in range(RUNS):
        (start,) = run("bench-many", "starts", path, 1)
        assert start[1:] == [str(STARTS)] * 2
        starts.append(start[0])
        settle(world.ward)
        pings.append(run("bench-many", "pings", STARTS, 1)[0][0])
    return per_second(starts), per_second(pings)


def row(what, rate, compared="", result=""):
    return (what, f"{rate:,.0f}/s", compared, result, f">= {WANTED:,}/s")


def main():
    core = measure_core()
    world = TrustdomainWorld(URI).start(without=["virtlogd"])
    starts, pings = measure_bus(world)
    print(
        f"Medians of {RUNS} runs of {STARTS:,} starts on {os.cpu_count()} cores; a simulated host "
        f"with {KEYS} keys.\n"
    )
    table(
        [
            row("decided in the core, all at once", core["together"]),
            row("decided in the core, one after the other", core["alone"]),
            (
                "RunHook on the bus, all refused", f"{starts:,.0f}/s", f"{pings:,.0f}/s Ping",
                f"{pings / starts:.1f} times slower", "",
            ),
        ]
    )
    world.stop()


if __name__ == "__main__":
    main()
