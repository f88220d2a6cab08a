# SPDX-License-Identifier: Apache-2.0
"""What the tests do on the guest's seat: log in on a console, cover a session, show a login
screen, change hygied's settings."""
import contextlib

import guest as vm
import lock

PROMPT = "alice@hygie-vm:~$"
LOGIN = "hygie-vm login:"
GREETER = ("systemd-run", "--unit=greeter", "-p", "PAMName=greeter",
           "-p", "User=greeter", "-p", "TTYPath=/dev/tty2", "-p", "StandardInput=tty",
           "-E", "XDG_SEAT=seat0", "-E", "XDG_VTNR=2", "-E", "XDG_SESSION_CLASS=greeter",
           "-E", "XDG_SESSION_TYPE=tty", "cat")


def sessions(guest):
    """Of all: {id: (user, terminal)}."""
    lines = guest.run("loginctl", "--no-legend", "list-sessions").stdout.splitlines()
    return {words[0]: (words[2], words[-1]) for words in map(str.split, lines)}


@contextlib.contextmanager
def login(guest, asked="PIN", answer=vm.mc.PIN):
    """alice on tty1, by keyboard; the session's id. It is over when this is left."""
    guest.run("chvt", "1")
    guest.wait_screen(1, LOGIN)
    before = sessions(guest)
    guest.type("alice\n")
    guest.wait_screen(1, asked)
    guest.type(answer + "\n")
    guest.wait_screen(1, PROMPT)
    (session,) = sessions(guest).keys() - before.keys()
    try:
        yield session
    finally:
        guest.run("loginctl", "terminate-session", session, check=False)
        guest.wait_until(lambda: session not in sessions(guest), "to end the session")


@contextlib.contextmanager
def settings(guest, text):
    """hygied as started anew with these lines more."""
    path = "/etc/hygie/hygie.conf.d/60-test.conf"
    guest.write(path, text)
    guest.run("systemctl", "restart", "hygied.service")
    try:
        yield
    finally:
        guest.run("rm", path)
        guest.run("systemctl", "restart", "hygied.service")


@contextlib.contextmanager
def locker(guest, session):
    """A program of alice's that says "locked" when it hears Lock."""
    ready = "/tmp/locker-" + session
    guest.run("systemd-run", "--unit=locker", "--uid=alice", "sh", "-c",
              lock.LOCKER.replace("$", "$$"), "sh", lock.path_of(session), ready)
    try:
        guest.wait_file(ready)
        yield
    finally:
        guest.run("systemctl", "stop", "locker.service")


@contextlib.contextmanager
def greeter(guest):
    """A login screen's session on tty2, as a display manager makes it; its id."""
    if guest.run("id", "greeter", check=False).returncode != 0:
        guest.run("useradd", "--system", "greeter")
        guest.write("/etc/pam.d/greeter", "account required pam_permit.so\n"
                    "session required pam_systemd.so\n")
    before = sessions(guest)
    guest.run(*GREETER)
    try:
        guest.wait_until(lambda: sessions(guest).keys() - before.keys(), "to show a greeter")
        (session,) = sessions(guest).keys() - before.keys()
        yield session
    finally:
        guest.run("systemctl", "stop", "greeter.service")
        guest.wait_until(lambda: session not in sessions(guest), "to end the greeter")


def phase(guest, session):
    return lock.known(guest).get(session, {}).get("phase")
