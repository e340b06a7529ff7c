#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""A host in the lab for a person: all daemons, one hooked and isolated KVM guest, and a shell."""

import os
import socket
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "integration"))

from ward_kvmi import KvmiTool  # noqa: E402
from ward_processes import wait_for  # noqa: E402
from ward_sandbox import World  # noqa: E402

SOCKET = "/run/introspector/guest.sock"
WELCOME = f"""
This is the lab: a patched kernel, libvirtd, virtwardd, and a KVM guest named 'guest' that is isolated, and
hooked to an introspection tool at {SOCKET}.

  virsh-ward protection-capabilities               what this host can do
  virsh-ward protection-info guest                 what the guest has
  virsh-ward introspection-detach guest            and introspection-attach
  virsh-ward isolation-set guest off --live        and on again
  virsh-ward isolation-stats guest --interval 5    how the guest is entered
  virsh-ward protection-events --loop &            what happens

exit ends the lab.
"""


def main():
    tool = KvmiTool(SOCKET).start()
    print("starting the host's daemons (about half a minute on a software CPU)...", flush=True)
    world = World(provider="auto").start()
    world.define(
        "guest",
        f'<ward:introspection><ward:socket type="unix" path="{SOCKET}"/></ward:introspection>'
        "<ward:isolation/>",
        type="kvm",
    )
    print("starting the guest...", flush=True)
    world.virsh("start", "guest")
    guest = tool.next_guest(wait_for)
    print(f"the tool sees {guest.vcpus()} vCPU, and the BIOS date {guest.read(0xFFFF5, 8).decode()}")
    print(WELCOME, flush=True)
    socket.sethostname("lab")
    environment = {**os.environ, "PS1": "lab# "}
    subprocess.run(["bash", "--norc", "-i"], env=environment, check=False)
    print("ending the lab...", flush=True)
    world.stop()


if __name__ == "__main__":
    main()
