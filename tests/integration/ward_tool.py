# SPDX-License-Identifier: LGPL-2.1-or-later
"""An introspection tool as the daemon meets it: listens, and answers the KVMI handshake."""

import contextlib
import hashlib
import os
import socket
import struct
import threading

HELLO = struct.Struct("<I16sIq64s")
ANSWER = struct.Struct("<I20s")


class Tool:
    def __init__(self, path, secret=b""):
        self.path = path
        self.secret = secret
        self.hellos = []  # (uuid bytes, name) of every guest that was hooked
        self.connections = []
        self.listener = None
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
        threading.Thread(target=self._serve, args=(self.listener,), daemon=True).start()
        return self

    def _serve(self, listener):
        while True:
            try:
                connection, _ = listener.accept()
                _, uuid, _, _, name = HELLO.unpack(connection.recv(HELLO.size, socket.MSG_WAITALL))
            except (OSError, struct.error):
                if listener.fileno() < 0:
                    return
                continue
            # At once for everybody else: who sees the guest attached may hang up, and who takes the
            # connection may send.
            with self.lock, contextlib.suppress(OSError):
                self.connections.append(connection)
                self.hellos.append((uuid, name.rstrip(b"\0").decode()))
                connection.sendall(ANSWER.pack(ANSWER.size, hashlib.sha1(self.secret).digest()))

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
        if self.listener:
            # shutdown() wakes the thread that accepts; close() alone does not. A listening vsock
            # cannot be shut down: its thread then ends with the process.
            with contextlib.suppress(OSError):
                self.listener.shutdown(socket.SHUT_RDWR)
            self.listener.close()
            self.listener = None
        self.hang_up()
