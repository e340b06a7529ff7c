# SPDX-License-Identifier: GPL-2.0-only
"""The series of a base kernel: what series-<base> lists, in order.

A line of a series file is either a mechanism's new files ("control/files") or
one of its patches ("control/patches-6.12/0001-….patch"). "# base: 6.12.117"
names the exact version that the patches were last refreshed against.
"""

import os
import re

from patchfile import Patch, PatchError, apply_file

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))


def read(path):
    """A file's text, or None when there is none."""
    try:
        with open(path, encoding="utf-8") as stream:
            return stream.read()
    except (FileNotFoundError, NotADirectoryError):
        return None


def tree_version(tree):
    """The (major.minor, full) version of a kernel tree, from its Makefile."""
    text = read(os.path.join(tree, "Makefile")) or ""
    part = dict(re.findall(r"(?m)^(VERSION|PATCHLEVEL|SUBLEVEL) = (\d+)$", text))
    if len(part) != 3:
        raise PatchError(f"{tree}: not a kernel tree")
    base = f"{part['VERSION']}.{part['PATCHLEVEL']}"
    return base, f"{base}.{part['SUBLEVEL']}"


class Step:
    """One commit of the series: a patch, or the new files of a mechanism."""

    def __init__(self, root, base, name):
        self.root = root
        self.name = name
        self.mechanism = name.split("/", 1)[0]
        self.is_files = name.endswith("/files")
        self.new_files = {}
        if self.is_files:
            self._collect(os.path.join(root, self.mechanism, "files"))
            self._collect(os.path.join(root, self.mechanism, f"files-{base}"))
            self.patch = Patch(name, self._read(f"{self.mechanism}/files.commit"))
        else:
            self.patch = Patch(name, self._read(name))

    def _read(self, name):
        text = read(os.path.join(self.root, name))
        if text is None:
            raise PatchError(f"{name}: listed in the series, but not there")
        return text

    def _collect(self, top):
        for folder, _, names in os.walk(top):
            for name in names:
                path = os.path.join(folder, name)
                self.new_files[os.path.relpath(path, top)] = read(path)

    def paths(self):
        return set(self.new_files) | {f.path for f in self.patch.files}

    def apply(self, view, moved=False, notes=None):
        """Apply to @view (a View)."""
        for path, text in sorted(self.new_files.items()):
            if view.get(path) is not None:
                raise PatchError(f"{self.name}: {path} exists already")
            view.put(path, text)
        for change in self.patch.files:
            view.put(change.path, apply_file(self.name, change, view.get(change.path),
                                             moved, notes))


class View:
    """A kernel tree with changes held in memory."""

    def __init__(self, tree):
        self.tree = tree
        self.changed = {}

    def get(self, path):
        if path in self.changed:
            return self.changed[path]
        return read(os.path.join(self.tree, path))

    def put(self, path, text):
        self.changed[path] = text


class Series:
    def __init__(self, base, root=ROOT):
        self.base = base
        self.root = root
        self.version = None
        self.steps = []
        text = read(self.path())
        if text is None:
            raise PatchError(f"there is no series for a {base} kernel "
                             f"(series-{base})")
        for line in text.splitlines():
            found = re.match(r"#\s*base:\s*(\S+)", line)
            if found:
                self.version = found[1]
            line = line.split("#", 1)[0].strip()
            if line:
                self.steps.append(Step(root, base, line))

    def path(self):
        return os.path.join(self.root, f"series-{self.base}")

    def paths(self):
        return set().union(*(step.paths() for step in self.steps))

    def apply(self, tree, notes=None):
        """A View of @tree with the whole series applied; PatchError if it does not fit."""
        base, version = tree_version(tree)
        if base != self.base:
            raise PatchError(f"{tree} is Linux {version}; this series is for {self.base}")
        for path in sorted(self.steps[0].new_files if self.steps else ()):
            if os.path.exists(os.path.join(tree, path)):
                raise PatchError(f"{tree} is patched already ({path} is there)")
        view = View(tree)
        for step in self.steps:
            step.apply(view, moved=version != self.version, notes=notes)
        return view
