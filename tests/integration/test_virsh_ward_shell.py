# SPDX-License-Identifier: LGPL-2.1-or-later
"""virsh-ward in virsh's place: virsh's commands, strings of commands, scripts and sessions."""

import json
import os
import re
import signal
import subprocess

from virsh_ward_case import PROGRAM, URI, VirshWardCase
from ward_processes import PATIENCE

# Writes down how it was called, and says what happens to it.
RECORDER = """#!/usr/bin/python3
import json, os, signal, sys
with open(os.environ["RECORD"], "a") as record:
    record.write(json.dumps(sys.argv[1:]) + "\\n")
print("virsh ran", flush=True)
if "KILL" in os.environ:
    os.kill(os.getpid(), int(os.environ["KILL"]))
sys.exit(int(os.environ.get("STATUS", "0")))
"""


class AliasTest(VirshWardCase):
    """The real virsh, with libvirt's test driver: nobody could tell the difference."""

    def same(self, *arguments, input=None):
        virsh = self.run_program(["virsh", *arguments], input=input)
        ward = self.run_program([PROGRAM, *arguments], input=input)
        self.assertEqual(
            (ward.returncode, ward.stdout, ward.stderr),
            (virsh.returncode, virsh.stdout, virsh.stderr),
            arguments,
        )
        return ward

    def test_commands_of_virsh_are_virshs(self):
        for arguments in (
            ["list", "--all"],
            ["-q", "list"],
            ["list; nodeinfo"],
            ["destroy test; list --all"],
            ["domid", "test"],
            ["dominfo", "nosuch"],
            ["dominfo"],
            ["list", "--nosuch"],
            ["nosuch"],
            ["dominfo nosuch; list"],
            ["list; nosuch"],
            ["-r", "destroy", "test"],
            ["-d", "2", "list"],
            ["--connect", URI, "uri"],
            ["--keepalive-interval=5", "-K", "3", "uri"],
            ["help", "list"],
            ["help", "nosuch"],
            ["help", "cd"],
            ["list", "--help"],
            ["echo", "--shell", "a'b", "c d"],
            ["echo", "--", "--foo"],
            ['echo "a;b"; echo \'c d\' e\\ f # no'],
            ['echo "open'],
            ["echo open\\"],
            [""],
            ["cd", "/"],
            ["cd /; pwd"],
            ["connect"],
            ["quit; list"],
            ["desc", "test", "--title", "--live", "protection-list"],
            ["--", "list"],
        ):
            with self.subTest(arguments):
                self.same("-c", URI, *arguments)

    def test_bad_options_are_told_in_virshs_words(self):
        for arguments in (["--nosuch"], ["-x"], ["-c"], ["--connect"], ["-q", "-c"]):
            with self.subTest(arguments):
                self.same(*arguments)

    def test_the_uri_of_the_environment_is_virshs(self):
        self.env["VIRSH_DEFAULT_CONNECT_URI"] = URI
        self.same("list")

    def test_a_script_of_virshs_commands_keeps_its_connection(self):
        script = self.write("script", "destroy test\nlist --all\nstart test\n")
        results = []
        for program in ("virsh", PROGRAM):
            with open(script, encoding="ascii") as stdin:
                results.append(
                    subprocess.run(
                        [program, "-c", URI],
                        stdin=stdin,
                        capture_output=True,
                        env=self.env,
                        check=False,
                    )
                )
        self.assertEqual(results[1].stdout, results[0].stdout)
        self.assertIn(b"shut off", results[1].stdout)

    def test_a_pipe_is_a_session(self):
        ours = self.ward("-c", URI, input="list\nnosuch\ncd /\npwd\nquit\necho no\n")
        self.assertEqual(ours.returncode, 0)
        self.assertIn("virsh # list\n Id   Name   State\n", ours.stdout)
        self.assertIn("virsh # pwd\n/\n", ours.stdout)
        self.assertNotIn("echo no", ours.stdout)
        self.assertEqual(ours.stderr, "error: unknown command: 'nosuch'\n")


class PassthroughTest(VirshWardCase):
    """A virsh that writes down how it is called."""

    def setUp(self):
        super().setUp()
        os.mkdir(os.path.join(self.home, "bin"))
        self.write("bin/virsh", RECORDER, 0o755)
        self.env["PATH"] = os.path.join(self.home, "bin") + ":" + self.env["PATH"]
        self.env["RECORD"] = os.path.join(self.home, "record")

    def calls(self):
        path = self.env["RECORD"]
        if not os.path.exists(path):
            return []
        with open(path, encoding="utf-8") as record:
            calls = [json.loads(line) for line in record]
        os.unlink(path)
        return calls

    def test_virsh_gets_its_options_and_not_ours(self):
        self.ward_ok(
            "--format=json", "-q", "--bus", "session", "-c", URI, "-e", "^]", "-l", "log", "-r",
            "-t", "-k0", "undefine", "--domain", "a b", ";", "--nvram",
        )
        self.assertEqual(
            self.calls(),
            [
                [
                    "-q", "-e", "^]", "-l", "log", "-t", "-k", "0", "-r", "-c", URI,
                    "undefine", "--domain", "a b", ";", "--nvram",
                ]
            ],
        )

    def test_its_exit_status_is_ours(self):
        self.env["STATUS"] = "42"
        self.assertEqual(self.ward("list").returncode, 42)

    def test_a_signal_that_ends_it_is_seen(self):
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGKILL):
            self.env["KILL"] = str(int(number))
            self.assertEqual(self.ward("list").returncode, -number)
            self.start_once()
            self.assertEqual(self.ward("job-list; list; job-list").returncode, -number)

    def start_once(self):
        if not self.fake:
            self.start()

    def test_a_signal_to_the_alias_reaches_virsh(self):
        self.write("bin/virsh", "#!/bin/sh\necho started\nexec sleep 100\n", 0o755)
        process = self.popen("list")
        self.assertEqual(process.stdout.readline(), "started\n")
        process.terminate()
        self.assertEqual(process.wait(PATIENCE), -signal.SIGTERM)

    def test_mixed_strings_run_in_order_and_virshs_neighbours_together(self):
        self.start()
        out = self.ward_ok("-q", "-c", URI, "list 'a;b' ; uri; job-list;vol-list; job-list")
        self.assertEqual(
            self.calls(), [["-q", "-c", URI, "list 'a;b' ; uri"], ["-q", "-c", URI, "vol-list"]]
        )
        rows = [line.split()[0] for line in out.splitlines()]
        self.assertEqual(rows, ["virsh", "7", "virsh", "7"])

    def test_the_status_of_a_mixed_string_is_the_last_commands(self):
        self.start()
        self.env["STATUS"] = "3"
        self.assertEqual(self.ward("job-list; list").returncode, 3)
        self.assertEqual(self.ward("list; job-list").returncode, 0)
        self.assertEqual(self.ward("list; job-cancel 8").returncode, 1)

    def test_nothing_runs_when_one_of_ours_has_bad_syntax(self):
        error = self.ward_fails("list; protection-info")
        self.assertEqual(error, "error: command 'protection-info' requires <domain> option\n")
        self.assertEqual(self.calls(), [])

    def test_quit_ends_a_mixed_string(self):
        self.start()
        self.ward_ok("job-list; quit; list")
        self.assertEqual(self.calls(), [])

    def test_virsh_ward_in_virshs_place_does_not_call_itself(self):
        os.unlink(os.path.join(self.home, "bin", "virsh"))
        os.symlink(PROGRAM, os.path.join(self.home, "bin", "virsh"))
        self.assertIn("put virsh first in PATH", self.ward_fails("list"))

    def test_without_virsh_its_package_is_named_and_ours_works(self):
        self.start()
        self.env["PATH"] = "/nonexistent"
        self.assertIn("install libvirt-clients", self.ward_fails("list"))
        self.assertIn("alpha", self.ward_ok("protection-list"))
        self.assertIn("protection-set", self.ward_ok("help"))

    def test_timing_is_printed_for_ours_too(self):
        self.start()
        self.assertRegex(self.ward_ok("-t", "job-list"), r"\n\(Time: \d+\.\d{3} ms\)\n\n$")


class HelpTest(VirshWardCase):
    def test_help_has_our_commands_and_virshs(self):
        out = self.ward_ok("help")
        first = "Grouped commands:\n\n Protection (help keyword 'protection'):\n"
        self.assertTrue(out.startswith(first), out[:200])
        for command in ("protection-set", "isolation-stats", "job-cancel", "dominfo", "vol-list"):
            self.assertRegex(out, rf"(?m)^    {command} ")
        self.assertEqual(out.count("Grouped commands:"), 1)

    def test_help_of_a_group_and_a_command(self):
        for name, text in (
            ("teardown", "Teardown (help keyword 'teardown'):"),
            ("teardown-wait", "teardown-wait <domain> [--timeout <number>]"),
            ("monitor", "Domain Monitoring (help keyword 'monitor'):"),
        ):
            self.assertIn(text, self.ward_ok("help", name))
        by_option = self.ward_ok("teardown-wait", "--help")
        self.assertEqual(self.ward_ok("help", "teardown-wait"), by_option)
        self.assertEqual(self.ward_ok("-h", "teardown-wait") + "\n", by_option)

    def test_usage_names_every_option(self):
        out = self.ward_ok("--help")
        for option in ("--connect", "--readonly", "--quiet", "--bus", "--format", "--version"):
            self.assertIn(option, out)

    def test_versions(self):
        self.assertRegex(self.ward_ok("-v"), r"^\d+\.\d+\.\d+\n$")
        self.assertEqual(self.ward_ok("--version"), self.ward_ok("-v"))
        for option in ("-V", "--version=long"):
            self.assertRegex(self.ward_ok(option), r"(?s)^virsh-ward \d.*libvirt \d")

    def test_bad_values_of_our_options_are_errors(self):
        self.assertIn("table or json", self.ward_fails("--format", "xml", "list"))
        self.assertIn("system or session", self.ward_fails("--bus", "both", "list"))
        self.assertIn("short or long", self.ward_fails("--version=all"))


    def manual(self):
        """{command: the line of the man page that describes how it is called}."""
        path = os.path.join(os.environ["WARD_SOURCE_ROOT"], "docs", "virsh-ward.rst")
        with open(path, encoding="utf-8") as file:
            text = file.read().partition("\nCOMMANDS\n")[2].partition("\nINTERACTIVE USE\n")[0]
        entries = {}
        for line in re.findall(r"(?m)^``[a-z].*$", text):
            for command in re.findall(r"``([a-z-]+)(?: |``)", line)[:1]:
                entries[command] = entries.get(command, "") + line
        return entries

    def test_the_man_page_has_every_command_and_option(self):
        manual = self.manual()
        groups = ["protection", "teardown", "trustdomain", "introspection", "isolation", "job"]
        helps = "".join(self.ward_ok("help", group) for group in groups)
        commands = re.findall(r"(?m)^    ([a-z-]+) ", helps)
        self.assertEqual(len(commands), 18)
        for command in commands:
            synopsis = self.ward_ok("help", command).split("SYNOPSIS\n")[1].split("\n")[0]
            for names in re.findall(r"--([a-z]+)|<(?!string|number)([a-z]+)>", synopsis):
                option = "".join(names)
                with self.subTest(command=command, option=option):
                    self.assertRegex(manual[command], rf"\*{option}\*|--{option}\b")

    def test_the_man_page_has_the_keys_of_every_document(self):
        path = os.path.join(os.environ["WARD_SOURCE_ROOT"], "docs", "virsh-ward.rst")
        with open(path, encoding="utf-8") as file:
            text = file.read().partition("\nJSON\n")[2].partition("\nEXIT STATUS\n")[0]
        self.start()
        self.fake.order("reply", method="Isolation1.GetStatistics", value=[{"flushes": 1}])

        def check(value):
            for entry in value if isinstance(value, list) else [value]:
                for key, inner in entry.items() if isinstance(entry, dict) else ():
                    self.assertRegex(text, rf"``{key}``|\n  {key}\n")
                    check(inner)

        for command in (
            ["protection-capabilities"],
            ["protection-list"],
            ["protection-info", "alpha"],
            ["protection-clear", "alpha"],
            ["teardown-list"],
            ["trustdomain-info", "alpha"],
            ["introspection-info", "alpha"],
            ["isolation-stats", "alpha"],
            ["job-list"],
            ["job-cancel", "7"],
        ):
            check(self.ward_json(*command))


class SessionTest(VirshWardCase):
    """A person at a terminal."""

    def session(self, *options):
        terminal = self.terminal("-c", URI, *options)
        terminal.expect("virsh # ")
        return terminal

    def test_a_session_runs_both_kinds_of_commands(self):
        self.start()
        terminal = self.session()
        self.assertIn("Welcome to virsh-ward", terminal.seen)
        for line, pattern in (
            ("list", r"1 +test +running"),
            ("job-list", r"7 +teardown +alpha"),
            ("job-list; uri", r"7 +teardown(.|\n)*test:///default"),
            ("nosuch", "error: unknown command: 'nosuch'"),
            ("protection-info", "error: command 'protection-info' requires <domain> option"),
            ("protection-info nosuch", "error: there is no domain 'nosuch'"),
            ("echo a b", "\na b\r\n"),
            ('echo "open', 'error: missing "'),
        ):
            terminal.type(line + "\n")
            terminal.expect(pattern)
            terminal.expect("virsh # ")
        terminal.type("quit\n")
        self.assertEqual(terminal.finish(), 0)

    def test_cd_changes_the_directory_for_all_that_follows(self):
        os.mkdir(os.path.join(self.home, "below"))
        terminal = self.session()
        terminal.type("cd below\n")
        terminal.expect("virsh # ")
        terminal.type("pwd\n")
        terminal.expect(r"/below\r\n")
        terminal.type("cd nosuch\n")
        terminal.expect("error: cd: nosuch: No such file or directory")
        terminal.type("cd\n")
        terminal.expect("virsh # ")
        terminal.type("pwd\n")
        terminal.expect(self.home + r"\r\n")
        terminal.type("exit\n")
        self.assertEqual(terminal.finish(), 0)

    def test_connect_changes_the_uri_unless_it_fails(self):
        self.start()
        terminal = self.session()
        terminal.type("connect test:///nosuch.xml\n")
        terminal.expect("error: failed to connect to the hypervisor")
        terminal.expect("virsh # ")
        terminal.type("uri\n")
        terminal.expect(r"\ntest:///default\r\n")
        other = self.write("node.xml", "<node><domain type='test'><name>other</name>"
                           "<memory>8192</memory><os><type>hvm</type></os></domain></node>")
        terminal.type(f"connect test://{other}\n")
        terminal.expect("virsh # ")
        terminal.type("list --all\n")
        terminal.expect("other")
        terminal.type("job-list\n")
        terminal.expect("error: the daemon on the .* bus watches test:///default, not test:///")
        terminal.type("quit\n")
        self.assertEqual(terminal.finish(), 0)

    def test_a_read_only_session_is_marked_and_kept_to(self):
        self.start()
        terminal = self.session()
        terminal.type("connect --readonly\n")
        terminal.expect("virsh > ")
        terminal.type("protection-clear alpha\n")
        terminal.expect("error: operation forbidden")
        terminal.type("destroy test\n")
        terminal.expect("error: operation forbidden")
        terminal.expect("virsh > ")
        terminal.type("\x04")
        self.assertEqual(terminal.finish(), 0)

    def test_control_c_ends_virshs_command_and_not_the_session(self):
        os.mkdir(os.path.join(self.home, "bin"))
        self.write("bin/virsh", "#!/bin/sh\necho started\nexec sleep 100\n", 0o755)
        self.env["PATH"] = os.path.join(self.home, "bin") + ":" + self.env["PATH"]
        self.start()
        terminal = self.session()
        terminal.type("console test\n")
        terminal.expect(r"started\r\n")
        terminal.type("\x03")
        terminal.expect("error: virsh was ended by signal 2")
        terminal.type("job-list\n")
        terminal.expect(r"7 +teardown +alpha")
        terminal.type("quit\n")
        self.assertEqual(terminal.finish(), 0)

    def test_control_c_at_the_prompt_ends_the_session_as_it_does_virshs(self):
        terminal = self.session()
        terminal.type("\x03")
        self.assertEqual(os.WTERMSIG(terminal.finish()), signal.SIGINT)

    def test_history_is_kept_for_the_next_session(self):
        for options, path in (
            ({}, ".cache/virsh-ward/history"),
            ({"XDG_STATE_HOME": os.path.join(self.home, "state")}, "state/virsh-ward/history"),
        ):
            self.env.update(options)
            terminal = self.session()
            terminal.type("echo remembered\n")
            terminal.expect(r"\nremembered\r\n")
            terminal.type("quit\n")
            terminal.finish()
            with open(os.path.join(self.home, path), encoding="utf-8") as history:
                self.assertEqual(history.read(), "echo remembered\nquit\n")
            terminal = self.session()
            terminal.type("\x1b[A\x1b[A\n")
            terminal.expect(r"\nremembered\r\n")
            terminal.type("quit\n")
            self.assertEqual(terminal.finish(), 0)

    def test_a_pipe_leaves_no_history(self):
        self.ward_ok("-c", URI, input="echo piped\n")
        self.assertEqual(os.listdir(self.home), [])

    def test_the_tab_completes_commands_options_and_domains(self):
        self.start()
        terminal = self.session()
        for typed, completed in (
            ("protection-inf\t", "protection-info "),
            ("protection-info al\t", "protection-info alpha "),
            ("uri; isolation-set alpha of\t", "isolation-set alpha off "),
            ("protection-set alpha --upd\t", "protection-set alpha --update "),
            ("protection-info --domain=al\t", "protection-info --domain=alpha "),
            ("nodein\t", "nodeinfo "),
            ("domstate te\t", "domstate test "),
        ):
            with self.subTest(typed):
                terminal.type(typed)
                terminal.expect(completed)
                terminal.type("\x15")  # kill the line
        terminal.type("quit\n")
        self.assertEqual(terminal.finish(), 0)


class CompletionTest(VirshWardCase):
    """bash, with the completion of bash-completion and ours."""

    def complete(self, line):
        """What bash would offer at the end of the line."""
        script = self.write(
            "complete.sh",
            "PS1='$ '\n"
            ". /usr/share/bash-completion/bash_completion\n"
            f". {os.environ['WARD_SOURCE_ROOT']}/virsh-ext/virsh-ward.bash\n"
            f"virsh-ward() {{ {PROGRAM} \"$@\"; }}\n"
            "COMP_LINE=$1 COMP_POINT=${#1} COMP_TYPE=9 COMP_KEY=9\n"
            "_get_words() { local IFS=' '; set -f; COMP_WORDS=(); read -ra COMP_WORDS "
            "<<<\"${COMP_LINE//=/ = }\"; [[ $COMP_LINE == *[\\ =] ]] && COMP_WORDS+=(''); }\n"
            "_get_words; COMP_CWORD=$((${#COMP_WORDS[@]} - 1))\n"
            "_virsh_ward virsh-ward \"${COMP_WORDS[-1]}\" ''\n"
            'printf \'%s\\n\' "${COMPREPLY[@]}"\n',
        )
        result = self.run_program(["bash", "--norc", script, line])
        self.assertEqual(result.stderr, "")
        return result.stdout.split("\n")[:-1]

    def test_commands_of_both(self):
        self.assertEqual(self.complete("virsh-ward teardown-"), ["teardown-list", "teardown-wait"])
        offered = self.complete("virsh-ward -c test:///default dom")
        self.assertIn("dominfo", offered)
        self.assertIn("connect", self.complete("virsh-ward conn"))

    def test_names_of_domains(self):
        self.start()
        self.assertEqual(self.complete("virsh-ward protection-info al"), ["alpha"])
        self.assertEqual(self.complete("virsh-ward protection-info be"), [r"beta\ two"])
        self.assertEqual(self.complete("virsh-ward teardown-wait "), ["alpha"])
        self.assertEqual(self.complete("virsh-ward -c test:///default domstate te"), ["test"])

    def test_options_and_their_values(self):
        self.start()
        self.assertEqual(self.complete("virsh-ward protection-set alpha --upd"), ["--update"])
        self.assertEqual(self.complete("virsh-ward protection-info --domain=al"), ["alpha"])
        self.assertEqual(
            self.complete("virsh-ward protection-events --event teardown-fi"), ["teardown-finished"]
        )
        self.assertEqual(self.complete("virsh-ward job-cancel "), ["7"])
        self.assertEqual(self.complete("virsh-ward --form"), ["--format"])
        self.assertEqual(self.complete("virsh-ward --format j"), ["json"])
        self.assertEqual(self.complete("virsh-ward --bus s"), ["system", "session"])

    def test_files_are_left_to_bash(self):
        self.start()
        self.assertEqual(self.complete("virsh-ward protection-set alpha p"), [""])

    def test_the_tab_in_a_real_bash(self):
        self.start()
        os.symlink(PROGRAM, os.path.join(self.home, "virsh-ward"))
        self.env["PATH"] = self.home + ":" + self.env["PATH"]
        terminal = self.terminal(argv=["bash", "--norc", "-i"])
        terminal.type(
            "PS1='rea''dy> '; . /usr/share/bash-completion/bash_completion; "
            f". {os.environ['WARD_SOURCE_ROOT']}/virsh-ext/virsh-ward.bash\n"
        )
        terminal.expect("ready> ")
        for typed, completed in (
            ("virsh-ward protection-inf\t", "virsh-ward protection-info "),
            ("virsh-ward protection-info bet\t", r"protection-info beta\\ two "),
            ("virsh-ward isolation-set --domain=alp\t", "isolation-set --domain=alpha "),
            ("virsh-ward -c test:///default nodein\t", "default nodeinfo "),
        ):
            with self.subTest(typed):
                terminal.type(typed)
                terminal.expect(completed)
                terminal.type("\x15")
        terminal.type("exit\n")
        terminal.finish()
