# SPDX-License-Identifier: LGPL-2.1-or-later
"""An introspection tool as the daemon meets it: listens, and answers the KVMI handshake."""

import contextlib
import hashlib
import os
import select
import socket
import struct
import threading

from ward_processes import PATIENCE

HELLO = struct.Struct("<I16sIq64s")
ANSWER = struct.Struct("<I20s")


class Tool:
    def __init__(self, path, secret=b""):
        self.path = path
        self.secret = secret
        self.hellos = []  # (uuid bytes, name) of every guest that was hooked
        self.connections = []
        self.listener = None
        self.stopper = None  # closed when the thread is to end
        self.thread = None
        self.lock = threading.Lock()  # for connections

    def bind(self):
        os.makedirs(os.path.dirname(self.path), exist_ok=True)
        if os.path.exists(self.path):
            os.unlink(self.path)
        listener = socket.socket(socket.AF_UNIX)
        listener.bind(self.path)
        return listener

    def start(self):
        self.listener = self.bind()
        self.listener.listen(16)
        self.listener.setblocking(False)  # a client may go before it is taken
        self.stopper, stopped = socket.socketpair()
        self.thread = threading.Thread(target=self._serve, args=(stopped,), daemon=True)
        self.thread.start()
        return self

    def _serve(self, stopped):
        while True:
            ready, _, _ = select.select([self.listener, stopped], [], [])
            if stopped in ready:
                stopped.close()
                return
            try:
                connection, _ = self.listener.accept()
                _, uuid, _, _, name = HELLO.unpack(connection.recv(HELLO.size, socket.MSG_WAITALL))
            except (OSError, struct.error):
                continue
            # At once for everybody else: who sees the guest attached may hang up, and who takes the
            # connection may send.
            with self.lock, contextlib.suppress(OSError):
                self.connections.append(connection)
                self.hellos.append((uuid, name.rstrip(b"\0").decode()))
                connection.sendall(ANSWER.pack(ANSWER.size, hashlib.sha1(self.secret).digest()))
            self.after_handshake()

    def after_handshake(self):
        """For tools that do something at once."""

    def take(self):
        """The connection of the guest that has waited longest, or None."""
        with self.lock:
            return self.connections.pop(0) if self.connections else None

    def hang_up(self):
        """The tool loses the connections that it has now, and goes on listening: a guest that comes
        back meanwhile stays."""
        with self.lock:
            lost, self.connections = self.connections, []
        for connection in lost:
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)
            connection.close()

    def stop(self):
        if self.thread:
            # First of all: a thread that still accepts from the number of a closed descriptor takes
            # the connections of whoever has that number next.
            self.stopper.close()
            self.thread.join(PATIENCE)
            assert not self.thread.is_alive(), "a client says no word to the tool"
            self.thread = None
        if self.listener:
            self.listener.close()
            self.listener = None
        self.hang_up()
