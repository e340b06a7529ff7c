# SPDX-License-Identifier: LGPL-2.1-or-later
"""What the stories about introspection share: a tool for each case, and domains that want it."""

import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "integration"))

from ward_kvmi import KvmiTool  # noqa: E402
from ward_sandbox import WorldTestCase  # noqa: E402


def introspection(path, attributes="", inner=""):
    return (
        f'<ward:introspection {attributes}><ward:socket type="unix" path="{path}"/>'
        f"{inner}</ward:introspection>"
    )


class IntrospectionTestCase(WorldTestCase):
    provider = "auto"
    tools = "/run/introspector"

    def setUp(self):
        self.tool = KvmiTool(f"{self.tools}/{self.id().rpartition('.')[2]}.sock").start()
        self.addCleanup(self.tool.stop)

    def start(self, name, attributes="", inner="", **more):
        wanted = introspection(self.tool.path, attributes, inner)
        path = self.define(name, wanted, **{"type": "kvm", **more})
        self.world.virsh("start", name)
        return path

    def next_guest(self):
        return self.tool.next_guest(self.wait_for)

    def start_hooked(self, name, attributes="", inner="", **more):
        path = self.start(name, attributes, inner, **more)
        self.client.wait_get(path, "Introspection1.Attached", True)
        return path, self.next_guest()
