# SPDX-License-Identifier: LGPL-2.1-or-later
"""The daemon is killed at any moment, and nothing is lost."""

import random
import threading
import time

from ward_bus import BusError
from ward_sandbox import WorldTestCase, protection

KILLS = 100
ISOLATION = '<ward:isolation state="on"/>'
LIVE = 1


class Load(threading.Thread):
    """Starts and destroys one domain for as long as it may."""

    def __init__(self, world, name):
        super().__init__()
        self.world = world
        self.domain = name
        self.ended = threading.Event()
        self.refusals = []
        self.starts = 0

    def run(self):
        while not self.ended.is_set():
            result = self.world.virsh("start", self.domain, check=False)
            if result.returncode == 0:
                self.starts += 1
                self.world.virsh("destroy", self.domain, check=False)
            else:
                self.refusals.append(result.stderr)


class DaemonDeathTest(WorldTestCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        # The test says when it runs again.
        cls.world.forbid_activation()

    def revive(self):
        self.world.ward.kill()
        self.world.ward.start()

    def test_100_kills_under_load(self):
        random.seed(1)
        paths = {name: self.define(name, ISOLATION) for name in ("load-1", "load-2")}
        kept = self.define("kept", ISOLATION)
        self.world.virsh("start", "kept")
        loads = [Load(self.world, name) for name in paths]
        for load in loads:
            load.start()
        try:
            for _ in range(KILLS):
                time.sleep(random.uniform(0, 0.3))
                self.revive()
                self.client.wait_get(kept, "Isolation1.State", "on")
        finally:
            for load in loads:
                load.ended.set()
            for load in loads:
                load.join()
        for load in loads:
            self.assertGreater(load.starts, 0)
            for refusal in load.refusals:
                self.assertIn("virtward", refusal)
            self.client.wait_get(paths[load.domain], "Domain1.Status", "pending")
            self.world.virsh("start", load.domain)
            self.client.wait_get(paths[load.domain], "Domain1.Status", "protected")
        self.client.wait_get(kept, "Domain1.Status", "protected")
        self.assertEqual(self.world.state("kept"), "running")

    def test_what_was_set_is_still_set(self):
        path = self.define("set")
        self.world.virsh("start", "set")
        self.client.wait_get(path, "Domain1.Status", "unprotected")
        self.client.call(path, "Domain1.SetProtection", "(su)", protection(ISOLATION), LIVE)
        self.revive()
        self.client.wait_get(path, "Domain1.Status", "protected")
        self.assertIn("isolation", self.client.call(path, "Domain1.GetProtection", "(u)", LIVE))

    def test_a_kill_amid_a_change_leaves_the_old_or_the_new(self):
        random.seed(2)
        path = self.define("change", ISOLATION)
        self.world.virsh("start", "change")
        self.client.wait_get(path, "Isolation1.State", "on")
        for number in range(10):
            wanted = "off" if number % 2 == 0 else "on"
            killer = threading.Timer(random.uniform(0, 0.02), self.world.ward.kill)
            killer.start()
            try:
                self.client.call(path, "Isolation1.SetState", "(su)", wanted, LIVE)
            except BusError:
                pass
            killer.join()
            self.world.ward.start()
            self.client.wait_get(path, "Domain1.State", "running")
            metadata = self.client.call(path, "Domain1.GetProtection", "(u)", LIVE)
            state = "on" if 'state="on"' in metadata else "off"
            self.client.wait_get(path, "Isolation1.State", state)
            self.client.wait_get(path, "Domain1.Status", "protected")

    def test_changes_made_while_it_is_dead_are_seen_afterwards(self):
        path = self.define("unseen", ISOLATION)
        gone = self.define("gone", ISOLATION)
        self.client.wait_get(gone, "Domain1.Status", "pending")
        self.world.ward.kill()
        self.world.remove("gone")
        self.define("unseen", '<ward:isolation state="off"/>')
        new = self.define("new", ISOLATION)
        self.world.ward.start()
        self.client.wait_get(path, "Isolation1.Wanted", "off")
        self.client.wait_get(new, "Domain1.Status", "pending")
        self.assertNotIn(gone, self.world.objects())
        self.world.virsh("start", "unseen")
        self.client.wait_get(path, "Isolation1.State", "off")

    def test_teardown_under_way_is_found_again(self):
        path = self.define("teardown", '<ward:teardown onReboot="async"/>', memory=256)
        self.world.virsh("start", "teardown")
        self.client.wait_get(path, "Domain1.Status", "protected")
        record = self.client.record()
        self.world.virsh("reset", "teardown")
        self.client.wait_signal(record, "Teardown1.Started", path)
        self.revive()
        # Its first look at the domain is yet to come, and until then it knows of no teardown.
        self.wait_for(lambda: self.last_duration(path) > 0, "the teardown to be over")
        self.assertEqual(self.client.get(path, "Teardown1.Phase"), "none")

    def last_duration(self, path):
        try:
            return self.client.get(path, "Teardown1.LastDuration")
        except BusError:
            return 0
