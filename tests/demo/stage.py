# SPDX-License-Identifier: LGPL-2.1-or-later
"""How the demo shows its steps: a sentence, the command, its output, and whether it held."""

import shlex
import shutil
import subprocess
import sys
import textwrap

LIMIT = 60  # seconds, for a command that hangs


class Stage:
    def __init__(self):
        self.tty = sys.stdout.isatty()
        self.width = min(shutil.get_terminal_size((88, 24)).columns, 100)
        self.chapters = 0
        self.checks = 0
        self.failures = []

    def paint(self, code, text):
        return f"\033[{code}m{text}\033[0m" if self.tty else text

    def say(self, text):
        print(textwrap.fill(" ".join(text.split()), self.width))

    def chapter(self, title, text):
        self.chapters += 1
        print()
        print(self.paint("1;36", f"{self.chapters}. {title}"))
        self.say(text)
        sys.stdout.flush()

    def show_file(self, path, text):
        print(self.paint("2", f"--- {path}"))
        print(textwrap.indent(text.rstrip(), "    "))

    def run(self, command, succeeds=True, shows=(), hides=(), live=False):
        """Runs one shell command before the spectator's eyes and checks what came of it.

        live: it draws on the terminal itself, so its output is not caught there."""
        print(self.paint("1", f"$ {command}"), flush=True)
        caught = not (live and self.tty)
        result = subprocess.run(
            ["/bin/sh", "-c", command],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE if caught else None,
            stderr=subprocess.STDOUT if caught else None,
            text=True,
            timeout=LIMIT,
            check=False,
        )
        output = (result.stdout or "").strip("\n")
        if output:
            print(textwrap.indent(output, "    "))
        if succeeds:
            self.check(result.returncode == 0, f"`{command}` succeeds")
        else:
            self.check(result.returncode != 0, f"`{command}` is refused")
        for word in shows if caught else ():
            self.check(word in output, f"`{command}` shows {shlex.quote(word)}")
        for word in hides if caught else ():
            self.check(word not in output, f"`{command}` does not show {shlex.quote(word)}")
        return output

    def check(self, holds, claim):
        self.checks += 1
        if not holds:
            self.failures.append(claim)
            print(self.paint("1;31", f"  ✗ expected: {claim}"))

    def held(self, text):
        """Closes a chapter, when all of it held."""
        if not self.failures:
            print(self.paint("32", f"  ✓ {text}"))
        sys.stdout.flush()

    def finish(self):
        print()
        if self.failures:
            print(self.paint("1;31", f"{len(self.failures)} of {self.checks} checks failed:"))
            for claim in self.failures:
                print(f"  ✗ {claim}")
            return 1
        print(self.paint("1;32", f"All {self.checks} checks held."))
        return 0
