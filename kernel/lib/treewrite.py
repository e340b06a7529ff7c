# SPDX-License-Identifier: GPL-2.0-only
"""Write a set of changed files into a tree: all of them or none."""

import os
import tempfile


def write_file(path, text):
    """Replace @path, never writing through a hard link and never leaving half a file."""
    os.makedirs(os.path.dirname(path), exist_ok=True)
    mode = 0o644
    if os.path.exists(path):
        mode = os.stat(path).st_mode & 0o777
    handle, scratch = tempfile.mkstemp(dir=os.path.dirname(path), prefix=".ward-")
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as stream:
            stream.write(text)
        os.chmod(scratch, mode)
        os.rename(scratch, path)
    except BaseException:
        os.unlink(scratch)
        raise


def put(path, text):
    if text is not None:
        write_file(path, text)
    elif os.path.exists(path):
        os.unlink(path)


def write_all(tree, changed, original):
    """Put every file of @changed into @tree; undo what was written if one fails.

    @original gives a path's text from before (None: it was not there).
    """
    before = {path: original(path) for path in changed}
    done = []
    try:
        for path, text in sorted(changed.items()):
            put(os.path.join(tree, path), text)
            done.append(path)
    except BaseException:
        for path in reversed(done):
            put(os.path.join(tree, path), before[path])
        raise
