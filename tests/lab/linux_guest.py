# SPDX-License-Identifier: LGPL-2.1-or-later
"""A Linux guest that is all in memory: a kernel, and a shell on its console."""

import os
import re
import shutil
import stat
import subprocess
import time

PROMPT = b"guest# "
PROGRAMS = ("/bin/dash", "/bin/mount", "/bin/grep")
INIT = """\
#!/bin/dash
export PATH=/bin PS1='guest# '
mount -t proc proc /proc
exec dash -i
"""
MEMORY = 256  # MiB


def libraries(program):
    """Of a program, its loader among them."""
    listed = subprocess.run(["ldd", program], capture_output=True, text=True, check=True).stdout
    return re.findall(r"(/\S+) \(0x", listed)


class Archive:
    """An initramfs: cpio's "newc"."""

    def __init__(self):
        self.data = b""
        self.names = set()

    def _add(self, name, mode, content=b""):
        if name in self.names:
            return
        self.names.add(name)
        path = name.encode() + b"\0"
        links = (len(self.names), mode, 0, 0, 1, 0, len(content), 0, 0, 0, 0, len(path), 0)
        head = b"070701" + b"".join(b"%08x" % number for number in links) + path
        self.data += head + bytes(-len(head) % 4) + content + bytes(-len(content) % 4)

    def directory(self, name):
        parent = os.path.dirname(name)
        if parent:
            self.directory(parent)
        self._add(name, stat.S_IFDIR | 0o755)

    def file(self, name, content):
        name = name.lstrip("/")
        if os.path.dirname(name):
            self.directory(os.path.dirname(name))
        self._add(name, stat.S_IFREG | 0o755, content)

    def end(self):
        self._add("TRAILER!!!", 0)
        return self.data


def initramfs():
    archive = Archive()
    for name in ("proc", "tmp"):
        archive.directory(name)
    archive.file("init", INIT.encode())
    for program in PROGRAMS:
        for path in (program, *libraries(program)):
            with open(path, "rb") as file:
                archive.file(path, file.read())
    return archive.end()


def linux(xml):
    """The domain XML with a kernel of the lab's and that; files that QEMU's user can read."""
    directory = os.environ["TMPDIR"]
    kernel = shutil.copy(os.environ["LAB_KERNEL"], os.path.join(directory, "guest-kernel"))
    with open(os.path.join(directory, "guest-initramfs"), "wb") as file:
        file.write(initramfs())
    os_element = (
        f"hvm</type><kernel>{kernel}</kernel><initrd>{file.name}</initrd>"
        "<cmdline>console=ttyS0 quiet panic=-1</cmdline>"
    )
    devices = "<devices><serial type='pty'/></devices></domain>"
    return xml.replace("hvm</type>", os_element).replace("</domain>", devices)


class Console:
    """What a person does at the guest's shell."""

    def __init__(self, path):
        self.fd = os.open(path, os.O_RDWR | os.O_NOCTTY | os.O_NONBLOCK)
        self.seen = b""

    def _prompted(self):
        try:
            self.seen += os.read(self.fd, 65536)
        except BlockingIOError:
            time.sleep(0.05)
        return self.seen.endswith(PROMPT)

    def wait_prompt(self, wait_for):
        """Returns the lines before it."""
        try:
            wait_for(self._prompted, "the guest's prompt")
        except AssertionError as error:
            raise AssertionError(f"{error}; it says: {self.seen[-2000:]!r}") from None
        said, self.seen = self.seen, b""
        return said[: -len(PROMPT)].decode(errors="replace").splitlines()

    def run(self, command, wait_for):
        """Returns what the command printed, without the line of the command itself."""
        os.write(self.fd, command.encode() + b"\n")
        return self.wait_prompt(wait_for)[1:]

    def close(self):
        os.close(self.fd)
