# SPDX-License-Identifier: LGPL-2.1-or-later
"""What the guide says of introspection, done word for word. Part of the story about introspection."""

import os
import re
import subprocess
import threading

from introspection_case import IntrospectionTestCase
from linux_guest import MEMORY, Console, linux
from ward_processes import accepts
from ward_sandbox import domain_xml

ROOT = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..")
HOST, GUEST, TOOL = "  # ", "  guest# ", "``guest: "


class GuideTest(IntrospectionTestCase):
    def setUp(self):
        super().setUp()
        self.said = []  # by the tool
        self.directory = os.path.join(os.environ["TMPDIR"], self.id().rpartition(".")[2])
        os.mkdir(self.directory)
        os.symlink(os.path.join(ROOT, "tests"), os.path.join(self.directory, "tests"))

    def section(self, title, following):
        with open(os.path.join(ROOT, "docs/guide.rst"), encoding="utf-8") as file:
            page = file.read().partition(f"\n{title}\n")[2]
        return page.partition(f"\n{following}\n")[0]

    def steps(self, page):
        """Each command with where it is given, and the words of each line that it is said to print; and what the
        tool is said to say."""
        steps = []
        shown = False
        for line in page.splitlines():
            where = next((prompt for prompt in (HOST, GUEST) if line.startswith(prompt)), None)
            if where:
                steps.append((where, line[len(where):], []))
            elif shown and line.startswith("  "):
                steps[-1][2].append(line.split())
            steps += [(TOOL, words, []) for words in re.findall(r"``(guest: .*?)``", line)]
            shown = where or shown and (not line or line.startswith("  "))
        self.assertGreater(len(steps), 5)
        return steps

    def do_step(self, command):
        """The words of each line that it prints."""
        words, background, _ = command.partition(" &")
        process = subprocess.Popen(
            ["sh", "-c", "exec " + words], cwd=self.directory, stdout=subprocess.PIPE, text=True
        )
        if background:
            self.addCleanup(process.wait)
            self.addCleanup(process.kill)
            threading.Thread(target=lambda: self.said.extend(process.stdout), daemon=True).start()
            socket = next(word for word in words.split() if word.endswith(".sock"))
            self.wait_for(lambda: accepts(socket), "the tool to listen")
            return []
        output = process.communicate()[0]
        self.assertEqual(process.returncode, 0, command)
        return [line.split() for line in output.splitlines() if line.strip()]

    def test_attach_an_introspection_tool(self):
        self.define("guest", type="kvm")
        page = self.section("Attach an introspection tool", "What happens to the tool")
        with open(os.path.join(self.directory, "introspection.xml"), "w", encoding="utf-8") as file:
            file.write(page[page.index("<ward:protection"):page.index("\nand start it")])
        steps = self.steps(page)
        for _, command, expected in (step for step in steps if step[0] == HOST):
            self.assertEqual(self.do_step(command), expected, command)
        (said,) = [words for where, words, _ in steps if where == TOOL]
        self.wait_for(
            lambda: self.said.count(said + "\n") == 2, f"the tool to be hooked twice: {self.said}"
        )

    def test_detect_a_write_to_the_guests_kernel(self):
        """With the addresses that this guest has, and not the guide's."""
        console = self.start_linux("guest")
        page = self.section("Detect a write to the guest's kernel", "Who may be the tool")
        (address,) = re.findall(r"(?m)^  ([0-9a-f]{16}) [a-zA-Z] core_pattern$", page)
        actual = address
        steps = self.steps(page)
        for where, command, expected in steps:
            if where == TOOL:
                self.wait_said(command.replace(address, actual))
                continue
            if where == HOST:
                result = self.do_step(command.replace(address, actual))
            else:
                result = [line.split() for line in console.run(command, self.wait_for)]
                if "kallsyms" in command:
                    actual = result[0][0]
            expected = [[word.replace(address, actual) for word in line] for line in expected]
            self.assertEqual(result, expected, command)
        # Each once, and nothing else.
        self.assertEqual(len(self.said), [step[0] for step in steps].count(TOOL), self.said)

    def wait_said(self, words):
        """The instruction's address is the guest's own affair."""
        pattern = re.sub(r"\bat\\ [0-9a-f]{16}(?=\\ is)", "at [0-9a-f]{16}", re.escape(words))
        self.wait_for(
            lambda: any(re.fullmatch(pattern, line.strip()) for line in self.said),
            f"the tool to say {words}; it has said {self.said}",
        )

    def start_linux(self, name):
        file = os.path.join(self.directory, name + ".xml")
        with open(file, "w", encoding="utf-8") as out:
            out.write(linux(domain_xml(name, type="kvm", memory=MEMORY)))
        self.world.define_file(name, file)
        self.addCleanup(self.world.remove, name)
        self.world.virsh("start", name)
        console = Console(self.world.virsh("ttyconsole", name).stdout.strip())
        self.addCleanup(console.close)
        console.wait_prompt(self.wait_for)
        return console
