# SPDX-License-Identifier: LGPL-2.1-or-later
"""200 trust domains start at once on a host with 31 keys: see ward_trustdomain for what is real there."""

import threading

from ward_processes import PATIENCE, threads, wait_for
from ward_sandbox import domain_uuid
from ward_trustdomain import KEYS, TrustdomainCase

STARTS = 200
# That stay in the daemon's pool without work (ward-queue.c).
KEPT_THREADS = 8
WAIT = 'admission="wait" timeout="3600"'


class StormTest(TrustdomainCase):
    def storm(self):
        return [self.guest(f"storm-{number}", WAIT) for number in range(STARTS)]

    def check_full(self, running, waiting):
        """By the machine's own count, and by what the daemon says of it."""
        self.assertEqual(self.keys(), {domain_uuid(guest.name) for guest in running})
        capacity = self.capacity()
        self.assertEqual(
            [capacity[name] for name in ("used", "reserved", "free", "waiting")],
            [KEYS, 0, 0, len(waiting)],
        )

    def test_all_are_served_in_their_order_and_wait_without_a_thread(self):
        self.guest("warm").start()
        self.world.remove("warm")
        self.wait_for(lambda: self.capacity()["free"] == KEYS, "its key to be given back")
        before = threads(self.world.ward.pid)
        guests = self.storm()
        running, waiting = guests[:KEYS], guests[KEYS:]
        for guest in running:
            guest.start()
        self.begin_in_line(waiting)
        wait_for(
            lambda: threads(self.world.ward.pid) <= before + KEPT_THREADS,
            f"no threads but those of before ({before}) and the pool's",
        )
        self.check_full(running, waiting)
        while waiting:
            guest = waiting.pop(0)
            running.pop(0).stop()
            guest.finish()
            running.append(guest)
            self.assertTrue(all(other.waits for other in waiting))
            self.check_full(running, waiting)
        self.assertEqual(self.machine_says_no(), 0)

    def test_all_are_served_while_others_come_and_go(self):
        guests = self.storm()
        served, failed, seen = [], [], []

        def live(guest):
            try:
                guest.start()
                guest.stop()
                served.append(guest)
            except Exception as error:  # told by the main thread
                failed.append(error)

        def look():
            capacity = self.capacity()
            all_of_it = sum(capacity[name] for name in ("used", "reserved", "leaked", "free"))
            seen.append((len(self.keys()), all_of_it, capacity["waiting"]))
            return not any(life.is_alive() for life in lives)

        lives = [threading.Thread(target=live, args=(guest,), daemon=True) for guest in guests]
        for life in lives:
            life.start()
        wait_for(look, "all to have had their turn", 10 * PATIENCE)
        self.assertEqual(failed, [])
        self.assertEqual(len(served), STARTS)
        in_machine, told, waiting = zip(*seen)
        self.assertLessEqual(max(in_machine), KEYS)
        self.assertEqual(set(told), {KEYS})
        self.assertGreater(max(waiting), 0)
        self.assertEqual(self.machine_says_no(), 0)
        self.wait_for(lambda: self.capacity()["free"] == KEYS, "all keys to be given back")
        self.assertEqual(self.keys(), set())
