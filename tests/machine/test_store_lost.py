# SPDX-License-Identifier: Apache-2.0
"""hygied, a keeper, or the connection between them is lost: the store stays open for who holds it,
closes for who has gone, and is never called shut while its key lives."""
import contextlib
import re
import socket

import machine as mc
import records
import shell
from recordsite import CONFIG, ask_open, card, cards, made, main_pid, store  # noqa: F401


def test_hygied_killed_leaves_it_open_and_closes_it_at_logout(machine, store, card):
    with shell.session(machine) as terminal:
        machine.run("systemctl", "kill", "--signal=KILL", "hygied.service")
        machine.wait_ready()
        assert store.is_open()
        assert shell.say(terminal, "ls %s" % store.mount)[1] == 0
        assert store.status()[0]["sessions"] == 1
        machine.run("sleep", "3")  # the grace that it has for showing itself: it did
        assert store.is_open()
    store.wait_shut()


def test_a_logout_while_hygied_is_down_closes_it_later(machine, store, card):
    with shell.session(machine):
        machine.run("systemctl", "stop", "hygied.socket", "hygied.service")
        assert store.is_open()
    assert store.is_open(), "the control: nobody was there to close it"
    machine.run("systemctl", "start", "hygied.socket", "hygied.service")
    store.wait_shut()
    machine.wait_ready()


def test_what_is_left_behind_in_a_session_does_not_count_as_one(machine, store, card):
    """logind keeps a session "closing" while a program of it goes on; hygied was down when its
    user logged out."""
    with shell.session(machine) as terminal:
        terminal.sendline("(trap '' HUP TERM; exec sleep 1000) & echo be''hind-$!-")
        terminal.expect(r"behind-(\d+)-")
        left = terminal.match.group(1)
        machine.run("systemctl", "stop", "hygied.socket", "hygied.service")
        terminal.sendline("exit")
        terminal.expect(mc.pexpect.EOF)
        machine.wait_until(lambda: "State=closing" in machine.run(
            "loginctl", "show-session", terminal.session, check=False).stdout, "to log out")
        assert store.is_open(), "the control: nobody was there to close it"
        machine.run("systemctl", "start", "hygied.socket", "hygied.service")
        store.wait_shut()
        machine.run("kill", "-KILL", left)  # it went on, and heeds nothing else
    machine.wait_ready()


def cut(machine):
    """Ends hygied's connection to the keeper from outside: both live on."""
    hygied, keeper = (main_pid(machine, unit)
                      for unit in ("hygied.service", "hygie-store@records.service"))
    sockets = machine.run("ss", "-xpnH", "state", "connected").stdout
    mine = {int(number) for line in sockets.splitlines() if "pid=%d," % hygied in line
            for number in re.findall(r"pid=%d,fd=(\d+)" % hygied, line)
            if any("pid=%d," % keeper in other and other.split()[5] == line.split()[7]
                   for other in sockets.splitlines())}
    assert len(mine) == 1, sockets
    outside = records.outside_pid(machine, hygied)
    with records.borrowed_socket(outside, mine.pop()) as connection:
        connection.shutdown(socket.SHUT_RDWR)


def test_a_lost_connection_to_a_living_keeper_loses_no_hold(machine, store, card):
    with shell.session(machine):
        for _ in range(2):
            cut(machine)
            machine.wait_until(lambda: store.status()[0]["state"] == "open", "to find it again")
        assert store.status()[0]["sessions"] == 1 and store.is_open()
    store.wait_shut()
    assert store.events()[-1] == ("store-closed", "ok")


@contextlib.contextmanager
def crowd(machine):
    """So many wait at the keeper's socket that nobody else may."""
    path = "/proc/%d/root/run/hygie/store/records.sock" % machine.pid
    with contextlib.ExitStack() as waiting:
        for _ in range(1000):
            one = waiting.enter_context(socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET))
            one.setblocking(False)
            try:
                one.connect(path)
            except BlockingIOError:
                break
        else:
            raise AssertionError("it takes whoever comes")
        yield


def test_a_keeper_that_cannot_be_reached_for_a_while_is_not_gone(machine, store, card):
    def keeper(signal):
        machine.run("systemctl", "kill", "--kill-whom=main", "--signal=" + signal,
                    "hygie-store@records.service")

    with shell.session(machine):
        keeper("STOP")
        try:
            with crowd(machine):
                cut(machine)
                machine.wait_until(lambda: "no connection to its keeper (Resource temporarily"
                                   in machine.journal("-u", "hygied"), "to try")
                assert store.status()[0]["sessions"] == 1
        finally:
            keeper("CONT")
        machine.wait_until(lambda: store.status()[0]["state"] == "open", "to find it again")
        assert store.status()[0]["sessions"] == 1 and store.is_open()
        assert ("store-lost", "unavailable") not in store.events()[-3:]
    store.wait_shut()


def test_a_lost_connection_loses_no_closing_that_is_pending(machine, store, card):
    with shell.session(machine) as terminal:
        terminal.sendline("exec 3>%s/letter; echo wri''ting" % store.mount)
        terminal.expect("writing")
        card.remove()
        store.wait(lambda: store.status()[0]["state"] == "closing", "to be busy")
        cut(machine)
        said = machine.run("hygie", "store", "close", store.name)  # root asks again
        assert "Programs still have files of it open" in said.stdout, said
        assert store.status()[0]["state"] == "closing" and store.is_open()
        terminal.sendline("exec 3>&-")
        store.wait_shut()
        machine.wait_until(lambda: store.status()[0]["state"] == "shut", "to hear of it")
        card.insert()
        machine.wait_ready()


def test_a_killed_keeper_leaves_no_key_and_no_dead_mount(machine, store, card):
    with shell.session(machine) as terminal:
        machine.run("systemctl", "kill", "--kill-whom=main", "--signal=KILL",
                    "hygie-store@records.service")
        store.wait_shut()
        machine.wait_until(lambda: ("store-lost", "unavailable") in store.events(), "to hear")
        assert ask_open(machine, terminal) == 0 and store.is_open()
    store.wait_shut()
