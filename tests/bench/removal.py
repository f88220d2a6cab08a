#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""How soon a session is told to lock once its card is out, in a booted machine: from the moment
at which a bare SCardGetStatusChange client sees the removal to logind's Lock on the bus. Beside
it, in the same run, pam_pkcs11's pkcs11_eventmgr; and how often hygied wakes up when nothing
happens. Inside tests/enclave; tests/bench/bench calls it after measure.py.

    removal.py OUT.tsv [--rounds N]      adds its rows
"""
import contextlib
import os
import pathlib
import select
import subprocess
import sys
import time

TESTS = pathlib.Path(__file__).resolve().parents[1]
for folder in (TESTS, TESTS / "card", TESTS / "bench", TESTS / "machine"):
    sys.path.insert(0, str(folder))

import lock  # noqa: E402
import machine as mc  # noqa: E402
import meter  # noqa: E402
import stacks  # noqa: E402
from table import Table, add_rows  # noqa: E402

READER = "Virtual PCD 00 00"
PEER_ROUNDS = 10  # at most
IDLE_SECONDS = 60
CONFIG = "[removal]\ntext_action = lock\n"
# Its fastest polling; what it starts on a removal says when.
EVENTMGR = """pkcs11_eventmgr {
    daemon = false; debug = false; polling_time = 1; expire_time = 0;
    pkcs11_module = /usr/lib/x86_64-linux-gnu/opensc-pkcs11.so;
    event card_remove { on_error = ignore; action = "%s"; }
}
"""


class Watcher:
    """bench-removal, looking into the machine from here."""

    def __init__(self, machine, session):
        inside = "/proc/%d/root" % machine.pid
        self.environment = {**os.environ,
                            "PCSCLITE_CSOCK_NAME": inside + "/run/pcscd/pcscd.comm",
                            "DBUS_SYSTEM_BUS_ADDRESS":
                                "unix:path=%s/run/dbus/system_bus_socket" % inside}
        self.command = [str(mc.STAGE.parent / "tests" / "bench-removal"), READER,
                        lock.path_of(session)]

    def __enter__(self):
        self.process = subprocess.Popen(self.command, env=self.environment,
                                        stdout=subprocess.PIPE)
        os.set_blocking(self.process.stdout.fileno(), False)
        self.rest, self.told = b"", []
        self.wait("ready")
        return self

    def __exit__(self, *_):
        self.process.kill()
        self.process.wait()
        self.process.stdout.close()

    def wait(self, what):
        """The time of the next line that says so, nanoseconds; what came before is passed over."""
        deadline = time.monotonic() + mc.PATIENCE
        while True:
            for i, (word, moment) in enumerate(self.told):
                if word == what:
                    del self.told[i]
                    return moment
            if not select.select([self.process.stdout], [], [], deadline - time.monotonic())[0]:
                raise RuntimeError("bench-removal says no %s" % what)
            self.rest += os.read(self.process.stdout.fileno(), 1 << 16)
            *lines, self.rest = self.rest.split(b"\n")
            self.told += [(word.decode(), int(moment)) for word, moment in map(bytes.split, lines)]


def unlock(machine):
    """The card and its PIN at a locker: it is the card's session again."""
    machine.wait_ready()
    machine.run("pamtester", "bench-locker", "alice", "authenticate", stdin=mc.PIN + "\n",
                user="alice")


def removals(machine, card, watcher, rounds):
    """Milliseconds from gone to lock."""
    waits = []
    for _ in range(rounds):
        card.remove()
        gone = watcher.wait("gone")
        waits.append((watcher.wait("lock") - gone) / 1e6)
        card.insert()
        unlock(machine)
    return waits


@contextlib.contextmanager
def eventmgr(home, watcher):
    """pkcs11_eventmgr on the machine's pcscd; gives where it writes the times."""
    stamps, action = home / "stamps", home / "stamp"
    stamps.write_text("")
    action.write_text("#!/bin/sh\ndate +%%s%%N >>%s\n" % stamps)
    action.chmod(0o755)
    (home / "eventmgr.conf").write_text(EVENTMGR % action)
    process = subprocess.Popen(["pkcs11_eventmgr", "nodebug", "nodaemon",
                                "config_file=%s" % (home / "eventmgr.conf")],
                               env=watcher.environment, stdin=subprocess.DEVNULL,
                               stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        yield stamps
    finally:
        process.kill()
        process.wait()


def peer_removals(machine, card, watcher, home, rounds):
    """The same for the peer; a removal that it missed is one of no end. Returns milliseconds."""
    waits = []
    with eventmgr(home, watcher) as stamps:
        # It tells nothing once it watches: its first removal is waited for, and not counted.
        for number in range(rounds + 1):
            before = len(stamps.read_text().split())
            time.sleep(2 if number == 0 else 1.1)  # it must have seen the card by its own clock
            card.remove()
            gone = watcher.wait("gone")
            watcher.wait("lock")
            machine.wait_until(lambda: len(stamps.read_text().split()) > before,
                               "for pkcs11_eventmgr")
            if number > 0:
                waits.append((int(stamps.read_text().split()[-1]) - gone) / 1e6)
            card.insert()
            unlock(machine)
    return waits


def wakeups(pids):
    """How often all threads of these have gone to sleep so far."""
    total = 0
    for pid in pids:
        for task in pathlib.Path("/proc", str(pid), "task").iterdir():
            for line in (task / "status").read_text().splitlines():
                if line.startswith("voluntary_ctxt_switches"):
                    total += int(line.split()[1])
    return total


def settled(value):
    """What it is once it stayed so: the last request's end was dealt with by then, and hygied
    looked for the last time for a reader that it was not told of (6.4 s after the look before)."""
    while True:
        before = value()
        time.sleep(7)
        if value() == before:
            return before


def idle(machine):
    """Wake-ups of hygied and the card's warm helper in a minute; the watchdog is off."""
    main = int(machine.run("systemctl", "show", "-p", "MainPID", "--value",
                           "hygied.service").stdout)
    group = machine.cgroup / "system.slice" / "hygied.service" / "cgroup.procs"
    machine.wait_ready()
    pids = [int(word) for word in group.read_text().split()]
    assert main and len(pids) == 2, pids
    before = settled(lambda: wakeups(pids))
    time.sleep(IDLE_SECONDS)
    return (wakeups(pids) - before) * 60 / IDLE_SECONDS


def measure(home, rounds):
    table = Table()
    with mc.Machine(home, CONFIG) as machine:
        machine.write("/etc/pam.d/bench-locker",
                      "@include common-auth\n@include common-account\n")
        machine.run("mkdir", "-p", "/etc/systemd/system/hygied.service.d")
        machine.write("/etc/systemd/system/hygied.service.d/bench.conf",
                      "[Service]\nWatchdogSec=0\n")
        machine.run("systemctl", "daemon-reload")
        machine.run("systemctl", "restart", "hygied.service")
        stacks.use(machine, "optional")
        machine.cards = {"alice": machine.make_card("alice", "rsa2048")}
        with machine.card(machine.cards["alice"]) as card:
            machine.wait_ready()
            machine.enrol("alice")
            machine.wait_ready()
            with lock.session(machine) as session, Watcher(machine, session) as watcher:
                waits = removals(machine, card, watcher, rounds)
                peer = peer_removals(machine, card, watcher, home, min(rounds, PEER_ROUNDS))
                table.add("idle_wakeups_per_minute", idle(machine), "",
                          "hygied and a warm helper, card in, watchdog off; goal 0")
    table.add("removal_to_lock_ms_median", meter.median(waits), "ms",
              "from a bare client's seeing it to Lock on the bus, of %d; goal 5" % rounds)
    table.add("removal_to_lock_ms_worst_of_%d" % rounds, max(waits), "ms", "goal 20")
    table.add("peer_eventmgr_removal_ms_median", meter.median(peer), "ms",
              "pkcs11_eventmgr, polling_time = 1, of %d" % len(peer))
    return table


if __name__ == "__main__":
    add_rows("removal", measure, 50)
