# SPDX-License-Identifier: Apache-2.0
"""Attacks on hygied as a whole: by local users who flood and vanish, by programs that hold the
reader, by other instances, by time; and what many logins leave behind."""
import contextlib
import os
import pathlib
import pwd
import resource
import signal
import socket
import sqlite3
import subprocess
import time

import pytest

import pamclient as pam
import pcscd
import pivcard
import processes
import scard
import station as st
import wire
from attack import eventually
from dialogues import ask, hear, outcome, restart, settings, stopped
from sockets import being

WRONG = "654321"


# Time.

def test_card_put_in_late_is_read_and_asked_for(station, alice):
    """The time for reading begins with the card, not with the request."""
    with settings(station, "[login]\ndeadline = 4s\ncard_wait = 60s\n"), \
            station.card(alice, absent=True) as card, ask(USER="alice") as link:
        assert hear(link, "INFO", "RESULT").type == "INFO"  # insert it
        link.settimeout(4.5)
        with pytest.raises(TimeoutError):
            link.recv(wire.MESSAGE_MAX)
        link.settimeout(20)
        card.insert()
        assert outcome(hear(link)) == "PROMPT"


# People who vanish, and what is left of them.

def test_try_of_a_client_that_vanished_is_in_the_audit(station, card):
    before = station.log().count("audit: authenticate: gave-up")
    with ask(USER="alice", SERVICE="vanishes") as link:
        assert outcome(hear(link)) == "PROMPT"
        card.silent_at(1)  # the card's answer does not outrun the hang-up
        link.sendall(wire.encode("ANSWER", {"ANSWER": WRONG.encode()}))
        card.wait_silent()
    station.wait_log("audit: authenticate: gave-up", count=before + 1)
    line = [line for line in station.log().splitlines() if "gave-up" in line][-1]
    assert "user=alice" in line and "service=vanishes" in line, line
    card.speak()
    station.wait_ready()
    card.unblock()


def test_cancelled_login_is_in_the_audit_once(station, card):
    before, gave_up = (station.log().count(text) for text in ("audit: ", "gave-up"))
    with ask(USER="alice") as link:
        assert outcome(hear(link)) == "PROMPT"
        link.sendall(wire.encode("CANCEL"))
        assert outcome(hear(link)) == "GAVE_UP"
    station.wait_log("gave-up", count=gave_up + 1)
    assert station.log().count("audit: ") == before + 1


@pytest.mark.parametrize("request_name,event", [
    ("REQUEST_REVOKE", "revoke"), ("REQUEST_OPEN_SESSION", "open-session"),
    ("REQUEST_CLOSE_SESSION", "close-session")])
def test_user_who_asks_what_is_roots_is_in_the_audit(station, request_name, event):
    with being("mallory"), ask(request_name, USER="alice") as link:
        assert outcome(hear(link)) == "NOT_ALLOWED"
    line = "audit: %s: not-allowed peer_uid=%d" % (event, pwd.getpwnam("mallory").pw_uid)
    assert line in station.log()


def test_ticket_that_is_none_is_in_the_audit(station):
    with ask("REQUEST_OPEN_SESSION", TICKET="f" * 64, SESSION="c1") as link:
        assert outcome(hear(link)) == "NOT_FOUND"
    assert "audit: open-session: not-found session=c1" in station.log()


# Last words.

def test_user_over_his_limit_is_told_so_whenever_he_speaks(station):
    with contextlib.ExitStack() as links, being("mallory"):
        for _ in range(16):
            links.enter_context(st.connect())
        with stopped(station):
            link = links.enter_context(ask("REQUEST_STATUS"))
        assert outcome(hear(link)) == "TOO_MANY"


def test_result_is_read_though_more_was_said_after_the_request(station):
    with stopped(station):
        link = ask("REQUEST_STATUS")
        link.sendall(wire.encode("ANSWER", {"ANSWER": WRONG.encode()}))
    with link:
        assert outcome(hear(link)) == "OK"


# Floods.

def test_turned_away_connections_do_not_flood_the_log(station):
    before = len(station.log().splitlines())
    with contextlib.ExitStack() as links, being("mallory"):
        for _ in range(400):
            links.enter_context(st.connect())
    assert station.status()["readers"] is not None
    assert len(station.log().splitlines()) - before < 60


def test_full_queue_of_another_user_turns_nobody_away(station):
    """hygied stands still and cannot accept: the next to come waits for his turn."""
    limits = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (10000, max(limits[1], 10000)))
    with contextlib.ExitStack() as links:
        links.callback(resource.setrlimit, resource.RLIMIT_NOFILE, limits)
        with stopped(station):
            with being("mallory"), pytest.raises(BlockingIOError):
                for _ in range(9000):
                    link = links.enter_context(socket.socket(socket.AF_UNIX,
                                                             socket.SOCK_SEQPACKET))
                    link.setblocking(False)
                    link.connect(str(st.SOCKET))
            asked = subprocess.Popen(["hygie", "status", "--json"], stdout=subprocess.PIPE)
            with pytest.raises(subprocess.TimeoutExpired):
                asked.wait(1)
        assert b"readers" in asked.communicate(timeout=30)[0]
        assert asked.returncode == 0


def test_as_many_connections_are_served_as_the_settings_allow(station, monkeypatch):
    """Also where a process is given few descriptors at first: one that cannot be accepted
    would keep the loop turning, and everybody out."""
    monkeypatch.setattr(station, "hygied_command",
                        ["prlimit", "--nofile=128:4096", *station.hygied_command])
    with settings(station, "[limits]\nconnections = 900\nconnections_per_user = 500\n"
                           "requests_per_minute = 10000\n"), contextlib.ExitStack() as links:
        with being("mallory"):
            for _ in range(150):
                links.enter_context(st.connect())
        with ask("REQUEST_STATUS") as link:
            link.settimeout(4)  # they are dropped after five seconds, for saying nothing
            assert outcome(hear(link)) == "OK"


def test_held_reader_costs_no_thread_for_each_login(station, card):
    with scard.Context() as rival, rival.connect(station.pcscd.readers[0]) as held, \
            held.transaction(), contextlib.ExitStack() as links:
        before = int(processes.status(station.hygied.pid)["Threads"])
        asked = [links.enter_context(ask(USER="alice")) for _ in range(40)]
        assert {outcome(hear(link)) for link in asked} == {"CARD_BUSY"}
        assert int(processes.status(station.hygied.pid)["Threads"]) < before + 10
    assert station.login("alice", st.PIN).code == pam.PAM_SUCCESS


def test_sixty_logins_leave_nothing_behind(station, card):
    def kept():
        station.wait_ready()
        status = processes.status(station.hygied.pid)
        return (len(os.listdir("/proc/%d/fd" % station.hygied.pid)), int(status["Threads"]),
                processes.own_memory(station.hygied.pid), int(status["VmLck"].split()[0]))
    for pin in [st.PIN] * 5:
        assert station.login("alice", pin).code == pam.PAM_SUCCESS
    files, threads, memory, locked = kept()
    for number in range(60):
        assert station.login("alice", st.PIN).code == pam.PAM_SUCCESS, station.log()
    # The last connection may be there yet: what leaked would stay.
    after = eventually(lambda: (now := kept())[0] <= files and now, "no more descriptors")
    assert after[1] <= threads + 1 and after[3] <= locked, after
    assert after[2] < memory + 600, (memory, after)  # KiB
    assert len(processes.find("hygie-token")) == 1


# Other instances, other names.

def test_second_hygied_does_not_take_the_socket_over(station, card):
    done = subprocess.run(["/usr/sbin/hygied"], capture_output=True, text=True, timeout=20,
                          check=False)
    assert done.returncode != 0 and "another" in done.stderr, done
    assert station.status()["readers"][0]["state"] == "ready"


def test_socket_of_a_dead_hygied_is_replaced(station, card):
    station.stop_hygied(signal.SIGKILL)
    assert st.SOCKET.exists()
    restart(station)
    station.wait_ready()


class OddPcscd(pcscd.Pcscd):
    def _configuration(self):
        fresh = not self._home
        home = super()._configuration()
        if fresh:
            path = home / "conf" / "reader"
            path.write_bytes(path.read_bytes().replace(b"Odd", b"Caf\xe9"))
        return home


def test_reader_whose_name_is_no_text_is_left_alone(station, alice):
    station.stop_hygied()
    station.pcscd.stop()
    odd = OddPcscd("Odd")
    with odd, pivcard.PivCard(alice):
        restart(station)
        station.wait_log("is left alone")
        assert station.status()["readers"] == []
    station.stop_hygied()
    station.pcscd.start()
    restart(station)


def readers_thread_waits(station):
    """Whether a thread of hygied sits in poll or ppoll: it was refused by pcscd."""
    calls = pathlib.Path("/proc", str(station.hygied.pid), "task").glob("*/syscall")
    return any(call.read_text().split()[0] in ("7", "73") for call in calls)


def test_pcscd_whose_places_were_all_taken_is_found_when_it_has_room(station, alice):
    """By any local user: it refuses then, and nothing tells when it does so no more."""
    station.stop_hygied()
    with station.card(alice):
        with contextlib.ExitStack() as contexts:
            with pytest.raises(scard.SCardError):
                while True:
                    contexts.enter_context(scard.Context())
            restart(station)
            while not readers_thread_waits(station):
                time.sleep(0.01)
        station.wait_ready()


def test_list_of_a_thousand_enrolments_arrives_whole_at_a_slow_reader(station, alice):
    with sqlite3.connect(st.REGISTRY) as registry:
        columns = [row[1] for row in registry.execute("PRAGMA table_info(enrolment)")]
        copied = ", ".join("randomblob(32)" if name == "key_id" else "'many'"
                           if name == "user" else name for name in columns)
        registry.execute(
            "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 1000) "
            "INSERT INTO enrolment SELECT %s FROM enrolment, n WHERE user = 'alice'" % copied)
    registry.close()
    with ask("REQUEST_CARDS") as link:
        assert len(station.run("cards")[1]["enrolments"]) >= 1000
        count = 0
        while (message := hear(link, "ITEM", "RESULT")).type == "ITEM":
            count += 1
        assert (outcome(message), count >= 1000) == ("OK", True)
    station.run("revoke", "--user", "many")
