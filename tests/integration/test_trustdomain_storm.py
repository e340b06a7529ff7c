# SPDX-License-Identifier: LGPL-2.1-or-later
"""200 trust domains start at once on a host with 31 keys: see ward_trustdomain for what is real there."""

import re
import threading

from ward_bus import HOST
from ward_processes import PATIENCE, threads, wait_for
from ward_sandbox import domain_uuid
from ward_trustdomain import KEYS, TrustdomainCase

STARTS = 200
WAIT = 'admission="wait" timeout="3600"'


class StormTest(TrustdomainCase):
    def storm(self):
        return [self.guest(f"storm-{number}", WAIT) for number in range(STARTS)]

    def in_line(self):
        """The names of those who had to wait, as the daemon got to know them."""
        return re.findall(r"domain '(storm-\d+)': waits for a trust domain key", self.ward_log())

    def check_full(self, running):
        """By the machine's own count, and by what the daemon says of it."""
        self.assertEqual(self.keys(), {domain_uuid(guest.name) for guest in running})
        capacity = self.capacity()
        self.assertEqual((capacity["used"], capacity["free"]), (KEYS, 0))

    def test_all_are_served_in_their_order_and_wait_without_a_thread(self):
        self.guest("warm").start()
        self.world.remove("warm")
        before = threads(self.world.ward.pid)
        guests = self.storm()
        for guest in guests:
            guest.begin()
            self.addCleanup(guest.starting.kill)
        wait_for(lambda: len(self.in_line()) == STARTS - KEYS, "all but those with keys to wait")
        by_name = {guest.name: guest for guest in guests}
        waiting = [by_name[name] for name in self.in_line()]
        running = [guest for guest in guests if guest not in waiting]
        # Those of the pool end when they had nothing to do for some seconds.
        wait_for(lambda: threads(self.world.ward.pid) <= before, "no thread but those of before")
        for guest in running:
            guest.finish()
        self.check_full(running)
        while waiting:
            guest = waiting.pop(0)
            running.pop(0).stop()
            guest.finish()
            running.append(guest)
            self.assertTrue(all(other.waits for other in waiting))
            self.check_full(running)
        self.assertEqual(len(set(self.in_line())), STARTS - KEYS)

    def test_all_are_served_while_others_come_and_go(self):
        guests = self.storm()
        served, failed, most = [], [], [0, 0]

        def live(guest):
            try:
                guest.start()
                guest.stop()
                served.append(guest)
            except Exception as error:  # told by the main thread
                failed.append(error)

        def look():
            most[0] = max(most[0], len(self.keys()))
            most[1] = max(most[1], self.client.call(HOST, "Host1.GetTrustDomainCapacity")["used"])
            return not any(life.is_alive() for life in lives)

        lives = [threading.Thread(target=live, args=(guest,), daemon=True) for guest in guests]
        for life in lives:
            life.start()
        wait_for(look, "all to have had their turn", 10 * PATIENCE)
        self.assertEqual(failed, [])
        self.assertEqual(len(served), STARTS)
        self.assertEqual(most, [KEYS, KEYS])
        self.wait_for(lambda: not self.keys(), "all keys to be given back")
        self.assertEqual(self.capacity()["free"], KEYS)
