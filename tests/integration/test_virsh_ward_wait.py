# SPDX-License-Identifier: LGPL-2.1-or-later
"""Commands of virsh-ward that wait: for a teardown, and for events."""

import json
import signal
import threading
import time

from virsh_ward_case import ALPHA, BETA, VirshWardCase
from ward_processes import PATIENCE

GIB = 1 << 30
SECOND = 1000000


class IntervalTest(VirshWardCase):
    """isolation-stats reads twice."""

    method = "Isolation1.GetStatistics"

    def setUp(self):
        super().setUp()
        self.start()

    def reading(self, time, entries, faults):
        return {"time": time, "entries-restricted": entries, "exits-fault": faults}

    def read_twice(self, first, second, *arguments):
        """Each call is held until it is there, so that which is which does not hang on time."""
        self.fake.order("hold", method=self.method)
        process = self.popen(*arguments, "isolation-stats", "alpha", "--interval", "1")
        self.wait_for_call(self.method)
        self.fake.order("release", method=self.method, value=[first])
        self.fake.order("reply", method=self.method, value=[second])
        out, error = process.communicate(timeout=PATIENCE)
        return process.returncode, out, error

    def test_rates_are_of_the_time_between_the_readings(self):
        first = self.reading(10 * SECOND, 1000, 100)
        second = self.reading(14 * SECOND, 3000, 104)
        status, out, error = self.read_twice(first, second, "--format", "json")
        self.assertEqual((status, error), (0, ""))
        shown = json.loads(out)
        self.assertEqual((shown["entriesRestricted"], shown["exitsFault"]), (3000, 104))
        self.assertEqual(shown["interval"], 4 * SECOND)
        self.assertEqual(shown["rates"]["entriesRestricted"], 500.0)
        self.assertEqual(shown["rates"]["exitsFault"], 1.0)
        self.assertAlmostEqual(shown["exitsPer100Entries"], 0.2)

    def test_people_see_them_beside_the_counters(self):
        first = self.reading(10 * SECOND, 1000, 100)
        status, out, _ = self.read_twice(first, self.reading(12 * SECOND, 2001, 100))
        self.assertEqual(status, 0)
        self.assertRegex(out, r"(?m)^Entries with: +2001 \(500\.5/s\)$")
        self.assertRegex(out, r"(?m)^Exits per 100 entries: +0\.00$")

    def test_another_guest_is_not_compared(self):
        first = self.reading(10 * SECOND, 1000, 100)
        status, out, error = self.read_twice(first, self.reading(12 * SECOND, 999, 100))
        self.assertEqual((status, out.strip()), (1, ""))
        self.assertIn("domain 'alpha' was started anew meanwhile", error)

    def test_without_the_time_there_are_no_rates(self):
        reading = {"entries-restricted": 1}
        status, out, error = self.read_twice(reading, reading)
        self.assertEqual((status, out.strip()), (1, ""))
        self.assertIn("does not tell when", error)

    def test_an_interval_is_at_least_a_second(self):
        self.assertIn("out of range", self.ward_fails("isolation-stats", "alpha", "--interval", "0"))


class TeardownWaitTest(VirshWardCase):
    def setUp(self):
        super().setUp()
        self.start()
        self.fake.order("hold", method="Teardown1.Wait")

    def release(self, phase="none"):
        if phase == "none":
            self.fake.order("set", path=ALPHA, interface="Teardown1", values={"Phase": "none"})
        self.fake.order("release", method="Teardown1.Wait", value=[phase])

    def test_it_ends_with_the_teardown(self):
        process = self.popen("teardown-wait", "alpha")
        self.assertEqual(self.wait_for_call("Teardown1.Wait"), [0])
        self.assertIsNone(process.poll())
        self.release()
        out, error = process.communicate(timeout=PATIENCE)
        self.assertEqual((process.returncode, error), (0, ""))
        self.assertIn("No teardown of domain 'alpha' is running", out)

    def test_the_limit_in_time_is_the_daemons_to_keep(self):
        self.fake.order("release", method="Teardown1.Wait", value=["none"])
        self.fake.order(
            "fail",
            method="Teardown1.Wait",
            name="org.virtward.Error.TimedOut",
            message="the teardown of domain 'alpha' still runs",
        )
        self.assertIn("still runs", self.ward_fails("teardown-wait", "alpha", "--timeout", "5"))
        self.assertEqual(self.fake.calls("Teardown1.Wait"), [("Teardown1.Wait", [5])])
        self.assertIn("out of range", self.ward_fails("teardown-wait", "alpha", "--timeout", "0"))

    def test_an_interrupted_teardown_is_an_error(self):
        process = self.popen("teardown-wait", "alpha")
        self.wait_for_call("Teardown1.Wait")
        self.release("interrupted")
        _, error = process.communicate(timeout=PATIENCE)
        self.assertEqual(process.returncode, 1)
        self.assertIn("error: the teardown of domain 'alpha' was interrupted", error)

    def test_a_guest_that_stays_set_aside_is_an_error(self):
        process = self.popen("teardown-wait", "alpha")
        self.wait_for_call("Teardown1.Wait")
        self.release("set-aside")
        _, error = process.communicate(timeout=PATIENCE)
        self.assertEqual(process.returncode, 1)
        self.assertIn("error: domain 'alpha' has an old guest set aside that nobody", error)

    def test_json_tells_the_phase_it_ended_in(self):
        process = self.popen("--format", "json", "teardown-wait", "alpha")
        self.wait_for_call("Teardown1.Wait")
        self.release()
        out, _ = process.communicate(timeout=PATIENCE)
        self.assertEqual(
            json.loads(out), {"simulated": False, "domain": "alpha", "phase": "none"}
        )

    def test_control_c_ends_the_wait_and_not_the_teardown(self):
        process = self.popen("teardown-wait", "alpha")
        self.wait_for_call("Teardown1.Wait")
        process.send_signal(signal.SIGINT)
        out, error = process.communicate(timeout=PATIENCE)
        self.assertEqual(process.returncode, 130)
        self.assertIn("the teardown of domain 'alpha' goes on", error)
        self.assertEqual(self.fake.calls("Teardown1.Cancel", "Job1.Cancel"), [])

    def test_a_daemon_that_dies_ends_the_wait(self):
        process = self.popen("teardown-wait", "alpha")
        self.wait_for_call("Teardown1.Wait")
        self.fake.kill()
        _, error = process.communicate(timeout=PATIENCE)
        self.assertEqual(process.returncode, 1)
        self.assertIn("ended before it answered", error)

    def test_without_a_terminal_there_is_no_bar(self):
        process = self.popen("teardown-wait", "alpha")
        self.wait_for_call("Teardown1.Wait")
        self.progress(0.75)
        self.release()
        out, error = process.communicate(timeout=PATIENCE)
        self.assertNotIn("[=", out + error)

    def progress(self, part):
        values = {"BytesDone": int(GIB * part), "BytesTotal": GIB}
        self.fake.order("set", path=ALPHA, interface="Teardown1", values=values)

    def test_a_terminal_shows_a_bar_that_grows(self):
        terminal = self.terminal("teardown-wait", "alpha")
        terminal.expect(r"\rTeardown: \[=+ +\]  50 %")
        self.wait_for_call("Teardown1.Wait")
        self.progress(0.75)
        terminal.expect(r"\rTeardown: \[=+ +\]  75 %")
        self.release()
        terminal.expect(r"\rTeardown: \[=+\] 100 %[^\n]*\r\nNo teardown")
        self.assertEqual(terminal.finish(), 0)

    def test_control_c_on_a_terminal_leaves_a_clean_line(self):
        terminal = self.terminal("teardown-wait", "alpha")
        terminal.expect("50 %")
        self.wait_for_call("Teardown1.Wait")
        terminal.type("\x03")
        terminal.expect(r"\r\nwait interrupted: the teardown of domain 'alpha' goes on\r\n")
        self.assertEqual(terminal.finish(), 130 << 8)

    def test_quiet_shows_no_bar(self):
        terminal = self.terminal("-q", "teardown-wait", "alpha")
        self.wait_for_call("Teardown1.Wait")
        self.progress(0.75)
        self.release()
        self.assertEqual(terminal.finish(), 0)
        self.assertEqual(terminal.seen, "")

    def test_a_teardown_of_unknown_size_shows_no_numbers(self):
        values = {"BytesDone": 0, "BytesTotal": 0}
        self.fake.order("set", path=ALPHA, interface="Teardown1", values=values)
        terminal = self.terminal("teardown-wait", "alpha")
        terminal.expect("Teardown: under way, size unknown")
        self.wait_for_call("Teardown1.Wait")
        self.release()
        self.assertEqual(terminal.finish(), 0)
        self.assertNotIn("%", terminal.seen)

    def test_in_a_session_control_c_ends_the_wait_alone(self):
        terminal = self.terminal("-c", "test:///default")
        terminal.expect("virsh # ")
        terminal.type("teardown-wait alpha\n")
        terminal.expect("50 %")
        self.wait_for_call("Teardown1.Wait")
        terminal.type("\x03")
        terminal.expect("wait interrupted")
        terminal.expect("virsh # ")
        terminal.type("quit\n")
        self.assertEqual(terminal.finish(), 0)


class EventsTest(VirshWardCase):
    SIGNALS = [
        (
            "Teardown1",
            "Started",
            [GIB],
            "event 'teardown-started' for domain 'alpha': size 1.000 GiB",
        ),
        (
            "Teardown1",
            "Finished",
            [1500000],
            "event 'teardown-finished' for domain 'alpha': took 1.500 s",
        ),
        (
            "Teardown1",
            "Interrupted",
            [0],
            "event 'teardown-interrupted' for domain 'alpha': left 0 B",
        ),
        (
            "Teardown1",
            "Failed",
            ["the Ultravisor refused", 258, 772],
            "event 'teardown-failed' for domain 'alpha': reason the Ultravisor refused",
        ),
        (
            "TrustDomain1",
            "LifeChanged",
            ["building", "running"],
            "event 'trustdomain-life-changed' for domain 'alpha': was building, is running",
        ),
        (
            "Introspection1",
            "Hooked",
            ["unix:/run/x"],
            "event 'introspection-hooked' for domain 'alpha': socket unix:/run/x",
        ),
        (
            "Introspection1",
            "Unhooked",
            ["detach"],
            "event 'introspection-unhooked' for domain 'alpha': cause detach",
        ),
        (
            "Introspection1",
            "PeerGone",
            ["pause"],
            "event 'introspection-peer-gone' for domain 'alpha': action pause",
        ),
        (
            "Isolation1",
            "Violation",
            [3],
            "event 'isolation-violation' for domain 'alpha': violations 3",
        ),
    ]

    def setUp(self):
        super().setUp()
        self.start()

    def emit(self, interface, signal_name, arguments, path=ALPHA):
        self.fake.order(
            "emit", path=path, interface=interface, signal=signal_name, arguments=arguments
        )

    def status(self, value, path=ALPHA):
        self.fake.order("set", path=path, interface="Domain1", values={"Status": value})

    def end(self, process):
        """(stdout, stderr): what is left of them. communicate() would not see what readline() has
        already taken from the pipe."""
        out, error = process.stdout.read(), process.stderr.read()
        process.wait(PATIENCE)
        return out, error

    def until_heard(self, process, act):
        """Does it again and again until the process prints a line; returns the line."""
        lines = []
        reader = threading.Thread(target=lambda: lines.append(process.stdout.readline()))
        reader.start()
        end = time.monotonic() + PATIENCE
        while reader.is_alive() and time.monotonic() < end:
            act()
            reader.join(0.02)
        self.assertFalse(reader.is_alive(), "nothing was heard")
        return lines[0]

    def test_every_signal_has_its_event(self):
        for interface, name, arguments, line in self.SIGNALS:
            with self.subTest(name):
                process = self.popen("protection-events")
                heard = self.until_heard(process, lambda: self.emit(interface, name, arguments))
                self.assertEqual(heard, line + "\n")
                rest, error = self.end(process)
                self.assertEqual((process.returncode, error), (0, ""))
                self.assertEqual(rest, "events received: 1\n\n")

    def test_the_list_has_every_event(self):
        names = self.ward_ok("-q", "protection-events", "--list").split()
        for *_, line in self.SIGNALS:
            self.assertIn(line.split("'")[1], names)
        self.assertIn("protection-status", names)
        self.assertEqual(
            json.loads(self.ward_ok("--format", "json", "protection-events", "--list"))["events"],
            names,
        )

    def test_a_change_of_status_is_an_event(self):
        process = self.popen("protection-events", "--event", "protection-status")
        heard = self.until_heard(process, lambda: self.status("failed"))
        self.assertEqual(heard, "event 'protection-status' for domain 'alpha': status failed\n")
        self.end(process)

    def test_other_events_and_domains_are_left_out(self):
        process = self.popen(
            "protection-events", "beta two", "--event", "protection-status", "--loop"
        )

        def act():
            self.emit("Isolation1", "Violation", [1], BETA)
            self.status("failed")
            self.status("pending", BETA)

        heard = self.until_heard(process, act)
        process.send_signal(signal.SIGINT)
        out, _ = self.end(process)
        lines = (heard + out).splitlines()
        self.assertEqual(
            {line for line in lines if line.startswith("event '")},
            {"event 'protection-status' for domain 'beta two': status pending"},
        )
        self.assertIn("event loop interrupted", lines)
        self.assertEqual(process.returncode, 0)

    def test_json_is_one_document_a_line(self):
        process = self.popen("--format", "json", "protection-events", "--loop")
        heard = self.until_heard(process, lambda: self.emit("Isolation1", "Violation", [3]))
        process.send_signal(signal.SIGINT)
        out, _ = self.end(process)
        for line in (heard + out).splitlines():
            event = json.loads(line)
            self.assertRegex(event.pop("time"), r"^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d{3}\+0000$")
            self.assertEqual(
                event,
                {
                    "simulated": False,
                    "event": "isolation-violation",
                    "domain": "alpha",
                    "violations": 3,
                },
            )

    def test_timestamps_are_virshs(self):
        process = self.popen("protection-events", "--timestamp")
        heard = self.until_heard(process, lambda: self.status("failed"))
        self.assertRegex(
            heard, r"^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d{3}\+0000: event 'protection-status' for"
        )
        self.end(process)

    def test_without_an_event_the_timeout_is_a_failure(self):
        result = self.ward("protection-events", "--timeout", "1")
        self.assertEqual(result.returncode, 1)
        self.assertEqual(result.stdout, "event loop timed out\nevents received: 0\n\n")

    def test_an_unknown_event_or_domain_is_an_error(self):
        self.assertIn("unknown event type x", self.ward_fails("protection-events", "--event", "x"))
        self.assertIn("there is no domain", self.ward_fails("protection-events", "nosuch"))

    def test_it_listens_on_when_the_daemon_comes_back(self):
        process = self.popen("protection-events", "--loop", "--timestamp")
        self.until_heard(process, lambda: self.status("failed"))
        self.fake.kill()
        self.assertIn("has left the bus", process.stderr.readline())
        self.start()
        heard = self.until_heard(process, lambda: self.emit("Isolation1", "Violation", [9]))
        while "isolation-violation" not in heard:
            heard = process.stdout.readline()
        process.send_signal(signal.SIGINT)
        self.end(process)
        self.assertEqual(process.returncode, 0)
