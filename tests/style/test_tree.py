# SPDX-License-Identifier: LGPL-2.1-or-later
"""What every file of the tree keeps to, so that no reader and no reviewer has to check it."""

import ast
import os
import re
import shutil
import subprocess
import unittest

ROOT = os.environ["WARD_SOURCE_ROOT"]
# Kernel code has the kernel's style, tools and licence; its own tests see to those.
KERNEL = "kernel/"
# Licences, and inputs of the fuzzer, which are as they are.
VERBATIM = re.compile(r"^COPYING|^tests/fuzz/(corpus|seeds)")
NO_LICENCE_LINE = re.compile(r"(^|/)\.[^/]*$|\.md$|\.json$|\.dict$")
MOST_LINES = 600

# What a room must not include: the layers know each other in one direction only.
FOREIGN = {
    "xml-schema/": r"<libvirt/|<gio/|ward-(manager|provider|domain|job|dbus|client)[^\"]*\.h",
    "libvirt-driver/": r"ward-dbus|ward-exported|ward-authorizer|ward-client|<polkit",
    "dbus-api/": r"<libvirt/|<libvirt-glib/|ward-client|<readline",
    "virsh-ext/": r"<libvirt/|<libvirt-glib/|ward-(manager|provider|actual|domain|job)\.h",
}
# The hook is a program of its own, which speaks to the daemon over D-Bus.
HOOK = "libvirt-driver/hook/"


def tracked():
    # The tree may belong to another user than root, who runs this.
    listing = subprocess.run(
        ["git", "-c", "safe.directory=*", "-C", ROOT, "ls-files", "-z"],
        capture_output=True,
        text=True,
        check=True,
    )
    names = [name for name in listing.stdout.split("\0") if name]
    return [
        name
        for name in names
        if not name.startswith(KERNEL)
        and not VERBATIM.search(name)
        and os.path.isfile(os.path.join(ROOT, name))
    ]


def read(name):
    with open(os.path.join(ROOT, name), encoding="utf-8") as file:
        return file.read()


def first_line(name):
    return read(name).split("\n", 1)[0]


@unittest.skipUnless(os.path.exists(os.path.join(ROOT, ".git")), "the tree is not a git clone")
class TreeTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.names = tracked()
        cls.c = [name for name in cls.names if name.endswith((".c", ".h"))]
        cls.python = [
            name
            for name in cls.names
            if name.endswith(".py") or "python3" in first_line(name) and "#!" in first_line(name)
        ]
        cls.shell = [
            name
            for name in cls.names
            if re.match(r"#!.*/(ba)?sh\b", first_line(name)) or name.endswith(".bash")
        ]

    def assert_tool(self, command, names):
        if not shutil.which(command[0]):
            self.skipTest(f"{command[0]} is not installed")
        self.assertTrue(names)
        result = subprocess.run(
            [*command, *names], cwd=ROOT, capture_output=True, text=True, check=False
        )
        self.assertEqual(result.returncode, 0, result.stdout + result.stderr)

    def assert_none(self, offenders):
        self.assertFalse(offenders, "\n" + "\n".join(offenders))

    def test_c_is_formatted(self):
        self.assert_tool(["clang-format-14", "--dry-run", "--Werror"], self.c)

    def test_scripts_pass_shellcheck(self):
        self.assert_tool(["shellcheck"], self.shell)

    def test_xml_is_well_formed(self):
        endings = (".xml", ".rng", ".policy", ".xml.in", ".policy.in", ".conf", ".conf.in")
        names = [
            name for name in self.names if name.endswith(endings) and "<" in read(name)[:200]
        ]
        self.assert_tool(["xmllint", "--noout", "--nonet"], names)

    def test_python_parses(self):
        self.assertTrue(self.python)
        for name in self.python:
            with self.subTest(name):
                ast.parse(read(name), name)

    def test_scripts_use_debians_python(self):
        self.assert_none(
            [
                name
                for name in self.python
                if first_line(name).startswith("#!") and first_line(name) != "#!/usr/bin/python3"
            ]
        )

    def test_every_file_names_its_licence(self):
        self.assert_none(
            [
                name
                for name in self.names
                if not NO_LICENCE_LINE.search(name)
                and "SPDX-License-Identifier: LGPL-2.1-or-later"
                not in "\n".join(read(name).split("\n")[:4])
            ]
        )

    def test_files_can_be_read_in_one_sitting(self):
        code = [name for name in self.names if name in self.c + self.python + self.shell]
        long = [name for name in code if read(name).count("\n") > MOST_LINES]
        self.assert_none(long)

    def test_text_is_clean(self):
        for name in self.names:
            text = read(name)
            with self.subTest(name):
                self.assertNotIn("\r", text)
                self.assertTrue(text == "" or text.endswith("\n"), "no newline at the end")
                self.assertNotRegex(text, r"(?m)[ \t]+$")

    def test_rooms_keep_apart(self):
        offenders = []
        for room, foreign in FOREIGN.items():
            for name in self.c:
                if not name.startswith(room) or name.startswith(HOOK):
                    continue
                offenders += [
                    f"{name}: {line}"
                    for line in read(name).split("\n")
                    if line.startswith("#include") and re.search(foreign, line)
                ]
        self.assert_none(offenders)


if __name__ == "__main__":
    unittest.main()
