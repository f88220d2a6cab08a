# SPDX-License-Identifier: Apache-2.0
"""hygied killed (SIGKILL) at every call that it makes between the card's answer and the mount
(kill_at.c): no half-open mount, no key without one, and the next opening works."""
import os
import pathlib
import shutil

import pytest

import machine as mc
import shell
from recordsite import CONFIG, card, cards, made, store  # noqa: F401

LIBRARY = mc.ROOT / os.environ.get("BUILD", "build") / "tests" / "kill-at.so"
STEPS_AT_LEAST, STEPS_AT_MOST = 20, 300
BEYOND = 4  # openings in a row that ended before such a call: all were tried


@pytest.fixture
def kill(machine):
    """A function: the next login's hygied is killed at that call; 0: at none."""
    inside = pathlib.Path("/proc/%d/root" % machine.pid)
    shutil.copy(LIBRARY, inside / "usr/lib/kill-at.so")
    machine.run("mkdir", "-p", "/etc/systemd/system/hygied.service.d")
    machine.write("/etc/systemd/system/hygied.service.d/kill.conf",
                  "[Service]\nEnvironment=LD_PRELOAD=/usr/lib/kill-at.so\n")
    machine.run("systemctl", "daemon-reload")
    machine.run("systemctl", "restart", "hygied.service")

    def arm(number):
        (inside / "run/hygie/kill-count").unlink(missing_ok=True)
        (inside / "run/hygie/kill-at").write_text(str(number))
        return inside / "run/hygie/kill-count"
    yield arm
    (inside / "run/hygie/kill-at").unlink(missing_ok=True)
    machine.run("rm", "/etc/systemd/system/hygied.service.d/kill.conf")
    machine.run("systemctl", "daemon-reload")
    machine.run("systemctl", "restart", "hygied.service")


def daemon(machine):
    return machine.run("systemctl", "show", "-p", "MainPID", "--value", "hygied.service").stdout


def authenticate(machine):
    machine.wait_ready()
    return machine.run("pamtester", "login", "alice", "authenticate", stdin=mc.PIN + "\n",
                       check=False)


def is_whole(store):  # noqa: F811
    """Open altogether, or shut altogether, and hygied says the same."""
    state = store.status()[0]["state"]
    return (state == "open" and len(store.mounts()) == len(store.ciphers()) == 1
            or state == "shut" and store.is_shut())


def test_hygied_killed_at_every_call_leaves_no_half_open_mount(machine, store, card,  # noqa: F811
                                                              kill):
    counted = kill(0)
    machine.wait_ready()
    before = daemon(machine)
    authenticate(machine)
    machine.wait_until(counted.exists, "to open it, counted")
    assert daemon(machine) == before, "it was killed at no call"
    machine.run("hygie", "store", "close", store.name)
    store.wait_shut()
    number = killed = beyond = 0
    while beyond < BEYOND:  # their number varies, as events come together or apart
        number += 1
        assert number < STEPS_AT_MOST
        machine.run("systemctl", "stop", "hygie-store@%s.service" % store.name)  # as at first
        counted = kill(number)
        before = daemon(machine)
        authenticate(machine)
        machine.wait_until(lambda: daemon(machine) not in (before, "0\n") or counted.exists(),
                           "to be killed, or not, at call %d" % number)
        beyond = beyond + 1 if counted.exists() else 0
        killed += not counted.exists()
        machine.wait_ready()
        store.wait(lambda: is_whole(store), "to be whole after call %d" % number)
        machine.run("hygie", "store", "close", store.name, check=False)
        store.wait_shut()
        if not number % 5 or beyond == BEYOND:
            with shell.session(machine):
                assert store.is_open(), number
            store.wait_shut()
    assert killed > STEPS_AT_LEAST
