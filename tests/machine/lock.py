# SPDX-License-Identifier: Apache-2.0
"""Sessions that a card opens, and what logind says of their lock.

    with sessions.session(machine, "alice") as session:     # by card and PIN
        with lock.obedient_locker(machine, session):        # sets LockedHint on Lock
            with lock.Bus(machine) as bus:
                card.remove()
                bus.wait("Lock", session)
"""
import contextlib
import json
import os
import select
import subprocess
import time

import machine as mc

LOGIN1 = "org.freedesktop.login1"
# Hears Lock of one session and does as a locker: says that it holds the screen.
LOCKER = """
dbus-monitor --system "type='signal',interface='org.freedesktop.login1.Session',path='$1'" 2>/dev/null |
while read -r line; do case $line in
    *member=Lock) busctl call org.freedesktop.login1 "$1" org.freedesktop.login1.Session SetLockedHint b true ;;
    *NameAcquired*) touch "$2" ;;
esac; done
"""


def path_of(session):
    """The session's object on the bus: what is no letter or digit is written in hexadecimal, and
    so is a digit at the beginning."""
    name = "".join(one if one.isalnum() and not (one.isdigit() and i == 0) else "_%02x" % ord(one)
                   for i, one in enumerate(session))
    return "/org/freedesktop/login1/session/" + name


class Bus:
    """What logind's sessions say on the system bus from now on."""

    def __init__(self, machine):
        self.machine = machine
        self.seen = []

    def __enter__(self):
        self.process = self.machine.start_aside(
            "busctl", "--system", "--json=short", "monitor", "--match",
            "type='signal',sender='%s'" % LOGIN1, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        os.set_blocking(self.process.stdout.fileno(), False)
        self.rest = b""
        # It says so once its match stands.
        select.select([self.process.stderr], [], [], mc.PATIENCE)
        return self

    def __exit__(self, *_):
        self.process.terminate()
        self.process.wait()
        self.process.stdout.close()
        self.process.stderr.close()

    def read(self, timeout):
        if not select.select([self.process.stdout], [], [], max(timeout, 0))[0]:
            return
        self.rest += os.read(self.process.stdout.fileno(), 1 << 16)
        *lines, self.rest = self.rest.split(b"\n")
        self.seen += [json.loads(line) for line in lines if line.strip()]

    def count(self, member, session):
        return sum(one.get("member") == member and one.get("path") == path_of(session)
                   for one in self.seen)

    def wait(self, member, session, times=1, timeout=mc.PATIENCE):
        """Until that signal of the session was heard so often."""
        deadline = time.monotonic() + timeout
        while self.count(member, session) < times:
            assert time.monotonic() < deadline, "no %s of %s within %g s" % (
                member, session, timeout)
            self.read(deadline - time.monotonic())


def hint(machine, session):
    return machine.run("loginctl", "show-session", session, "-p", "LockedHint", "--value"
                       ).stdout.strip() == "yes"


def set_hint(machine, session, locked, user="alice"):
    machine.run("busctl", "call", LOGIN1, path_of(session), LOGIN1 + ".Session", "SetLockedHint",
                "b", "true" if locked else "false", user=user)


@contextlib.contextmanager
def obedient_locker(machine, session, user="alice"):
    """A program of the user that says "locked" when it hears Lock."""
    ready = "/tmp/locker-%s-%d" % (session, time.monotonic_ns())
    process = machine.start_aside("sh", "-c", LOCKER, "sh", path_of(session), ready, user=user,
                                  stdout=subprocess.DEVNULL)
    try:
        machine.wait_file(ready)
        yield process
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, 9)
        process.wait()


@contextlib.contextmanager
def session(machine, user="alice", pin=mc.PIN, seat=True):
    """A session that the user's card, which is in, opens at `login`; its id and terminal."""
    with machine.terminal("login", "-p", user, seat=seat) as terminal:
        terminal.expect("PIN")
        terminal.sendline(pin)
        terminal.expect(r"\$ ")
        terminal.sendline("echo session''-$XDG_SESSION_ID-")
        terminal.expect(r"session-(\S+)-")
        name = terminal.match.group(1)
        machine.wait_ready()
        yield name
        # However it is, locked or ended, nothing of it is left for the next one.
        machine.run("loginctl", "terminate-session", name, check=False)
    machine.wait_until(lambda: not exists(machine, name), "to end the session")


def exists(machine, name):
    return machine.run("loginctl", "show-session", name, check=False).returncode == 0


def known(machine):
    """What hygied says of its sessions: {session: record}."""
    return {one["session"]: one for one in
            json.loads(machine.run("hygie", "status", "--json").stdout)["sessions"]}
