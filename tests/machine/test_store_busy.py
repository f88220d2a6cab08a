# SPDX-License-Identifier: Apache-2.0
"""A record store that is to be closed and is in use: who keeps it is told, loses nothing, and gives
up in the end; and one that nobody uses."""
import os
import shlex
import signal

import pytest

import desk
import machine as mc
import records
import shell
from recordsite import CONFIG, ask_open, card, cards, made, main_pid, store  # noqa: F401
from traced import at, is_stopped, traced


def test_an_editor_with_unsaved_work_is_told_and_loses_nothing(machine, store, card):
    with shell.session(machine) as terminal:
        terminal.sendline("exec 3>%s/letter; printf 'Dear ' >&3; echo wri''ting" % store.mount)
        terminal.expect("writing")
        card.remove()
        store.wait(lambda: store.status()[1], "to tell who keeps it busy")
        state, programs = store.status()
        assert state["state"] == "closing" and state["sessions"] == 0
        assert (programs[0]["value"], programs[0]["user"]) == ("bash", "alice")
        assert programs[0]["file"] == store.mount + "/letter"
        assert ("store-busy", "timed-out") in store.events()
        assert store.is_open() and store.ciphers()
        terminal.sendline("printf 'colleague' >&3; exec 3>&-; echo sa''ved")
        terminal.expect("saved")
        store.wait_shut()
        card.insert()
        machine.wait_ready()
    with shell.session(machine) as terminal:
        assert shell.say(terminal, "cat %s/letter" % store.mount) == ("Dear colleague", 0)


TOLD = ("show 1 Record store records: bash (process %s) still has letter. Save your work and "
        "close it; the store then closes by itself.")


def test_a_person_is_told_on_the_screen_what_keeps_it_busy_and_nobody_else_is(
        machine, store, card):
    locker = ("i3lock", "-c", "203040")
    with desk.open_x(machine) as at, \
            machine.terminal("login", "-p", "carol", seat=False) as other:
        other.expect("Password")
        other.sendline(mc.PASSWORD)
        other.expect(r"\$ ")
        shell.say(other, "hygie session-lock %s 2>/tmp/carols & true" % shlex.join(locker))
        at.start_notified()
        at.start_lock(*locker)
        machine.wait_until(lambda: "hygied knows" in machine.run("cat", "/tmp/carols").stdout,
                           "to hear hygied in the other session")
        assert at.shell("exec 3>%s/letter; echo pid''=$$=" % store.mount) == 0
        told = TOLD % at.shell_match(r"pid=(\d+)=")
        card.remove()
        machine.wait_until(lambda: told in at.notified(), "to tell: %s" % at.notified())
        assert told[len("show 1 "):] in at.log()
        assert at.shell("exec 3>&-") == 0
        store.wait_shut()
        machine.wait_until(lambda: "close 1" in at.notified(), "to take it back")
        assert at.notified() == [told, "close 1"]
        assert "Record store" not in machine.run("cat", "/tmp/carols").stdout
        other.sendline("exit")
        other.expect(mc.pexpect.EOF)


def test_a_login_while_it_is_busy_keeps_it_open(machine, store, card):
    with shell.session(machine) as first:
        first.sendline("cd %s; echo with''in" % store.mount)
        first.expect("within")
        card.remove()
        store.wait(lambda: store.status()[0]["state"] == "closing", "to be busy")
        card.insert()
        machine.wait_ready()
        with shell.session(machine):
            assert store.status()[0]["state"] == "open"
            first.sendline("cd /; echo with''out")
            first.expect("without")
            machine.run("sleep", "1")
            assert store.is_open()
        store.wait_shut()


def test_a_store_whose_key_lives_is_not_called_shut(machine, store, card):
    """A mount namespace of its own that takes no part in unmounting keeps gocryptfs alive."""
    with shell.session(machine) as terminal:
        machine.run("systemd-run", "--unit=apart", "-p", "PrivateMounts=yes",
                    "-p", "MountFlags=private", "sleep", "1000")
        machine.wait_until(lambda: machine.run("systemctl", "is-active", "apart",
                                               check=False).stdout == "active\n", "to begin")
        assert "It goes on" in machine.run("hygie", "store", "close", store.name).stdout
        assert not store.mounts() and store.ciphers()
        assert store.status()[0]["state"] == "closing"
        assert ask_open(machine, terminal, told="still being closed") != 0
        assert store.status()[0]["state"] == "closing" and store.ciphers()
        machine.run("systemctl", "stop", "apart")
        store.wait_shut()
        machine.wait_until(lambda: store.status()[0]["state"] == "shut", "to hear of it")
    machine.wait_ready()


def test_a_store_that_nobody_uses_closes_and_opens_again(machine, store, card):
    store.set_idle(2)
    try:
        with shell.session(machine) as terminal:
            assert store.is_open()
            store.wait_shut()
            assert store.events()[-3:] == [("store-idle", "ok"), ("store-close", "ok"),
                                           ("store-closed", "ok")]
            assert ask_open(machine, terminal) == 0 and store.is_open()
            store.wait_shut()
    finally:
        store.set_idle(0)


@pytest.fixture
def limit(machine, card):
    """A hard limit of two seconds."""
    machine.write("/etc/hygie/hygie.conf.d/limit.conf", "[store]\nhard_limit = 2s\n")
    machine.run("systemctl", "restart", "hygied")
    machine.wait_ready()
    yield
    machine.run("rm", "/etc/hygie/hygie.conf.d/limit.conf")
    machine.run("systemctl", "restart", "hygied")
    machine.wait_ready()


def hold(store, terminal, before=""):
    """A program in the session writes, and goes on."""
    terminal.sendline("sh -c '%s exec 3>%s/letter; echo wri''\"\"''ting; exec sleep 1000'"
                      % (before, store.mount))
    terminal.expect("writing")


def test_beyond_the_hard_limit_the_holder_is_ended_and_audited(machine, store, limit):
    with shell.session(machine) as terminal:
        hold(store, terminal)
        machine.run("hygie", "store", "close", store.name)
        assert store.status()[1], "told before"
        terminal.expect("Terminated")
        store.wait_shut()
        events = store.events()
        assert ("store-forced", "timed-out") in events and \
            events[-1] == ("store-closed", "ok")


def test_a_login_that_crosses_the_end_of_gocryptfs_hides_it_not_from_the_audit(
        machine, store, limit, tmp_path):
    """The keeper stands still as it has killed it; hygied knows nothing of that yet."""
    log = tmp_path / "strace"
    with shell.session(machine) as terminal:
        hold(store, terminal, "trap \"\" TERM;")
        keeper = records.outside_pid(machine, main_pid(machine, "hygie-store@records.service"))
        with traced(keeper, log, at(("kill", 1), "signal=STOP"), "kill"):
            machine.run("hygie", "store", "close", store.name)
            machine.wait_until(lambda: is_stopped(log), "to end gocryptfs")
        try:
            machine.wait_ready()
            with machine.terminal("login", "-p", "alice", seat=False) as second:
                second.expect("PIN")
                second.sendline(mc.PIN)
                store.wait(lambda: store.status()[0]["state"] == "opening", "to prove himself")
                os.kill(keeper, signal.SIGCONT)
                second.expect(r"\$ ")
                store.wait(lambda: store.status()[0]["state"] == "open", "to open anew")
                assert store.events()[-3:] == [("store-forced", "timed-out"),
                                               ("store-closed", "timed-out"), ("store-open", "ok")]
                second.sendline("exit")
                second.expect(mc.pexpect.EOF)
        finally:
            os.kill(keeper, signal.SIGCONT)
        terminal.sendintr()
    store.wait_shut()
