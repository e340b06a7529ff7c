#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-only
"""sync.py PRISTINE TREE: make TREE, a hard-linked copy of PRISTINE, carry the series.

Only files whose text changes are written, so that make rebuilds only what
depends on them. Prints a digest of the base and everything in the series.
"""

import hashlib
import json
import os
import sys

from patchfile import PatchError
from series import Series, View, read, tree_version
from treewrite import write_all

STATE = ".virtward-series"


def main(pristine, tree):
    base, version = tree_version(pristine)
    notes = []
    view = Series(base).apply(pristine, notes)
    for note in notes:
        print(f"note: {note}", file=sys.stderr)

    changed = dict(view.changed)
    for path in json.loads(read(os.path.join(tree, STATE)) or "[]"):
        if path not in changed:
            changed[path] = View(pristine).get(path)
    present = {path: read(os.path.join(tree, path)) for path in changed}
    wanted = {path: text for path, text in changed.items() if text != present[path]}
    write_all(tree, wanted, present.get)
    write_all(tree, {STATE: json.dumps(sorted(view.changed))}, {}.get)

    digest = hashlib.sha256(version.encode())
    for path, text in sorted(view.changed.items()):
        digest.update(f"{path}\0{text}\0".encode())
    print(digest.hexdigest())


if __name__ == "__main__":
    try:
        main(*sys.argv[1:])
    except (PatchError, OSError) as error:
        sys.exit(f"kernel: {error}")
