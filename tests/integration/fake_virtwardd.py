#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""A daemon for the tests of virsh-ward: the real interfaces, and whatever a test wants them to say.

    fake_virtwardd.py ADDRESS INTERFACES       what there is comes as JSON on standard input

A test steers it with lines of JSON on standard input, each answered by a line on standard output:
    {"op": "calls"}                            methods called since the last such line
    {"op": "reply", "method", "value"}         arguments that a method returns from now on
    {"op": "fail", "method", "name", "message"}
    {"op": "hold", "method"}                   calls wait ...
    {"op": "release", "method", "value"}       ... until they are answered
    {"op": "set", "path", "interface", "values"}     properties, with PropertiesChanged
    {"op": "emit", "path", "interface", "signal", "arguments"}
"""

import glob
import json
import sys

import gi

gi.require_version("Gio", "2.0")
from gi.repository import Gio, GLib  # noqa: E402

PREFIX = "org.virtward."
MANAGER = """<node><interface name="org.freedesktop.DBus.ObjectManager">
<method name="GetManagedObjects">
<arg name="objects" type="a{oa{sa{sv}}}" direction="out"/></method></interface></node>"""


def signature(arguments):
    return "(" + "".join(argument.signature for argument in arguments or []) + ")"


class Fake:
    def __init__(self, address, interfaces, objects):
        self.objects = objects
        self.calls = []
        self.replies = {}
        self.failures = {}
        self.held = {}
        self.infos = {}
        for path in glob.glob(interfaces + "/*.xml"):
            with open(path, encoding="utf-8") as file:
                info = Gio.DBusNodeInfo.new_for_xml(file.read()).interfaces[0]
            self.infos[info.name.removeprefix(PREFIX)] = info
        self.connection = Gio.DBusConnection.new_for_address_sync(
            address,
            Gio.DBusConnectionFlags.AUTHENTICATION_CLIENT
            | Gio.DBusConnectionFlags.MESSAGE_BUS_CONNECTION,
            None,
            None,
        )
        manager = Gio.DBusNodeInfo.new_for_xml(MANAGER).interfaces[0]
        self.connection.register_object("/org/virtward", manager, self.managed, None, None)
        for path, interfaces_of in objects.items():
            for name in interfaces_of:
                self.connection.register_object(
                    path, self.infos[name], self.called, self.get_property, None
                )

    def own_name(self):
        arguments = GLib.Variant("(su)", ("org.virtward", 4))
        bus = "org.freedesktop.DBus"
        self.connection.call_sync(
            bus, "/org/freedesktop/DBus", bus, "RequestName", arguments, None, 0, -1, None
        )

    # Values

    def property(self, path, interface, name):
        info = self.infos[interface].lookup_property(name)
        return GLib.Variant(info.signature, self.objects[path][interface][name])

    def properties(self, path, interface, names):
        return {name: self.property(path, interface, name) for name in names}

    def managed(self, _connection, _sender, _path, _interface, _method, _arguments, invocation):
        managed = {
            path: {
                PREFIX + name: self.properties(path, name, values)
                for name, values in interfaces.items()
            }
            for path, interfaces in self.objects.items()
        }
        invocation.return_value(GLib.Variant("(a{oa{sa{sv}}})", (managed,)))

    def get_property(self, _connection, _sender, path, interface, name):
        return self.property(path, interface.removeprefix(PREFIX), name)

    # Methods

    def lookup(self, domain):
        for path, interfaces in self.objects.items():
            values = interfaces.get("Domain1", {})
            if domain in (values.get("Uuid"), values.get("Name")):
                return path
        return None

    def called(self, _connection, _sender, path, interface, method, arguments, invocation):
        name = f"{interface.removeprefix(PREFIX)}.{method}"
        flags = invocation.get_message().get_flags()
        interactive = bool(flags & Gio.DBusMessageFlags.ALLOW_INTERACTIVE_AUTHORIZATION)
        self.calls.append([path, name, list(arguments.unpack()), interactive])
        if name in self.held:
            self.held[name].append(invocation)
        elif name in self.failures:
            invocation.return_dbus_error(*self.failures[name])
        elif name == "Host1.LookupDomain" and name not in self.replies:
            found = self.lookup(arguments[0])
            if found:
                invocation.return_value(GLib.Variant("(o)", (found,)))
            else:
                invocation.return_dbus_error(
                    PREFIX + "Error.NotFound", f"there is no domain '{arguments[0]}'"
                )
        else:
            self.answer(invocation, name, self.replies.get(name, []))

    def answer(self, invocation, name, value):
        interface, _, method = name.partition(".")
        info = self.infos[interface].lookup_method(method)
        invocation.return_value(GLib.Variant(signature(info.out_args), tuple(value)))

    # Orders

    def op_calls(self):
        calls, self.calls = self.calls, []
        return calls

    def op_reply(self, method, value):
        self.failures.pop(method, None)
        self.replies[method] = value

    def op_fail(self, method, name, message):
        self.failures[method] = (name, message)

    def op_hold(self, method):
        self.held[method] = []

    def op_release(self, method, value):
        for invocation in self.held.pop(method):
            self.answer(invocation, method, value)

    def op_set(self, path, interface, values):
        self.objects[path][interface].update(values)
        changed = self.properties(path, interface, values)
        self.emit(
            path,
            "org.freedesktop.DBus.Properties",
            "PropertiesChanged",
            GLib.Variant("(sa{sv}as)", (PREFIX + interface, changed, [])),
        )

    def op_emit(self, path, interface, signal, arguments):
        info = self.infos[interface].lookup_signal(signal)
        value = GLib.Variant(signature(info.args), tuple(arguments))
        self.emit(path, PREFIX + interface, signal, value)

    def emit(self, path, interface, signal, arguments):
        self.connection.emit_signal(None, path, interface, signal, arguments)
        self.connection.flush_sync(None)

    def obey(self, channel, _condition):
        line = channel.readline()
        if not line:
            sys.exit(0)
        order = json.loads(line)
        answer = getattr(self, "op_" + order.pop("op"))(**order)
        print(json.dumps(answer), flush=True)
        return True


def main():
    objects = json.loads(sys.stdin.readline())
    fake = Fake(sys.argv[1], sys.argv[2], objects)
    fake.own_name()
    print("null", flush=True)
    GLib.io_add_watch(sys.stdin, GLib.PRIORITY_LOW, GLib.IOCondition.IN | GLib.IOCondition.HUP, fake.obey)
    GLib.MainLoop().run()


if __name__ == "__main__":
    main()
