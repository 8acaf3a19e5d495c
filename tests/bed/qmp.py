#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Speak to the emulator's control socket: qmp.py SOCKET save FILE | load FILE | port

The machine's memory lives in a file that is shared with the emulator, so a saved state is that file
and the devices only (x-ignore-shared).
"""
import json
import re
import socket
import sys
import time


class Monitor:
    def __init__(self, path):
        sock = socket.socket(socket.AF_UNIX)
        sock.connect(path)
        self.stream = sock.makefile("rw")
        self.stream.readline()
        self.ask("qmp_capabilities")

    def ask(self, command, **arguments):
        self.stream.write(json.dumps({"execute": command, "arguments": arguments}) + "\n")
        self.stream.flush()
        for line in self.stream:
            reply = json.loads(line)
            if "error" in reply:
                sys.exit(f"qmp: {command}: {reply['error']['desc']}")
            if "return" in reply:
                return reply["return"]
        sys.exit(f"qmp: {command}: the emulator is gone")

    def migrate(self, command, file):
        self.ask("migrate-set-capabilities",
                 capabilities=[{"capability": "x-ignore-shared", "state": True}])
        self.ask(command, uri=f"file:{file}")
        while (status := self.ask("query-migrate").get("status")) != "completed":
            if status in ("failed", "cancelled"):
                sys.exit(f"qmp: {command}: {status}")
            time.sleep(0.01)


def main(path, verb, file=None):
    monitor = Monitor(path)
    if verb == "save":
        monitor.ask("stop")
        monitor.migrate("migrate", file)
        monitor.ask("quit")
    elif verb == "load":
        monitor.migrate("migrate-incoming", file)
        monitor.ask("cont")
    elif verb == "port":
        table = monitor.ask("human-monitor-command", **{"command-line": "info usernet"})
        print(re.search(r"TCP\[HOST_FORWARD\]\s+\d+\s+127\.0\.0\.1\s+(\d+)", table)[1])
    else:
        sys.exit(__doc__)


main(*sys.argv[1:])
