# SPDX-License-Identifier: LGPL-2.1-or-later
"""A client of virtward's D-Bus API, as the tests use it: plain calls, plain values."""

import gi

gi.require_version("Gio", "2.0")
from gi.repository import Gio, GLib  # noqa: E402

from ward_processes import PATIENCE, wait_for  # noqa: E402

NAME = "org.virtward"
HOST = "/org/virtward/host"
PROTECTIONS = {
    "teardown": "Teardown1",
    "trustdomain": "TrustDomain1",
    "introspection": "Introspection1",
    "isolation": "Isolation1",
}


class BusError(Exception):
    """An error reply: name is the D-Bus name, for our own without "org.virtward.Error."."""

    def __init__(self, error):
        remote = Gio.DBusError.get_remote_error(error) or error.domain
        self.name = remote.removeprefix("org.virtward.Error.")
        Gio.DBusError.strip_remote_error(error)
        self.message = error.message
        super().__init__(f"{self.name}: {self.message}")


def domain_path(uuid):
    return "/org/virtward/domain/_" + uuid.replace("-", "_")


def iterate():
    """Lets signals that have arrived reach their handlers."""
    while GLib.MainContext.default().iteration(False):
        pass


class Client:
    def __init__(self, address):
        self.connection = Gio.DBusConnection.new_for_address_sync(
            address,
            Gio.DBusConnectionFlags.AUTHENTICATION_CLIENT
            | Gio.DBusConnectionFlags.MESSAGE_BUS_CONNECTION,
            None,
            None,
        )

    def close(self):
        self.connection.close_sync(None)

    def raw_call(self, name, path, interface, method, arguments=None, seconds=PATIENCE):
        try:
            reply = self.connection.call_sync(
                name,
                path,
                interface,
                method,
                arguments,
                None,
                Gio.DBusCallFlags.NO_AUTO_START,
                seconds * 1000,
                None,
            )
        except GLib.Error as error:
            raise BusError(error) from None
        return reply.unpack()

    def bus(self, method, arguments=None):
        return self.raw_call(
            "org.freedesktop.DBus",
            "/org/freedesktop/DBus",
            "org.freedesktop.DBus",
            method,
            arguments,
        )

    def has_owner(self, name=NAME):
        return self.bus("NameHasOwner", GLib.Variant("(s)", (name,)))[0]

    def owner_pid(self, name=NAME):
        return self.bus("GetConnectionUnixProcessID", GLib.Variant("(s)", (name,)))[0]

    def activate(self, name=NAME):
        """Has the bus start whoever serves the name."""
        self.bus("StartServiceByName", GLib.Variant("(su)", (name, 0)))

    def call(self, path, method, signature=None, *arguments, seconds=PATIENCE):
        """method: "Domain1.SetProtection"; the value, or the tuple when there are several."""
        interface, _, member = method.partition(".")
        variant = GLib.Variant(signature, arguments) if signature else None
        reply = self.raw_call(
            NAME, path, f"org.virtward.{interface}", member, variant, seconds=seconds
        )
        return reply[0] if len(reply) == 1 else reply or None

    def get(self, path, name):
        """name: "Domain1.Status"."""
        interface, _, member = name.partition(".")
        arguments = GLib.Variant("(ss)", (f"org.virtward.{interface}", member))
        return self.raw_call(NAME, path, "org.freedesktop.DBus.Properties", "Get", arguments)[0]

    def get_all(self, path, interface):
        arguments = GLib.Variant("(s)", (f"org.virtward.{interface}",))
        return self.raw_call(NAME, path, "org.freedesktop.DBus.Properties", "GetAll", arguments)[0]

    def objects(self):
        """{path: {"Domain1": {property: value}}}, as one GetManagedObjects gives it."""
        managed = self.raw_call(
            NAME,
            "/org/virtward",
            "org.freedesktop.DBus.ObjectManager",
            "GetManagedObjects",
        )[0]
        return {
            path: {name.removeprefix("org.virtward."): values for name, values in found.items()}
            for path, found in managed.items()
        }

    def wait_get(self, path, name, value, seconds=PATIENCE):
        """Waits until the property has the value; whatever stands in the way counts as "not yet"."""
        seen = []

        def has_it():
            try:
                seen[:] = [self.get(path, name)]
            except BusError as error:
                seen[:] = [error]
            return seen == [value]

        try:
            wait_for(has_it, f"{name} of {path} to be {value!r}", seconds)
        except AssertionError as error:
            try:
                whole = self.objects().get(path, "no object")
            except BusError as failure:
                whole = failure
            raise AssertionError(f"{error}; it is {seen[0]!r}, of {whole!r}") from None

    def record(self, interface=None, member=None, path=None):
        """A list that grows with every signal of ours: (path, "Interface1.Member", arguments)."""
        record = []

        def arrived(_connection, _sender, object_path, name, signal, arguments):
            short = name.removeprefix("org.virtward.").removeprefix("org.freedesktop.DBus.")
            record.append((object_path, f"{short}.{signal}", arguments.unpack()))

        self.connection.signal_subscribe(
            NAME, interface, member, path, None, Gio.DBusSignalFlags.NONE, arrived
        )
        # The subscription is a message that nobody waits for: the bus has it once it has answered.
        self.connection.call_sync(
            "org.freedesktop.DBus", "/org/freedesktop/DBus", "org.freedesktop.DBus", "GetId",
            None, None, Gio.DBusCallFlags.NONE, -1, None,
        )
        return record

    def expect_signals(self, record, path, interface, *expected, seconds=PATIENCE):
        """Waits until these have come from the interface, (member, arguments) each, in this order and no
        others, and empties the record."""

        def arrived():
            iterate()
            seen = [
                (name.partition(".")[2], arguments)
                for where, name, arguments in record
                if where == path and name.startswith(interface + ".")
            ]
            assert seen == list(expected)[: len(seen)], f"{seen} and not {expected}"
            return len(seen) == len(expected)

        wait_for(arrived, f"the signals {expected}", seconds)
        record.clear()

    def wait_signal(self, record, name, path=None, seconds=PATIENCE):
        """The arguments of the first such signal in the record."""

        def find():
            iterate()
            return [
                entry for entry in record if entry[1] == name and path in (None, entry[0])
            ]

        try:
            return wait_for(find, f"signal {name}", seconds)[0][2]
        except AssertionError as error:
            error.add_note(f"Until then there came {record}")
            raise
