# SPDX-License-Identifier: LGPL-2.1-or-later
"""Commands of virsh-ward: what they ask of the daemon, and how they tell its answers."""

import subprocess

from virsh_ward_case import ALPHA, HOST, JOB, PROGRAM, VirshWardCase
from ward_processes import PATIENCE

NS = "http://virtward.org/schemas/domain/1.0"
XML = f'<ward:protection xmlns:ward="{NS}"><ward:isolation state="on"/></ward:protection>'

# One of each, with what makes it succeed.
STATE = [
    ["protection-capabilities"],
    ["protection-list"],
    ["protection-info", "alpha"],
    ["protection-validate", "--xml", XML],
    ["teardown-list"],
    ["trustdomain-capacity"],
    ["trustdomain-info", "alpha"],
    ["introspection-info", "alpha"],
    ["isolation-stats", "alpha"],
    ["job-list"],
]
CHANGES = [
    ["protection-set", "alpha", "--xml", XML],
    ["protection-clear", "alpha"],
    ["introspection-attach", "alpha"],
    ["introspection-detach", "alpha"],
    ["isolation-set", "alpha", "on"],
    ["job-cancel", "7"],
]


class AnswersTest(VirshWardCase):
    """A daemon with an answer to everything."""

    def setUp(self):
        super().setUp()
        self.start()
        self.fake.order("reply", method="Host1.ValidateProtection", value=[["no TDX here"]])
        self.fake.order("reply", method="Host1.GetTrustDomainCapacity", value=[{"total": 15}])
        self.fake.order("reply", method="Domain1.GetProtection", value=[XML])
        self.fake.order(
            "reply", method="Isolation1.GetStatistics", value=[{"entries-restricted": 12345}]
        )


class StateTest(AnswersTest):
    def test_capabilities_name_provider_and_reason(self):
        out = self.ward_ok("protection-capabilities")
        self.assertRegex(out, r"(?m)^ Protection +Supported +Provider +Reason$")
        self.assertRegex(out, r"(?m)^ trustdomain +no +stock +no TDX on this host$")
        rows = [line.split()[0] for line in out.splitlines()[2:6]]
        self.assertEqual(rows, ["teardown", "trustdomain", "introspection", "isolation"])

    def test_list_shows_protected_domains_and_with_all_the_others(self):
        self.assertEqual(
            self.ward_ok("protection-list").splitlines()[2].split(),
            ["alpha", "running", "protected", "active", "active", "active", "active"],
        )
        self.assertNotIn("beta", self.ward_ok("protection-list"))
        self.assertRegex(self.ward_ok("protection-list", "--all"), "beta two +shutoff +unprotected")

    def test_list_shows_what_is_still_in_force(self):
        values = {"Status": "unprotected"}
        self.fake.order("set", path=ALPHA, interface="Domain1", values=values)
        self.assertRegex(self.ward_ok("protection-list"), "alpha +running +unprotected +active")

    def test_quiet_leaves_the_rows(self):
        out = self.ward_ok("-q", "protection-list")
        self.assertEqual(len(out.splitlines()), 2)
        self.assertTrue(out.startswith(" alpha"))

    def test_list_as_json_has_everything_by_name(self):
        found = {entry["name"]: entry for entry in self.ward_json("protection-list")["domains"]}
        self.assertEqual(set(found), {"alpha", "evil\x1b[31m"})
        self.assertEqual(found["alpha"]["teardown"], "active")
        self.assertEqual(found["alpha"]["uuid"], "00000000-0000-0000-0000-00000000000a")

    def test_texts_from_outside_do_not_reach_the_terminal_raw(self):
        for command in (["protection-list"], ["protection-info", "evil\x1b[31m"]):
            result = self.ward(*command)
            self.assertNotIn("\x1b", result.stdout + result.stderr)
            self.assertIn("\\x1b[31m", result.stdout)

    def test_info_shows_domain_and_protections(self):
        out = self.ward_ok("protection-info", "alpha")
        self.assertRegex(out, r"(?m)^Name: +alpha$")
        self.assertRegex(out, r"(?m)^Status: +protected$")
        self.assertRegex(out, r"(?m)^ teardown +active +running +required +control +-$")
        self.assertRegex(out, r"(?m)^ introspection +active +attached ")

    def test_info_as_json_has_all_properties(self):
        info = self.ward_json("protection-info", "alpha")
        self.assertEqual(info["status"], "protected")
        self.assertEqual(info["protections"]["teardown"]["bytesTotal"], 1 << 30)
        self.assertEqual(info["protections"]["introspection"]["allowedCommands"], ["get-registers"])
        self.assertIs(info["protections"]["introspection"]["attached"], True)
        self.assertEqual(self.ward_json("protection-info", "beta two")["protections"], {})

    def test_info_takes_uuid_and_name_with_blank(self):
        self.assertIn("beta two", self.ward_ok("protection-info", "beta two"))
        uuid = "00000000-0000-0000-0000-00000000000b"
        self.assertIn("beta two", self.ward_ok("protection-info", "--domain", uuid))

    def test_info_prints_the_element_as_it_is(self):
        self.assertEqual(self.ward_ok("-q", "protection-info", "alpha", "--xml"), XML + "\n")
        self.ward_ok("protection-info", "alpha", "--xml", "--config")
        flags = [arguments for _, arguments in self.fake.calls("Domain1.GetProtection")]
        self.assertEqual(flags, [[0], [2]])
        self.assertEqual(self.ward_json("protection-info", "alpha", "--xml")["xml"], XML)

    def test_info_refuses_options_that_say_nothing(self):
        self.assertIn("--xml", self.ward_fails("protection-info", "alpha", "--config"))
        self.assertIn(
            "exclusive", self.ward_fails("protection-info", "alpha", "--xml", "--live", "--config")
        )

    def test_an_unknown_domain_is_an_error(self):
        result = self.ward("protection-info", "nosuch")
        self.assertEqual(result.returncode, 1)
        self.assertEqual(result.stderr, "error: there is no domain 'nosuch'\n")
        self.assertEqual(result.stdout, "\n")

    def test_a_protection_the_domain_lacks_is_an_error(self):
        for command, noun in (
            ("teardown-wait", "teardown"),
            ("trustdomain-info", "trustdomain"),
            ("introspection-info", "introspection"),
            ("introspection-detach", "introspection"),
            ("isolation-stats", "isolation"),
        ):
            with self.subTest(command):
                error = self.ward_fails(command, "beta two")
                self.assertIn(f"domain 'beta two' has no {noun}", error)

    def test_teardown_list_tells_how_far(self):
        self.assertRegex(
            self.ward_ok("teardown-list"), r"(?m)^ alpha +active +async +- +running +50 % +1.250 s$"
        )
        (entry,) = self.ward_json("teardown-list")["teardowns"]
        self.assertEqual((entry["bytesDone"], entry["bytesTotal"]), (512 << 20, 1 << 30))
        self.assertEqual((entry["lastDuration"], entry["lastError"]), (1250000, ""))

    def test_teardown_list_tells_what_went_wrong(self):
        values = {"LastError": "the Ultravisor refused", "Phase": "set-aside"}
        self.fake.order("set", path=ALPHA, interface="Teardown1", values=values)
        self.assertRegex(
            self.ward_ok("teardown-list"), r"(?m)^ alpha +active +async +- +set-aside +50 % +failed$"
        )
        (entry,) = self.ward_json("teardown-list")["teardowns"]
        self.assertEqual(entry["lastError"], "the Ultravisor refused")

    def test_teardown_list_marks_what_a_stock_kernel_does_not_tell(self):
        values = {"Provider": "stock", "BytesDone": 0, "BytesTotal": 0, "LastDuration": 0}
        self.fake.order("set", path=ALPHA, interface="Teardown1", values=values)
        self.assertRegex(
            self.ward_ok("teardown-list"), r"(?m)^ alpha .* running +unknown +unknown$"
        )

    def test_capacity_leaves_out_what_the_host_does_not_tell(self):
        self.assertEqual(self.ward_ok("-q", "trustdomain-capacity"), "Total:          15\n")
        self.assertEqual(
            self.ward_json("trustdomain-capacity"), {"simulated": False, "total": 15}
        )

    def test_trustdomain_info(self):
        info = self.ward_json("trustdomain-info", "alpha")
        self.assertEqual(
            (info["life"], info["admission"], info["timeout"], info["onReboot"]),
            ("running", "wait", 30, "recreate"),
        )

    def test_trustdomain_info_has_the_numbers_that_the_host_tells(self):
        out = self.ward_ok("trustdomain-info", "alpha")
        self.assertRegex(out, r"(?m)^Key: +7$")
        self.assertRegex(out, r"(?m)^Control pages: +30$")
        self.assertRegex(out, r"(?m)^Last reboot: +recreate$")
        self.assertNotIn("Leaked", out)
        self.assertNotIn("Created", out)
        info = self.ward_json("trustdomain-info", "alpha")
        self.assertEqual(
            (info["keyId"], info["createdTime"], info["leakedPages"]), (7, 123456789, 0)
        )

    def test_capacity_has_what_the_host_tells(self):
        value = {"total": 31, "used": 28, "free": 0, "reserved": 1, "leaked": 2}
        self.fake.order(
            "reply",
            method="Host1.GetTrustDomainCapacity",
            value=[{**value, "leaked-pages": 9, "waiting": 4}],
        )
        self.assertEqual(
            self.ward_json("trustdomain-capacity"),
            {"simulated": False, **value, "leakedPages": 9, "waiting": 4},
        )
        out = self.ward_ok("trustdomain-capacity")
        self.assertRegex(out, r"(?m)^Waiting starts: +4$")
        self.assertRegex(out, r"(?m)^Leaked pages: +9$")

    def test_introspection_info_tells_what_the_tool_may(self):
        out = self.ward_ok("introspection-info", "alpha")
        self.assertRegex(out, r"(?m)^Socket: +unix:/run/tool.sock$")
        self.assertRegex(out, r"(?m)^Commands: +get-registers$")
        self.assertRegex(out, r"(?m)^Events: +all$")

    def test_introspection_info_tells_what_tools_did(self):
        out = self.ward_ok("introspection-info", "alpha")
        self.assertRegex(out, r"(?m)^Commands sent: +120$")
        self.assertRegex(out, r"(?m)^Errors: +3$")
        self.assertRegex(out, r"(?m)^Events sent: +20$")
        self.assertRegex(
            out, r"(?m)^Replies: +half under 65.6 us, 90 % under 131.1 us, all under 524.3 us$"
        )
        info = self.ward_json("introspection-info", "alpha")
        self.assertEqual((info["commands"], info["errors"], info["events"]), (120, 3, 20))
        self.assertEqual((len(info["replyTimes"]), info["replyTimes"][16:20]), (40, [10, 8, 0, 2]))

    def test_statistics_have_the_counters_there_are(self):
        self.assertRegex(self.ward_ok("isolation-stats", "alpha"), r"(?m)^Entries with: +12345$")
        self.assertEqual(
            self.ward_json("isolation-stats", "alpha"),
            {"simulated": False, "domain": "alpha", "entriesRestricted": 12345},
        )

    def test_job_list(self):
        self.assertRegex(
            self.ward_ok("job-list"),
            r"(?m)^ 7 +teardown +alpha +50 % +2023-11-14 22:13:20\+0000 +yes$",
        )
        (job,) = self.ward_json("job-list")["jobs"]
        self.assertEqual((job["id"], job["domainUuid"][-1], job["unit"]), (7, "a", "bytes"))

    def test_json_is_one_document_that_says_whether_it_is_simulated(self):
        for command in STATE + CHANGES:
            with self.subTest(command[0]):
                document = self.ward_json(*command)
                self.assertEqual(next(iter(document.items())), ("simulated", False))


class ChangesTest(AnswersTest):
    def set_calls(self):
        return [arguments for _, arguments in self.fake.calls("Domain1.SetProtection")]

    def test_set_passes_the_xml_as_it_is(self):
        path = self.write("p.xml", XML + "\n")
        out = self.ward_ok("protection-set", "alpha", path)
        self.assertIn("Protection of domain 'alpha' set\n", out)
        self.ward_ok("protection-set", "alpha", "-", input=XML)
        self.ward_ok("protection-set", "alpha", "--xml", XML)
        self.assertEqual(self.set_calls(), [[XML + "\n", 0], [XML, 0], [XML, 0]])

    def test_options_become_flags(self):
        for options, flags in (
            ([], 0),
            (["--current"], 0),
            (["--live"], 1),
            (["--config"], 2),
            (["--live", "--config"], 3),
            (["--update", "--live"], 5),
        ):
            with self.subTest(options):
                self.ward_ok("protection-set", "alpha", "--xml", XML, *options)
                self.assertEqual(self.set_calls(), [[XML, flags]])

    def test_current_excludes_the_others(self):
        for other in ("--live", "--config"):
            for command in (["protection-clear", "alpha"], ["isolation-set", "alpha", "on"]):
                self.assertIn("exclusive", self.ward_fails(*command, "--current", other))

    def test_bad_files_are_refused_before_anything_is_called(self):
        latin = self.write("latin.xml", "<ä/>".encode("latin-1"))
        nul = self.write("nul.xml", b"<a/>\0")
        large = self.write("large.xml", b" " * (8 * 1024 * 1024 + 1))
        for path, word in (
            ("/nonexistent", "No such file"),
            ("/", "directory"),
            (latin, "UTF-8"),
            (nul, "UTF-8"),
            (large, "larger"),
            ("/dev/zero", "larger"),
        ):
            for command in (["protection-set", "alpha"], ["protection-validate"]):
                with self.subTest(path):
                    self.assertIn(word, self.ward_fails(*command, path))
        self.assertEqual(self.fake.order("calls"), [])

    def test_set_needs_exactly_one_text(self):
        self.assertIn("requires --file or --xml", self.ward_fails("protection-set", "alpha"))
        self.assertIn("exclusive", self.ward_fails("protection-set", "alpha", "f", "--xml", XML))

    def test_a_domain_that_is_not_well_afterwards_is_warned_about(self):
        result = self.ward("protection-set", "evil\x1b[31m", "--xml", XML)
        self.assertEqual(result.returncode, 0)
        self.assertIn("warning: the domain is degraded now: no\\x1b[2Jreason", result.stderr)
        result = self.ward_json("protection-set", "evil\x1b[31m", "--xml", XML)
        self.assertEqual((result["result"], result["status"]), ("set", "degraded"))

    def test_the_daemons_refusal_is_the_error(self):
        self.fake.order(
            "fail",
            method="Domain1.SetProtection",
            name="org.virtward.Error.InvalidXml",
            message="line 1: element isolation: bad\nsecond line",
        )
        error = self.ward_fails("protection-set", "alpha", "--xml", XML)
        self.assertEqual(
            error, "error: line 1: element isolation: bad\n       second line\n"
        )

    def test_clear(self):
        out = self.ward_ok("protection-clear", "alpha", "--live", "--config")
        self.assertIn("Protection of domain 'alpha' cleared", out)
        self.assertEqual(
            self.fake.calls("Domain1.ClearProtection"), [("Domain1.ClearProtection", [3])]
        )

    def test_validate_tells_warnings_and_succeeds(self):
        result = self.ward("protection-validate", "--xml", XML)
        self.assertEqual(result.returncode, 0)
        self.assertIn("The protection XML is valid", result.stdout)
        self.assertEqual(result.stderr, "warning: no TDX here\n")
        document = self.ward_json("protection-validate", "--xml", XML)
        self.assertEqual((document["valid"], document["warnings"]), (True, ["no TDX here"]))

    def test_isolation_of_a_domain_that_has_it_is_set_by_its_object(self):
        self.ward_ok("isolation-set", "alpha", "off", "--live")
        self.assertEqual(
            self.fake.calls("Isolation1.SetState", "Domain1.SetProtection"),
            [("Isolation1.SetState", ["off", 1])],
        )

    def test_isolation_of_another_domain_is_added_to_its_protection(self):
        self.ward_ok("isolation-set", "beta two", "on", "--config")
        ((xml, flags),) = self.set_calls()
        self.assertEqual(flags, 2 | 4)
        self.assertRegex(xml, r"<ward:isolation[^>]* state=.on.")

    def test_isolation_is_on_or_off(self):
        self.assertIn("on or off", self.ward_fails("isolation-set", "alpha", "maybe"))

    def test_job_cancel(self):
        self.assertIn("Job 7 cancelled", self.ward_ok("job-cancel", "7"))
        self.assertEqual(self.fake.order("calls")[-1][:2], [JOB, "Job1.Cancel"])
        self.assertIn("there is no job 8", self.ward_fails("job-cancel", "8"))
        self.assertIn("malformed", self.ward_fails("job-cancel", "x"))

    def test_a_job_that_cannot_be_cancelled_says_so(self):
        self.fake.order(
            "fail",
            method="Job1.Cancel",
            name="org.virtward.Error.NotSupported",
            message="this kernel cannot",
        )
        self.assertIn("cannot cancel job 7: this kernel cannot", self.ward_fails("job-cancel", "7"))

    def test_read_only_prevents_every_change_before_it_is_asked_for(self):
        for command in CHANGES:
            with self.subTest(command[0]):
                error = self.ward_fails("-r", *command)
                self.assertIn(f"read only access prevents {command[0]}", error)
        self.assertEqual(self.fake.order("calls"), [])

    def test_read_only_allows_every_other_command(self):
        for command in STATE:
            with self.subTest(command[0]):
                self.ward_ok("-r", *command)

    def test_polkit_may_ask_for_a_password(self):
        self.ward_ok("protection-clear", "alpha")
        flags = {name: interactive for _, name, _, interactive in self.fake.order("calls")}
        self.assertIs(flags["Domain1.ClearProtection"], True)


class IntrospectionTest(AnswersTest):
    METHODS = ("Domain1.GetProtection", "Domain1.SetProtection", "Introspection1.Attach")
    WITH_SECRET = (
        f'<ward:protection xmlns:ward="{NS}"><ward:introspection onDisconnect="pause">'
        '<ward:socket type="unix" path="/run/tool.sock"/>'
        '<ward:authentication secret="3b5f1d2a-0c44-4d0e-9b7e-6a2f1c9d8e70"/>'
        "</ward:introspection></ward:protection>"
    )

    def busy(self):
        self.fake.order(
            "fail",
            method="Introspection1.Attach",
            name="org.virtward.Error.Busy",
            message="attached already",
        )

    def test_attach_with_the_settings_there_are(self):
        for options in ([], ["--socket", "unix:/run/tool.sock"]):
            self.ward_ok("introspection-attach", "alpha", *options)
            self.assertEqual(self.fake.calls(*self.METHODS), [("Introspection1.Attach", [])])

    def test_another_socket_is_set_first_and_leaves_the_rest(self):
        self.fake.order("reply", method="Domain1.GetProtection", value=[self.WITH_SECRET])
        self.ward_ok("introspection-attach", "alpha", "--socket", "vsock:3:1234")
        calls = self.fake.calls(*self.METHODS)
        self.assertEqual([name for name, _ in calls], list(self.METHODS))
        self.assertEqual(calls[0][1], [1])
        xml, flags = calls[1][1]
        self.assertEqual(flags, 1 | 4)
        self.assertRegex(xml, r'type=.vsock. cid=.3. port=.1234.')
        self.assertIn("3b5f1d2a-0c44-4d0e-9b7e-6a2f1c9d8e70", xml)
        self.assertIn("pause", xml)

    def test_settings_that_attached_the_tool_already_are_enough(self):
        self.fake.order("reply", method="Domain1.GetProtection", value=[""])
        self.busy()
        out = self.ward_ok("introspection-attach", "alpha", "--socket", "unix:/run/other.sock")
        self.assertIn("Introspection of domain 'alpha' attached", out)

    def test_attached_already_is_an_error(self):
        self.busy()
        self.assertIn("attached already", self.ward_fails("introspection-attach", "alpha"))

    def test_a_domain_without_introspection_needs_a_socket(self):
        self.assertIn("--socket", self.ward_fails("introspection-attach", "beta two"))

    def test_a_bad_socket_is_refused_before_anything_is_called(self):
        for socket in ("tool.sock", "unix:tool.sock", "vsock:3", "tcp:1:2"):
            error = self.ward_fails("introspection-attach", "alpha", "--socket", socket)
            self.assertIn("unix:PATH", error)
        self.assertEqual(self.fake.order("calls"), [])

    def test_when_setting_fails_nothing_is_attached(self):
        self.fake.order("reply", method="Domain1.GetProtection", value=[""])
        self.fake.order(
            "fail",
            method="Domain1.SetProtection",
            name="org.virtward.Error.NotSupported",
            message="not on this kernel",
        )
        error = self.ward_fails("introspection-attach", "alpha", "--socket", "unix:/run/x")
        self.assertIn("not on this kernel", error)
        self.assertEqual(self.fake.calls("Introspection1.Attach"), [])

    def test_detach(self):
        self.assertIn("detached", self.ward_ok("introspection-detach", "alpha"))
        self.assertEqual(len(self.fake.calls("Introspection1.Detach")), 1)


class HostTest(VirshWardCase):
    """What is said about the daemon itself."""

    def test_a_simulated_host_is_said_before_every_state(self):
        self.start(Simulated=True)
        for command in (["protection-list"], ["protection-info", "alpha"], ["job-list"]):
            self.assertIn("SIMULATED", self.ward(*command).stderr)
            self.assertNotIn("SIMULATED", self.ward("-q", *command).stderr)
            self.assertIs(self.ward_json("-q", *command)["simulated"], True)

    def test_capabilities_say_simulated_even_when_quiet(self):
        self.start(Simulated=True)
        self.assertIn("SIMULATED", self.ward("-q", "protection-capabilities").stderr)

    def test_a_real_host_is_not_called_simulated(self):
        self.start()
        self.assertEqual(self.ward("protection-capabilities").stderr, "")

    def test_a_lost_libvirt_is_said(self):
        self.start(Connected=False, ConnectionError="socket gone")
        result = self.ward("-q", "protection-list")
        self.assertEqual(result.returncode, 0)
        self.assertIn("no connection to libvirt", result.stderr)
        self.assertIn("socket gone", result.stderr)

    def test_a_daemon_that_has_just_started_gets_time_to_read_its_domains(self):
        self.start(Connected=False, ConnectionError="not connected yet")
        self.fake.order("hold", method="Host1.LookupDomain")
        process = self.popen("protection-list")
        self.wait_for_call("Host1.LookupDomain")
        values = {"Connected": True, "ConnectionError": ""}
        self.fake.order("set", path=HOST, interface="Host1", values=values)
        self.fake.order("release", method="Host1.LookupDomain", value=["/"])
        out, error = process.communicate(timeout=PATIENCE)
        self.assertEqual((process.returncode, error), (0, ""))
        self.assertIn("alpha", out)

    def test_another_uri_is_refused_wherever_it_is_named(self):
        self.start()
        for options, env in (
            (["-c", "qemu:///system"], {}),
            ([], {"VIRSH_DEFAULT_CONNECT_URI": "qemu:///system"}),
            ([], {"LIBVIRT_DEFAULT_URI": "qemu:///system"}),
        ):
            self.env.update(env)
            error = self.ward_fails(*options, "protection-list")
            self.assertIn("watches test:///default, not qemu:///system", error)
            self.assertIn("--bus", error)

    def test_the_daemons_uri_is_accepted(self):
        self.start()
        self.env["LIBVIRT_DEFAULT_URI"] = "qemu:///system"
        self.ward_ok("-c", "test:///default", "protection-list")

    def test_without_a_daemon_it_is_said_how_to_start_it(self):
        error = self.ward_fails("--bus", "system", "protection-list")
        self.assertIn("virtwardd, does not run on the system bus", error)
        self.assertIn("systemctl start virtwardd", error)
        self.assertIn("session bus", self.ward_fails("--bus", "session", "protection-list"))

    def test_without_a_bus_the_error_names_it(self):
        self.env["DBUS_SYSTEM_BUS_ADDRESS"] = "unix:path=/nonexistent/bus"
        error = self.ward_fails("--bus", "system", "protection-list")
        self.assertIn("cannot reach the system bus", error)

    def test_denied_access_names_the_polkit_action(self):
        self.start()
        self.fake.order(
            "fail",
            method="Domain1.ClearProtection",
            name="org.virtward.Error.AccessDenied",
            message="polkit does not grant org.virtward.domain.clear-protection",
        )
        error = self.ward_fails("protection-clear", "alpha")
        self.assertIn("org.virtward.domain.clear-protection", error)
        self.assertNotIn("GDBus", error)

    def test_the_bus_choice_is_obeyed(self):
        self.start()
        self.env["DBUS_SESSION_BUS_ADDRESS"] = "unix:path=/nonexistent/bus"
        self.ward_ok("--bus", "system", "protection-list")
        self.ward_fails("--bus", "session", "protection-list")

    def test_json_has_no_document_after_an_error(self):
        self.start()
        result = self.ward("--format", "json", "protection-info", "nosuch")
        self.assertEqual((result.returncode, result.stdout), (1, ""))

    def test_output_that_cannot_be_written_is_an_error(self):
        self.start()
        with open("/dev/full", "w", encoding="ascii") as full:
            process = subprocess.run(
                [PROGRAM, "protection-list"],
                stdout=full,
                stderr=subprocess.PIPE,
                env=self.env,
                check=False,
            )
        self.assertEqual(process.returncode, 1)
        self.assertIn(b"cannot write", process.stderr)
