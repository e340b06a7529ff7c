# SPDX-License-Identifier: GPL-2.0-only
"""A kernel tree in git with one commit per step of a series, and back."""

import os
import re
import subprocess

from patchfile import Patch
from series import View
from treewrite import put

BASE_TAG = "virtward-base"
FORMAT = ["format-patch", "--stdout", "--no-signature", "--zero-commit", "--no-stat",
          "--no-renames", "--full-index", "-N", "-1"]


class GitError(Exception):
    """git said no; the text is its own."""


def git(tree, *args, text=None, env=None):
    done = subprocess.run(["git", "-C", tree, "-c", "core.autocrlf=false", *args],
                          input=text, capture_output=True, text=True, check=False,
                          env={**os.environ, **(env or {})})
    if done.returncode:
        raise GitError(f"git {args[0]} in {tree}: {done.stderr.strip()}")
    return done.stdout


def require_clean(tree):
    if not os.path.exists(os.path.join(tree, ".git")):
        raise GitError(f"{tree} is not a git repository (git init, add and commit it first)")
    if git(tree, "status", "--porcelain", "--untracked-files=no").strip():
        raise GitError(f"{tree} has uncommitted changes")


def commit_steps(tree, series):
    """One commit a step on top of HEAD; what HEAD was is tagged."""
    require_clean(tree)
    git(tree, "tag", "-f", BASE_TAG)
    view = View(tree)
    for step in series.steps:
        step.apply(view, moved=True)
        paths = sorted(step.paths())
        for path in paths:
            put(os.path.join(tree, path), view.get(path))
        git(tree, "add", "-f", "-A", "--", *paths)
        author = step.patch.headers["From"]
        name, mail = re.fullmatch(r"(.*) <(.*)>", author).groups()
        date = step.patch.headers["Date"]
        git(tree, "commit", "-q", "--no-verify", "--cleanup=verbatim", "-F", "-",
            text=f"{step.patch.subject}\n\n{step.patch.body}\n",
            env={"GIT_AUTHOR_NAME": name, "GIT_AUTHOR_EMAIL": mail,
                 "GIT_AUTHOR_DATE": date, "GIT_COMMITTER_NAME": name,
                 "GIT_COMMITTER_EMAIL": mail, "GIT_COMMITTER_DATE": date})


def commits(tree):
    """The (hash, subject) of every commit after the base, oldest first."""
    out = git(tree, "log", "--reverse", "--format=%H %s", f"{BASE_TAG}..HEAD")
    return [tuple(line.split(" ", 1)) for line in out.splitlines()]


def show(tree, commit, path):
    """A file's text as @commit has it, or None."""
    try:
        return git(tree, "show", f"{commit}:{path}")
    except GitError:
        return None


def touched(tree, commit):
    return git(tree, "diff-tree", "--no-commit-id", "--no-renames", "--name-only",
               "-r", commit).split("\n")[:-1]


def mail(tree, commit, paths=None):
    """A commit as a mail, its diff limited to @paths; index lines shortened."""
    limit = ["--", *paths] if paths is not None else []
    text = git(tree, *FORMAT, commit, *limit)
    return re.sub(r"(?m)^index ([0-9a-f]{12})[0-9a-f]*\.\.([0-9a-f]{12})[0-9a-f]*",
                  r"index \1..\2", text).rstrip("\n") + "\n"


def message_only(tree, commit):
    """A commit's mail without its diff."""
    text = git(tree, *FORMAT, commit)
    return re.split(r"(?m)^---$|^diff --git ", text)[0].rstrip("\n") + "\n"


def subject_of(text):
    return Patch("a commit", text).subject
