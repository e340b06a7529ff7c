#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Tests of kernel/'s scripts on a made-up kernel tree of three files. TAP out."""

import os
import shutil
import subprocess
import sys
import tempfile
import traceback

KERNEL = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "kernel")
WHO = {f"GIT_{role}_{what}": value for role in ("AUTHOR", "COMMITTER")
       for what, value in (("NAME", "A Person"), ("EMAIL", "person@example.org"))}
MAIL = ("From: A Person <person@example.org>\nDate: Sat, 21 Nov 2026 04:00:00 +0000\n"
        "Subject: [PATCH] {subject}\n\n{body}\n")

MAIN_C = "".join(f"int line_{i};\n" for i in range(1, 8)) + """
int first(void)
{
	int a = 1;

	return a;
}

int second(void)
{
	int b = 2;

	return b;
}
"""
HOOK = """
diff --git a/virt/main.c b/virt/main.c
index 111111111111..222222222222 100644
--- a/virt/main.c
+++ b/virt/main.c
@@ -17,5 +17,5 @@ int second(void)
 {
 \tint b = 2;
\x20
-\treturn b;
+\treturn door(b);
 }
"""


def write(path, text):
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "w", encoding="utf-8") as stream:
        stream.write(text)


def read(path):
    with open(path, encoding="utf-8") as stream:
        return stream.read()


def snapshot(top):
    """Every file below @top with its text, git's own left out."""
    found = {}
    for folder, names, files in os.walk(top):
        names[:] = [n for n in names if n != ".git"]
        for name in files:
            path = os.path.join(folder, name)
            found[os.path.relpath(path, top)] = read(path)
    return found


class Place:
    """A scratch directory with a tree and a series of one mechanism for it."""

    def __init__(self, top):
        self.tree = os.path.join(top, "tree")
        self.root = os.path.join(top, "kernel")
        self.top = top
        self.make_tree("6.12.117")
        write(f"{self.root}/series-6.12", "# base: 6.12.117\ndoor/files\n"
              "door/patches-6.12/0001-Use-the-door.patch\n")
        write(f"{self.root}/door/files/virt/door.c", "int door(int x)\n{\n\treturn x;\n}\n")
        write(f"{self.root}/door/files.commit",
              MAIL.format(subject="Add a door", body="It is needed."))
        self.hook(HOOK)

    def make_tree(self, version):
        major, minor, stable = version.split(".")
        write(f"{self.tree}/Makefile", f"VERSION = {major}\nPATCHLEVEL = {minor}\n"
              f"SUBLEVEL = {stable}\n")
        write(f"{self.tree}/virt/main.c", MAIN_C)

    def hook(self, diff):
        write(f"{self.root}/door/patches-6.12/0001-Use-the-door.patch",
              MAIL.format(subject="Use the door", body="Because.") + diff)

    def git(self, *args, tree=None):
        return subprocess.run(["git", "-C", tree or self.tree, *args], check=True, text=True,
                              capture_output=True, env={**os.environ, **WHO}).stdout

    def git_init(self):
        self.git("init", "-q")
        self.git("add", "-A")
        self.git("commit", "-q", "-m", "base")

    def run(self, script, *args):
        """A script's (exit status, output)."""
        done = subprocess.run([os.path.join(KERNEL, script), "--root", self.root, *args],
                              text=True, check=False, stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT, env={**os.environ, **WHO})
        return done.returncode, done.stdout

    def keep(self, stamp):
        """Where a build keeps its image."""
        script = f". {KERNEL}/lib/cache.sh; keep {self.top}/out {stamp} {self.top}/image"
        return subprocess.run(["sh", "-euc", script], check=True, text=True,
                              stdout=subprocess.PIPE).stdout.strip()

    def refused(self, *args, saying):
        """Run apply, which must refuse, say so and leave the tree alone."""
        before = snapshot(self.tree)
        status, out = self.run("apply", *args, self.tree)
        assert status != 0, f"not refused: {out}"
        for word in saying:
            assert word in out, f"\"{word}\" not in: {out}"
        assert snapshot(self.tree) == before, "something was written"

    def applied(self, *args):
        status, out = self.run("apply", *args, self.tree)
        assert status == 0, out
        return out


def apply_puts_files_and_hooks_into_the_tree(place):
    place.applied()
    assert "return door(b);" in read(f"{place.tree}/virt/main.c")
    assert "int door(int x)" in read(f"{place.tree}/virt/door.c")


def check_writes_nothing(place):
    before = snapshot(place.tree)
    place.applied("--check")
    assert snapshot(place.tree) == before


def apply_refuses_a_patched_tree(place):
    place.applied()
    place.refused(saying=["patched already", "virt/door.c"])


def apply_refuses_another_version(place):
    place.make_tree("6.11.5")
    place.refused(saying=["6.11"])


def apply_refuses_what_is_no_kernel_tree(place):
    os.unlink(f"{place.tree}/Makefile")
    place.refused(saying=["not a kernel tree"])


def apply_names_the_patch_that_does_not_fit(place):
    write(f"{place.tree}/virt/main.c", MAIN_C.replace("return b", "return b + 1"))
    place.refused(saying=["0001-Use-the-door.patch", "virt/main.c", "does not apply"])


def apply_refuses_an_offset_on_the_same_base(place):
    write(f"{place.tree}/virt/main.c", "int more;\n" + MAIN_C)
    place.refused(saying=["0001-Use-the-door.patch", "offset"])


def apply_follows_a_stable_update_within_the_function(place):
    place.make_tree("6.12.130")
    write(f"{place.tree}/virt/main.c", "int more;\n" + MAIN_C)
    out = place.applied()
    assert "note: " in out and "line 17 is now line 18" in out, out
    assert "return door(b);" in read(f"{place.tree}/virt/main.c")


def apply_refuses_an_offset_into_another_function(place):
    place.make_tree("6.12.130")
    write(f"{place.tree}/virt/main.c",
          "int more;\n" + MAIN_C.replace("int second(void)", "int third(void)"))
    place.refused(saying=["0001-Use-the-door.patch", "moved out of", "second"])


def apply_refuses_an_ambiguous_place(place):
    place.make_tree("6.12.130")
    body = MAIN_C[MAIN_C.index("int second"):]
    write(f"{place.tree}/virt/main.c", "int more;\n" + MAIN_C + "\n" + body)
    place.refused(saying=["0001-Use-the-door.patch", "several places"])


def apply_has_no_fuzz(place):
    write(f"{place.tree}/virt/main.c", MAIN_C.replace("int b = 2;", "int b = 3;"))
    place.refused(saying=["0001-Use-the-door.patch", "does not apply"])


def a_missing_patch_is_named(place):
    os.unlink(f"{place.root}/door/patches-6.12/0001-Use-the-door.patch")
    place.refused(saying=["0001-Use-the-door.patch", "not there"])


def a_damaged_patch_is_named(place):
    place.hook(HOOK.rsplit("\n", 3)[0] + "\n")
    place.refused(saying=["0001-Use-the-door.patch"])


def a_new_file_that_exists_is_refused(place):
    write(f"{place.root}/door/patches-6.12/0001-Use-the-door.patch",
          MAIL.format(subject="Use the door", body="Because.") +
          "\ndiff --git a/virt/main.c b/virt/main.c\nnew file mode 100644\n"
          "--- /dev/null\n+++ b/virt/main.c\n@@ -0,0 +1 @@\n+int x;\n")
    place.refused(saying=["virt/main.c exists already"])


def commit_and_refresh_change_nothing(place):
    place.git_init()
    place.applied("--commit")
    assert place.git("log", "--format=%s").splitlines() == ["Use the door", "Add a door", "base"]
    assert place.run("refresh", place.tree)[0] == 0
    first = snapshot(place.root)
    assert first["door/files/virt/door.c"] == read(f"{place.tree}/virt/door.c")
    # From a fresh tree again: not a byte differs.
    shutil.rmtree(place.tree)
    place.make_tree("6.12.117")
    place.git_init()
    place.applied("--commit")
    assert place.run("refresh", place.tree)[0] == 0
    assert snapshot(place.root) == first


def refresh_takes_edits_and_new_commits(place):
    place.git_init()
    place.applied("--commit")
    write(f"{place.tree}/virt/door.c", "int door(int x)\n{\n\treturn x + 1;\n}\n")
    write(f"{place.tree}/virt/main.c",
          read(f"{place.tree}/virt/main.c").replace("return a;", "return door(a);"))
    write(f"{place.tree}/virt/door.h", "int door(int x);\n")
    place.git("add", "-A")
    place.git("commit", "-q", "-m", "Use the door twice\n\nFor symmetry.")
    status, out = place.run("refresh", place.tree)
    assert status == 0, out
    now = snapshot(place.root)
    assert "x + 1" in now["door/files/virt/door.c"]
    assert "door/files/virt/door.h" in now
    patch = now["door/patches-6.12/0002-Use-the-door-twice.patch"]
    assert "+\treturn door(a);" in patch and "door.h" not in patch and "door.c" not in patch
    assert now["series-6.12"].splitlines()[-1].endswith("0002-Use-the-door-twice.patch")
    # And what was read back applies.
    want = snapshot(place.tree)
    shutil.rmtree(place.tree)
    place.make_tree("6.12.117")
    place.applied()
    assert snapshot(place.tree) == want


def refresh_refuses_a_dirty_tree(place):
    place.git_init()
    place.applied("--commit")
    write(f"{place.tree}/virt/main.c", "int x;\n")
    before = snapshot(place.root)
    status, out = place.run("refresh", place.tree)
    assert status != 0 and "uncommitted" in out, out
    assert snapshot(place.root) == before


def export_can_be_given_to_git_am(place):
    mails = f"{place.top}/mails"
    status, out = place.run("series-export", "6.12", place.tree, mails)
    assert status == 0, out
    names = sorted(os.listdir(mails))
    assert names == ["0001-Add-a-door.patch", "0002-Use-the-door.patch"], names
    place.git_init()
    place.git("am", "-q", *(f"{mails}/{name}" for name in names))
    applied = snapshot(place.tree)
    shutil.rmtree(place.tree)
    place.make_tree("6.12.117")
    place.applied()
    assert snapshot(place.tree) == applied


def export_refuses_a_directory_with_files(place):
    status, out = place.run("series-export", "6.12", place.tree, place.tree)
    assert status != 0 and "not empty" in out, out


def four_images_are_kept_and_the_one_asked_for_is_among_them(place):
    write(f"{place.top}/image", "an image that no state of the series changes")
    os.utime(f"{place.top}/image", (1, 1))
    for stamp in range(20):
        assert os.path.exists(place.keep(stamp)), f"the image of state {stamp} is gone at once"
    assert len(os.listdir(f"{place.top}/out/kept")) == 4


def an_image_in_use_outlives_newer_ones(place):
    write(f"{place.top}/image", "an image")
    used = place.keep("used")
    for stamp in range(10):
        place.keep(stamp)
        assert place.keep("used") == used
    assert read(used) == "an image"


def main():
    tests = [value for value in globals().values()
             if callable(value) and getattr(value, "__code__", None)
             and value.__code__.co_varnames[:1] == ("place",)]
    print(f"1..{len(tests)}")
    failed = 0
    for number, test in enumerate(tests, 1):
        with tempfile.TemporaryDirectory() as top:
            try:
                test(Place(top))
                print(f"ok {number} {test.__name__}")
            except Exception:  # pylint: disable=broad-except
                failed += 1
                print(f"not ok {number} {test.__name__}")
                print("# " + traceback.format_exc().replace("\n", "\n# "))
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
