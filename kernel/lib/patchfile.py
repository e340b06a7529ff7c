# SPDX-License-Identifier: GPL-2.0-only
"""Read a git-style patch and apply it in memory, with no fuzz.

Nothing here touches the disk: what a caller does with the result of a series
is decided after all of it is known to fit.
"""

import re

HUNK = re.compile(r"^@@ -(\d+)(?:,(\d+))? \+(\d+)(?:,(\d+))? @@ ?(.*)$")
# What git takes for a function heading: a line that starts in column one and is no label.
HEADING = re.compile(r"^[A-Za-z_$](?!\w*:\s*$)")


class PatchError(Exception):
    """A patch that cannot be read or does not fit, with its name in the text."""


class Hunk:
    def __init__(self, start, length, heading):
        self.start = start
        self.length = length
        self.heading = heading.strip()
        self.lines = []

    def old(self):
        return [line[1:] for line in self.lines if line[0] in " -"]

    def new(self):
        return [line[1:] for line in self.lines if line[0] in " +"]


class FilePatch:
    def __init__(self, path):
        self.path = path
        self.creates = False
        self.deletes = False
        self.hunks = []


class Patch:
    """A parsed patch: mail headers, message and what it does to each file."""

    def __init__(self, name, text):
        self.name = name
        self.headers = {}
        self.subject = ""
        self.body = ""
        self.files = []
        self._parse(text)

    def _fail(self, why):
        raise PatchError(f"{self.name}: {why}")

    def _parse(self, text):
        head, _, rest = text.partition("\n\n")
        last = None
        for line in head.split("\n"):
            if line[:1] == " " and last:
                self.headers[last] += line
            elif ": " in line:
                last, value = line.split(": ", 1)
                self.headers[last] = value
        subject = self.headers.get("Subject")
        if not subject:
            self._fail("no Subject: line")
        self.subject = re.sub(r"^\[PATCH[^]]*\] ", "", subject)

        message, mark, diff = rest.partition("\ndiff --git ")
        self.body = re.split(r"(?m)^---$", message)[0].strip("\n")
        if mark:
            self._parse_diff(("diff --git " + diff).split("\n"))

    def _parse_diff(self, lines):
        current = hunk = None
        left_old = left_new = 0
        for line in lines:
            if left_old or left_new:
                kind = line[:1] or " "
                if kind == "\\":
                    self._fail("files without a final newline are not supported")
                if kind not in " +-":
                    self._fail(f"damaged hunk in {current.path}")
                hunk.lines.append(line or " ")
                left_old -= kind in " -"
                left_new -= kind in " +"
                continue
            found = HUNK.match(line)
            if line.startswith("diff --git "):
                current = FilePatch(line.split(" b/", 1)[1])
                self.files.append(current)
            elif line.startswith("new file"):
                current.creates = True
            elif line.startswith("deleted file"):
                current.deletes = True
            elif line.startswith(("rename ", "copy ", "GIT binary", "Binary files")):
                self._fail("renames, copies and binary changes are not supported")
            elif found:
                left_old = int(found[2] or 1)
                left_new = int(found[4] or 1)
                hunk = Hunk(int(found[1]), left_old, found[5])
                current.hunks.append(hunk)
        if left_old or left_new:
            self._fail("the last hunk is cut short")


def _heading_above(lines, index):
    for i in range(index - 1, -1, -1):
        if HEADING.match(lines[i]):
            return lines[i].strip()
    return ""


def _place(name, path, lines, hunk, delta, moved):
    """Where @hunk belongs in @lines (an index), or PatchError.

    @moved says whether the base may have moved by stable updates since the
    patch was refreshed. Without it only the exact line is right. With it a
    hunk may sit elsewhere when there is just one place it can mean: its lines
    occur once, in the function that its heading names.
    """
    old = hunk.old()
    want = (hunk.start if hunk.length == 0 else hunk.start - 1) + delta
    if lines[want:want + len(old)] == old:
        return want

    places = [i for i in range(len(lines) - len(old) + 1)
              if lines[i:i + len(old)] == old] if old else []
    if not places:
        raise PatchError(f"{name}: does not apply to {path} at line {hunk.start}")
    where = ", ".join(str(i + 1) for i in places)
    if not moved:
        raise PatchError(f"{name}: applies to {path} only with an offset "
                         f"(line {want + 1} wanted, found at {where}): refresh it")
    if len(places) > 1:
        raise PatchError(f"{name}: fits {path} in several places (lines {where})")
    if not _heading_above(lines, places[0]).startswith(hunk.heading):
        raise PatchError(f"{name}: moved out of \"{hunk.heading}\" in {path}")
    return places[0]


def apply_file(name, change, text, moved=False, notes=None):
    """The text of a file after @change (None: the file goes away)."""
    if change.creates:
        if text is not None:
            raise PatchError(f"{name}: {change.path} exists already")
        text = ""
    elif text is None:
        raise PatchError(f"{name}: there is no {change.path}")

    lines = text.split("\n")[:-1]
    delta = 0
    for hunk in change.hunks:
        at = _place(name, change.path, lines, hunk, delta, moved)
        want = (hunk.start if hunk.length == 0 else hunk.start - 1) + delta
        if at != want and notes is not None:
            notes.append(f"{name}: {change.path} line {want + 1} is now line {at + 1}")
        old, new = hunk.old(), hunk.new()
        lines[at:at + len(old)] = new
        delta += at - want + len(new) - len(old)
    if change.deletes:
        if lines:
            raise PatchError(f"{name}: {change.path} is not what it deletes")
        return None
    return "\n".join(lines) + "\n"
