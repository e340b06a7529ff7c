# SPDX-License-Identifier: LGPL-2.1-or-later
"""Teardowns that go well, go wrong, and are met by a daemon that has just started.

libvirt, QEMU and the bus are real; what the kernel and the Ultravisor do is the simulated machine's."""

import subprocess

from ward_bus import BusError
from ward_sandbox import DAEMON, WorldTestCase

ASYNC = '<ward:teardown onReboot="async"/>'
REFUSED = (
    "the Ultravisor refused to end the old guest (rc 0x0102, rrc 0x0304); "
    "the memory that was donated for it is lost"
)
REFUSAL = 0x01020304
EOPNOTSUPP = 95
LONG = 2048  # MiB; 64 seconds of the simulated machine's, for what must not end meanwhile


class TeardownCase(WorldTestCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        # The test says when it runs again.
        cls.world.forbid_activation()

    def start(self, name, memory=64):
        path = self.define(name, ASYNC, memory=memory)
        self.world.virsh("start", name)
        self.client.wait_get(path, "Teardown1.Status", "active")
        return path

    def reset_once(self, name):
        """The BIOS of a guest that runs would reset it once more, and begin a teardown again."""
        self.world.virsh("suspend", name)
        self.world.virsh("reset", name)

    def listed(self, name):
        teardowns = self.world.ward_json("teardown-list")["teardowns"]
        return next(entry for entry in teardowns if entry["name"] == name)

    def phases(self, record, path):
        """All that were signalled, in their order."""
        return [
            arguments[1]["Phase"]
            for where, signal, arguments in record
            if (where, signal) == (path, "Properties.PropertiesChanged")
            and "Phase" in arguments[1]
        ]


class FailureTest(TeardownCase):
    def test_a_refusal_of_the_ultravisor_is_told(self):
        path = self.start("refused")
        self.world.change_machine("refused", teardown_refusal=REFUSAL)
        self.client.wait_get(path, "Teardown1.Status", "active")
        record = self.client.record()
        self.reset_once("refused")
        self.assertEqual(
            self.client.wait_signal(record, "Teardown1.Failed", path), (REFUSED, 0x0102, 0x0304)
        )
        self.assertEqual(
            self.client.wait_signal(record, "Job1.Finished"), ("failed", REFUSED)
        )
        self.assertNotIn("Teardown1.Finished", [signal for _, signal, _ in record])
        self.client.wait_get(path, "Teardown1.LastError", REFUSED)
        self.assertEqual(self.client.get(path, "Domain1.Status"), "protected")
        self.assertEqual(self.listed("refused")["lastError"], REFUSED)
        self.assertRegex(
            self.world.virsh_ward("teardown-list").stdout, r"(?m)^ refused .* none .* failed$"
        )
        self.assertIn(REFUSED, self.world.virsh_ward("protection-info", "refused").stdout)

    def test_whoever_waits_for_it_is_told(self):
        path = self.start("waited", memory=256)
        self.world.change_machine("waited", teardown_refusal=REFUSAL)
        self.client.wait_get(path, "Teardown1.Status", "active")
        record = self.client.record()
        self.reset_once("waited")
        self.client.wait_signal(record, "Teardown1.Started", path)
        result = self.world.virsh_ward("teardown-wait", "waited", check=False)
        self.assertEqual(result.returncode, 1)
        self.assertIn(f"error: domain 'waited': {REFUSED}", result.stderr)


class SetAsideTest(TeardownCase):
    def test_what_qemu_forgets_the_daemon_performs(self):
        path = self.start("forgotten")
        self.world.change_machine("forgotten", teardown_forgets="true")
        self.client.wait_get(path, "Teardown1.Status", "active")
        record = self.client.record()
        self.reset_once("forgotten")
        self.client.wait_signal(record, "Teardown1.Finished", path)
        self.client.wait_get(path, "Teardown1.Phase", "none")
        self.assertEqual(self.phases(record, path), ["set-aside", "running", "none"])
        self.assertEqual(self.client.wait_signal(record, "Job1.Finished"), ("completed", ""))

    def test_what_nobody_can_perform_stays_visible(self):
        path = self.start("stuck")
        self.world.change_machine("stuck", teardown_forgets="true", teardown_perform_errno=EOPNOTSUPP)
        self.client.wait_get(path, "Teardown1.Status", "active")
        self.reset_once("stuck")
        self.client.wait_get(path, "Teardown1.Phase", "set-aside")
        result = self.world.virsh_ward("teardown-wait", "stuck", check=False)
        self.assertEqual(result.returncode, 1)
        self.assertIn("set aside that nobody tears down", result.stderr)
        self.assertRegex(
            self.world.virsh_ward("teardown-list").stdout, r"(?m)^ stuck +active .* set-aside +- "
        )
        reason = self.listed("stuck")["reason"]
        self.assertIn("virtward cannot tear it down: Operation not supported", reason)
        self.assertIn(reason, self.world.virsh_ward("protection-info", "stuck").stdout)

    def test_a_daemon_that_has_just_started_performs_it(self):
        path = self.start("met")
        self.world.change_machine("met", teardown_forgets="true", teardown_perform_errno=EOPNOTSUPP)
        self.client.wait_get(path, "Teardown1.Status", "active")
        self.reset_once("met")
        self.client.wait_get(path, "Teardown1.Phase", "set-aside")
        self.world.change_machine("met", teardown_perform_errno="0")
        self.client.wait_get(path, "Teardown1.Phase", "none")
        self.assertGreater(self.client.get(path, "Teardown1.LastDuration"), 0)


class RestartTest(TeardownCase):
    def test_a_running_teardown_is_a_job_again_and_can_be_ended(self):
        path = self.start("again", memory=LONG)
        record = self.client.record()
        self.reset_once("again")
        self.client.wait_signal(record, "Teardown1.Started", path)
        self.world.ward.kill()
        self.world.ward.start()
        self.client.wait_get(path, "Teardown1.Phase", "running")
        (job,) = self.world.ward_json("job-list")["jobs"]
        self.assertEqual((job["operation"], job["domain"]), ("teardown", "again"))
        self.assertEqual(job["total"], LONG << 20)
        self.assertGreater(job["done"], 0)
        self.assertTrue(job["cancellable"])
        self.world.virsh_ward("job-cancel", str(job["id"]))
        left = self.client.wait_signal(record, "Teardown1.Interrupted", path)[0]
        self.assertGreater(left, 0)
        self.assertEqual(self.client.wait_signal(record, "Job1.Finished"), ("cancelled", ""))
        result = self.world.virsh_ward("teardown-wait", "again", check=False)
        self.assertIn("was interrupted", result.stderr)

    def test_what_was_ended_stays_so(self):
        path = self.start("ended", memory=LONG)
        record = self.client.record()
        self.reset_once("ended")
        self.client.wait_signal(record, "Teardown1.Started", path)
        self.client.call(path, "Teardown1.Cancel")
        self.client.wait_get(path, "Teardown1.Phase", "interrupted")
        self.world.ward.kill()
        self.world.ward.start()
        self.client.wait_get(path, "Teardown1.Phase", "interrupted")
        self.assertEqual(self.client.get(path, "Teardown1.Job"), "/")
        self.assert_bus_error("InvalidState", self.client.call, path, "Teardown1.Cancel")


class LimitTest(TeardownCase):
    options = ("--max-teardowns", "1", "--teardown-cpu-weight", "50")

    def begin_long(self, name):
        """A teardown that takes the only place."""
        path = self.start(name, memory=LONG)
        record = self.client.record()
        self.reset_once(name)
        self.client.wait_signal(record, "Teardown1.Started", path)
        return path

    def has_rebooted(self, name, path):
        """libvirt tells one after the other: the daemon knows of the reset when it knows of this."""
        self.world.virsh("resume", name)
        self.client.wait_get(path, "Domain1.State", "running")

    def wait_reason(self, path, word):
        seen = ""

        def has_it():
            nonlocal seen
            try:
                seen = self.client.get(path, "Teardown1.Reason")
            except BusError:  # a daemon that has just started has not read the domain yet
                return False
            return word in seen

        try:
            self.wait_for(has_it, word)
        except AssertionError as error:
            phase = self.client.get(path, "Teardown1.Phase")
            raise AssertionError(f"{error}; it is {phase}, {seen!r}") from None

    def test_while_one_runs_the_others_reboot_synchronously(self):
        other = self.start("other")
        first = self.begin_long("first")
        self.wait_reason(other, "(1): until one ends, this domain's reboots are synchronous")
        self.assertEqual(self.client.get(first, "Teardown1.Reason"), "")
        self.assertEqual(self.client.get(other, "Teardown1.Status"), "active")
        record = self.client.record()
        self.reset_once("other")
        self.has_rebooted("other", other)
        self.assertEqual(self.client.get(other, "Teardown1.Phase"), "none")
        self.client.call(first, "Teardown1.Cancel")
        self.client.wait_get(other, "Teardown1.Reason", "")
        self.assertEqual(self.phases(record, other), [])
        self.reset_once("other")
        self.client.wait_signal(record, "Teardown1.Started", other)

    def test_the_daemons_own_work_waits_for_a_place(self):
        late = self.start("late")
        self.world.change_machine(
            "late", teardown_forgets="true", teardown_perform_errno=EOPNOTSUPP
        )
        self.client.wait_get(late, "Teardown1.Status", "active")
        self.reset_once("late")
        self.wait_reason(late, "virtward cannot tear it down")
        first = self.begin_long("long")
        self.world.change_machine("late", teardown_perform_errno=0)
        self.wait_reason(late, "(1): until one ends, the old guest that QEMU has left set aside")
        self.assertEqual(self.client.get(late, "Teardown1.Phase"), "set-aside")
        self.assertEqual(self.client.get(first, "Teardown1.Phase"), "running")
        record = self.client.record()
        self.client.call(first, "Teardown1.Cancel")
        self.client.wait_signal(record, "Teardown1.Finished", late)
        self.client.wait_get(late, "Teardown1.Phase", "none")

    def test_a_running_teardown_gets_its_weight(self):
        self.begin_long("weighed")
        self.wait_for(
            lambda: self.world.machine_of("weighed").get("teardown-weight") == "50", "the weight"
        )

    def test_a_limit_that_is_none_is_an_error(self):
        for option, value in (
            ("--max-teardowns", "-1"),
            ("--max-teardowns", "many"),
            ("--max-teardowns", "99999999999"),
            ("--teardown-cpu-weight", "-1"),
            ("--teardown-cpu-weight", "10001"),
        ):
            with self.subTest(option=option, value=value):
                result = subprocess.run(
                    [DAEMON, option, value], capture_output=True, text=True, check=False
                )
                self.assertEqual(result.returncode, 1)
                self.assertIn(option, result.stderr)
