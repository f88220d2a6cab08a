#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""What opening a record store adds to a login, in a booted machine, with a card that takes 15 ms
for each APDU; and gocryptfs alone on the same folder, in the same run. Inside tests/enclave;
tests/bench/bench calls it.

    store.py OUT.tsv [--rounds N]      adds its rows
"""
import os
import pathlib
import select
import subprocess
import sys
import time

TESTS = pathlib.Path(__file__).resolve().parents[1]
for folder in (TESTS, TESTS / "card", TESTS / "bench", TESTS / "machine"):
    sys.path.insert(0, str(folder))

import machine as mc  # noqa: E402
import meter  # noqa: E402
import records  # noqa: E402
import stacks  # noqa: E402
from measure import split  # noqa: E402
from table import Table, add_rows  # noqa: E402

LATENCY = 15  # ms for each APDU
ROUNDS = 10  # at most
HOLDERS = 100  # of the store that many share
# sudo is no service that opens stores: a login without.
WITH, WITHOUT = "login", "sudo"


class Mounts:
    """The machine's table of mounts, which tells when it changes."""

    def __init__(self, machine):
        self.file = open("/proc/%d/mountinfo" % machine.pid, encoding="utf-8")
        self.poll = select.poll()
        self.poll.register(self.file, select.POLLPRI)

    def wait(self, point):
        """The moment at which something is mounted there, in milliseconds."""
        deadline = time.monotonic() + mc.PATIENCE
        while time.monotonic() < deadline:
            self.file.seek(0)
            if any(line.split()[4] == point for line in self.file):
                return time.monotonic() * 1000
            self.poll.poll(1000)
        raise RuntimeError("nothing was mounted")


def authenticate(machine, service):
    """pamtester, begun and ready for the PIN; it is given by the caller."""
    process = machine.start_aside("pamtester", service, "alice", "authenticate",
                                  stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                  stderr=subprocess.STDOUT)
    text = b""
    while b"PIN" not in text:
        text += os.read(process.stdout.fileno(), 4096)
    return process


def login(machine, card, service, mounts=None, point=None):
    """APDUs of one login, and the milliseconds from the PIN to its answer, or to the mount."""
    machine.wait_ready()
    process = authenticate(machine, service)
    card.reset_count()
    began = time.monotonic() * 1000
    process.stdin.write((mc.PIN + "\n").encode())
    process.stdin.flush()
    if mounts:
        took = mounts.wait(point) - began
    if process.wait(mc.PATIENCE) != 0:
        raise RuntimeError("a login failed")
    if not mounts:
        took = time.monotonic() * 1000 - began
    process.stdin.close()
    process.stdout.close()
    machine.wait_ready()
    return split(card.log())[1], took


def alone(machine, store, mounts):
    """gocryptfs by itself: from its start to the mount. It looks at what it has mounted, and can be
    unmounted when it says that it is ready."""
    process = machine.start_aside(
        "sh", "-c", "read go; exec gocryptfs -fg -nosyslog -allow_other -passfile /run/secret "
        "'%s/cipher' '%s'" % (store.folder, store.mount), stdin=subprocess.PIPE,
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    began = time.monotonic() * 1000
    process.stdin.write(b"\n")
    process.stdin.flush()
    took = mounts.wait(store.mount) - began
    said = b""
    while b"mounted and ready" not in said:
        line = process.stdout.readline()
        if not line:
            raise RuntimeError("gocryptfs: " + said.decode(errors="replace"))
        said += line
    machine.run("umount", store.mount)
    process.communicate(timeout=mc.PATIENCE)
    return took


def openings(machine, card, store, mounts, rounds):
    """Logins that open the store, and gocryptfs by itself after each."""
    opened, by_itself = [], []
    for _ in range(rounds):
        opened.append(login(machine, card, WITH, mounts, store.mount))
        machine.run("hygie", "store", "close", store.name)
        store.wait_shut()
        by_itself.append(alone(machine, store, mounts))
        store.wait_shut()
    return opened, by_itself


def measure(home, rounds):
    table = Table()
    rounds = min(rounds, ROUNDS)
    with mc.Machine(home, "[store]\ngrace = 10min\n") as machine:
        stacks.use(machine, "optional")
        machine.run("groupadd", records.GROUP)
        content = machine.make_card("alice", "rsa2048")
        with machine.card(content) as card:
            machine.wait_ready()
            machine.enrol("alice")
            holder = {"alice": machine.keys.key("rsa2048", "alice-9a")}
            store = records.Records(machine, holder)
            machine.write("/run/secret", store.secret + "\n", mode="600")
            mounts = Mounts(machine)
            card.latency(LATENCY)
            plain = [login(machine, card, WITHOUT) for _ in range(rounds)]
            opened, by_itself = openings(machine, card, store, mounts, rounds)
            machine.run("rm", "-r", store.folder, store.mount)
            store = records.Records(machine, holder, others=HOLDERS - 1)
            machine.write("/run/secret", store.secret + "\n", mode="600")
            shared, _ = openings(machine, card, store, mounts, rounds)
    usual = meter.median([took for _, took in plain])
    more = meter.same(count for count, _ in plain)
    table.add("store_open_apdus", meter.same(count for count, _ in opened) - more, "APDU",
              "more in a login that opens a store; goal 4")
    table.times("store_open_ms", [took - usual for _, took in opened],
                "from PIN to mount, less a login without; %d ms an APDU" % LATENCY)
    table.times("gocryptfs_alone_ms", by_itself, "the same folder, by hand; goal 100 less at most")
    table.add("store_%d_holders_open_apdus" % HOLDERS,
              meter.same(count for count, _ in shared) - more, "APDU", "goal: as with one")
    table.times("store_%d_holders_open_ms" % HOLDERS, [took - usual for _, took in shared],
                "goal: as with one")
    return table


if __name__ == "__main__":
    add_rows("store", measure, 10)
