# SPDX-License-Identifier: Apache-2.0
"""A record store opens with the login by card, and closes without it: real login, sudo, logind,
pcscd, systemd and gocryptfs."""
import contextlib
import os
import pathlib
import re
import shlex
import signal
import socket

import pytest

import desk
import machine as mc
import records
import stacks
from traced import is_stopped, traced

# The sessions stay when the card goes: what becomes of the store is seen apart.
CONFIG = ("[login]\ncard_wait = 1s\n[removal]\naction = none\ntext_action = none\n"
          "[store]\ngrace = 2s\n")
USERS = ("alice", "bob")


@pytest.fixture(scope="module")
def cards(machine):
    """Cards whose RSA key deciphers, enrolled."""
    stacks.use(machine, "optional")
    machine.write("/etc/sudoers.d/alice", "alice ALL=(ALL) ALL\n", mode="440")
    machine.run("groupadd", records.GROUP)
    made = {user: machine.make_card(user + "-store", kind="rsa2048",
                                    person=user.capitalize() + " Specimen") for user in USERS}
    for user, content in made.items():
        with machine.card(content):
            machine.wait_ready()
            machine.enrol(user)
    return made


@pytest.fixture(scope="module")
def made(machine, cards):
    return records.Records(machine, {user: machine.keys.key("rsa2048", user + "-store-9a")
                                     for user in USERS})


@pytest.fixture
def store(machine, made):
    assert made.is_shut(), "the test before left it open"
    yield made
    with contextlib.suppress(AssertionError):
        machine.run("hygie", "store", "close", check=False)
    made.wait_shut()


@pytest.fixture
def card(machine, store, cards):
    with machine.card(cards["alice"]) as card:
        machine.wait_ready()
        yield card


@contextlib.contextmanager
def login(machine, user="alice", seat=False):
    """A session by card and PIN, at its shell's prompt."""
    with machine.terminal("login", "-p", user, seat=seat) as terminal:
        terminal.expect("PIN")
        terminal.sendline(mc.PIN)
        terminal.expect(r"\$ ")
        terminal.sendline("stty -echo; PS1=; echo ready''-$XDG_SESSION_ID-")
        terminal.expect(r"ready-(\S+)-")
        terminal.session = terminal.match.group(1)
        yield terminal
        log_out(machine, terminal)


def log_out(machine, terminal):
    if not terminal.isalive():
        return
    terminal.sendline("exit")
    terminal.expect(mc.pexpect.EOF)
    machine.wait_until(lambda: machine.run("loginctl", "show-session", terminal.session,
                                           check=False).returncode != 0, "to end the session")


def say(terminal, command):
    """What a command in the session prints."""
    terminal.sendline("%s; echo sa''id-$?-" % command)
    terminal.expect(r"(?s)(.*)said-(\d+)-")
    return terminal.match.group(1).strip(), int(terminal.match.group(2))


def test_the_session_begins_with_its_records_and_ends_with_them(machine, store, card):
    with login(machine) as terminal:
        assert store.is_open(), "it is there before the shell is"
        assert say(terminal, "echo 'first visit' >%s/patient" % store.mount)[1] == 0
        state, programs = store.status()
        assert (state["state"], state["sessions"], programs) == ("open", 1, [])
    store.wait_shut()
    assert store.status()[0]["state"] == "shut"
    assert store.events()[-3:] == [("store-open", "ok"), ("store-close", "ok"),
                                   ("store-closed", "ok")]
    machine.wait_ready()
    with login(machine) as terminal:
        assert say(terminal, "cat %s/patient" % store.mount) == ("first visit", 0)


def test_another_practitioner_reads_it_and_nobody_else(machine, store, cards):
    with machine.card(cards["alice"]):
        machine.wait_ready()
        with login(machine) as terminal:
            say(terminal, "echo shared >%s/shared" % store.mount)
        store.wait_shut()
    with machine.card(cards["bob"]):
        machine.wait_ready()
        with login(machine, "bob") as terminal:
            assert say(terminal, "cat %s/shared" % store.mount) == ("shared", 0)
            seen = machine.run("cat", store.mount + "/shared", user="carol", check=False)
            assert seen.returncode != 0


def test_a_card_pulled_closes_it_after_the_grace_and_not_the_session(machine, store, card):
    with login(machine) as terminal:
        card.remove()
        store.wait_shut()
        assert say(terminal, "ls %s" % store.mount)[1] != 0
        assert say(terminal, "echo here") == ("here", 0)


def test_a_card_back_within_the_grace_keeps_it(machine, store, card):
    with login(machine):
        machine.wait_ready()
        card.remove()
        machine.wait_readers(lambda readers: all(one["state"] == "empty" for one in readers))
        card.insert()
        machine.wait_ready()
        machine.run("sleep", "3")  # longer than the grace: nothing may happen in that time
        assert store.is_open()
        card.remove()
        store.wait_shut()
        card.insert()


def test_an_editor_with_unsaved_work_is_told_and_loses_nothing(machine, store, card):
    with login(machine) as terminal:
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
    with login(machine) as terminal:
        assert say(terminal, "cat %s/letter" % store.mount) == ("Dear colleague", 0)


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
        say(other, "hygie session-lock %s 2>/tmp/carols & true" % shlex.join(locker))
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
    with login(machine) as first:
        first.sendline("cd %s; echo with''in" % store.mount)
        first.expect("within")
        card.remove()
        store.wait(lambda: store.status()[0]["state"] == "closing", "to be busy")
        card.insert()
        machine.wait_ready()
        with login(machine):
            assert store.status()[0]["state"] == "open"
            first.sendline("cd /; echo with''out")
            first.expect("without")
            machine.run("sleep", "1")
            assert store.is_open()
        store.wait_shut()


def test_sudo_opens_nothing(machine, store, cards):
    with machine.terminal("login", "-p", "alice") as terminal:
        terminal.expect("[Pp]assword")
        terminal.sendline(mc.PASSWORD)
        terminal.expect(r"\$ ")
        with machine.card(cards["alice"]):
            machine.wait_ready()
            terminal.sendline("sudo -k; sudo sh -c 'echo got-$(id -un)-'")
            terminal.expect("PIN")
            terminal.sendline(mc.PIN)
            terminal.expect("got-root-")
            machine.wait_ready()
            assert store.is_shut()
        terminal.sendline("exit")
        terminal.expect(mc.pexpect.EOF)


def test_a_second_session_of_the_card_keeps_it(machine, store, card):
    with login(machine) as first:
        machine.wait_ready()
        with login(machine):
            assert store.status()[0]["sessions"] == 2
            log_out(machine, first)
            machine.wait_until(lambda: store.status()[0]["sessions"] == 1, "to let go")
            assert store.is_open()
        store.wait_shut()


def test_a_login_that_opens_no_session_lets_go(machine, store, card):
    """The ticket of an authentication that nobody redeems; its minute is not waited for here:
    the card goes first."""
    done = machine.run("pamtester", "login", "alice", "authenticate", stdin=mc.PIN + "\n")
    assert "successfully" in done.stdout + done.stderr
    store.wait_open()
    card.remove()
    store.wait_shut()
    card.insert()


def open_by_command(machine, store, terminal):
    machine.wait_ready()
    terminal.sendline("hygie store open; echo open''ed-$?-")
    terminal.expect("PIN")
    terminal.sendline(mc.PIN)
    terminal.expect(r"opened-(\d+)-")
    assert terminal.match.group(1) == "0" and store.is_open()


def test_it_is_opened_and_closed_by_command_in_a_session(machine, store, card):
    with login(machine) as terminal:
        assert say(terminal, "hygie store close %s" % store.name)[1] == 0
        store.wait_shut()
        open_by_command(machine, store, terminal)
        assert "open" in say(terminal, "hygie store status")[0]
    store.wait_shut()


def test_a_wrong_pin_opens_nothing(machine, store, card):
    with login(machine) as terminal:
        say(terminal, "hygie store close")
        store.wait_shut()
        machine.wait_ready()
        terminal.sendline("hygie store open; echo open''ed-$?-")
        terminal.expect("PIN")
        terminal.sendline("654321")
        terminal.expect(r"opened-(\d+)-")
        assert terminal.match.group(1) != "0" and store.is_shut()


def test_hygied_killed_leaves_it_open_and_closes_it_at_logout(machine, store, card):
    with login(machine) as terminal:
        machine.run("systemctl", "kill", "--signal=KILL", "hygied.service")
        machine.wait_ready()
        assert store.is_open()
        assert say(terminal, "ls %s" % store.mount)[1] == 0
        assert store.status()[0]["sessions"] == 1
        machine.run("sleep", "3")  # the grace that it has for showing itself: it did
        assert store.is_open()
    store.wait_shut()


def test_a_logout_while_hygied_is_down_closes_it_later(machine, store, card):
    with login(machine):
        machine.run("systemctl", "stop", "hygied.socket", "hygied.service")
        assert store.is_open()
    assert store.is_open(), "the control: nobody was there to close it"
    machine.run("systemctl", "start", "hygied.socket", "hygied.service")
    store.wait_shut()
    machine.wait_ready()


def test_what_is_left_behind_in_a_session_does_not_count_as_one(machine, store, card):
    """logind keeps a session "closing" while a program of it goes on; hygied was down when its
    user logged out."""
    with login(machine) as terminal:
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
        assert machine.run("kill", left).returncode == 0, "it went on"
    machine.wait_ready()


def main_pid(machine, unit):
    """As the machine counts."""
    return int(machine.run("systemctl", "show", "-p", "MainPID", "--value", unit).stdout)


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
    with login(machine):
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

    with login(machine):
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
    with login(machine) as terminal:
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


def test_a_store_whose_key_lives_is_not_called_shut(machine, store, card):
    """A mount namespace of its own that takes no part in unmounting keeps gocryptfs alive."""
    with login(machine) as terminal:
        machine.run("systemd-run", "--unit=apart", "-p", "PrivateMounts=yes",
                    "-p", "MountFlags=private", "sleep", "1000")
        machine.wait_until(lambda: machine.run("systemctl", "is-active", "apart",
                                               check=False).stdout == "active\n", "to begin")
        assert "It goes on" in machine.run("hygie", "store", "close", store.name).stdout
        assert not store.mounts() and store.ciphers()
        assert store.status()[0]["state"] == "closing"
        machine.wait_ready()
        terminal.sendline("hygie store open; echo open''ed-$?-")
        terminal.expect("PIN")
        terminal.sendline(mc.PIN)
        terminal.expect("still being closed")
        terminal.expect(r"opened-(\d+)-")
        assert terminal.match.group(1) != "0"
        assert store.status()[0]["state"] == "closing" and store.ciphers()
        machine.run("systemctl", "stop", "apart")
        store.wait_shut()
        machine.wait_until(lambda: store.status()[0]["state"] == "shut", "to hear of it")
    machine.wait_ready()


def test_a_store_that_nobody_uses_closes_and_opens_again(machine, store, card):
    store.set_idle(2)
    try:
        with login(machine) as terminal:
            assert store.is_open()
            store.wait_shut()
            assert store.events()[-3:] == [("store-idle", "ok"), ("store-close", "ok"),
                                           ("store-closed", "ok")]
            open_by_command(machine, store, terminal)
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
    with login(machine) as terminal:
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
    with login(machine) as terminal:
        hold(store, terminal, "trap \"\" TERM;")
        keeper = records.outside_pid(machine, main_pid(machine, "hygie-store@records.service"))
        with traced(keeper, log, 1, "kill", "STOP"):
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


def test_a_killed_keeper_leaves_no_key_and_no_dead_mount(machine, store, card):
    with login(machine) as terminal:
        machine.run("systemctl", "kill", "--kill-whom=main", "--signal=KILL",
                    "hygie-store@records.service")
        store.wait_shut()
        machine.wait_until(lambda: ("store-lost", "unavailable") in store.events(), "to hear")
        open_by_command(machine, store, terminal)
    store.wait_shut()


def test_a_store_that_does_not_open_refuses_no_login(machine, store, card):
    mount = pathlib.Path("/proc/%d/root%s/in-the-way" % (machine.pid, store.mount))
    mount.write_text("")
    try:
        with login(machine) as terminal:
            assert say(terminal, "echo in") == ("in", 0)
            assert store.is_shut()
            assert store.events()[-1] == ("store-open", "fault")
    finally:
        mount.unlink()


def test_an_envelope_that_was_changed_opens_nothing_and_refuses_no_login(machine, store, card):
    path = pathlib.Path("/proc/%d/root%s/keys.cms" % (machine.pid, store.folder))
    whole = path.read_bytes()
    path.write_bytes(whole[:-1] + bytes([whole[-1] ^ 1]))
    try:
        with login(machine) as terminal:
            assert say(terminal, "echo in") == ("in", 0)
            assert store.is_shut()
            assert store.events()[-1] == ("store-unsealed", "refused")
    finally:
        path.write_bytes(whole)


def test_no_card_pulled_at_an_apdu_leaves_it_half_open(machine, store, card):
    """At each APDU of an opening; then, and in between, the whole card opens it."""
    card.reset_count()
    with login(machine):
        total = card.count()
    store.wait_shut()
    assert total > 5
    for number in range(1, total + 1):
        machine.wait_ready()
        card.remove_after(number)
        machine.run("pamtester", "login", "alice", "authenticate", stdin=mc.PIN + "\n",
                    check=False)
        store.wait_shut()
        card.clear_faults()
        card.insert()
    machine.wait_ready()
    with login(machine):
        assert store.is_open()
