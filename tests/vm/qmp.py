# SPDX-License-Identifier: Apache-2.0
"""QEMU's monitor protocol, as far as the tests need it.

    with Qmp(link) as qmp:                      # a connected socket
        qmp.execute("device_del", id="ccid")
        qmp.wait_event("DEVICE_DELETED", device="ccid")
"""
import json
import time


class Qmp:
    def __init__(self, link, patience=60.0):
        self.link, self.patience = link, patience
        self.link.settimeout(patience)
        self.lines = self.link.makefile("r")
        self.events = []  # those that nobody waited for yet
        self.read()  # the greeting
        self.execute("qmp_capabilities")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        self.lines.close()
        self.link.close()

    def read(self):
        line = self.lines.readline()
        if not line:
            raise AssertionError("QEMU hung up")
        return json.loads(line)

    def execute(self, command, **arguments):
        """What the command returns. An AssertionError with QEMU's words if it is refused."""
        self.link.sendall(json.dumps({"execute": command, "arguments": arguments}).encode())
        while True:
            answer = self.read()
            if "event" in answer:
                self.events.append(answer)
            elif "error" in answer:
                raise AssertionError("QEMU: %s: %s" % (command, answer["error"]["desc"]))
            else:
                return answer["return"]

    def wait_event(self, name, **data):
        """Until that event came, with these data, and takes it."""
        deadline = time.monotonic() + self.patience
        while True:
            for event in self.events:
                if event["event"] == name and data.items() <= event.get("data", {}).items():
                    self.events.remove(event)
                    return event
            self.link.settimeout(max(deadline - time.monotonic(), 0.001))
            try:
                self.events.append(self.read())
            finally:
                self.link.settimeout(self.patience)
