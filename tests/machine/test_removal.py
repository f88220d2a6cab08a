# SPDX-License-Identifier: Apache-2.0
"""The card goes: the session that it opened is locked, and seen to be locked; what follows when
it is not; and how a card comes back. Real logind, login and pcscd."""
import contextlib
import json
import subprocess
import time

import pytest

import lock
import stacks

# These sessions are on terminals; the programs here that hear Lock are what covers them.
CONFIG = "[login]\ncard_wait = 1s\n[removal]\ntext_action = lock\n"


@pytest.fixture(scope="module", autouse=True)
def doors(machine):
    stacks.use(machine, "optional")


@pytest.fixture
def session(machine, card):
    with lock.session(machine) as name:
        yield name


def audit(machine, session):
    """The events of the session, in order."""
    machine.run("journalctl", "--sync")
    text = machine.run("journalctl", "--no-pager", "-o", "json", "--output-fields=HYGIE_EVENT",
                       "HYGIE_AUDIT=1", "HYGIE_SESSION=" + session).stdout
    return [json.loads(line)["HYGIE_EVENT"] for line in text.splitlines()]


def wait_phase(machine, session, phase):
    machine.wait_until(lambda: lock.known(machine).get(session, {}).get("phase") == phase,
                       "until the session was " + phase)


def test_card_pulled_locks_its_session_and_the_lock_is_seen(machine, card, session):
    with lock.obedient_locker(machine, session), lock.Bus(machine) as bus:
        card.remove()
        bus.wait("Lock", session)
        wait_phase(machine, session, "locked")
        assert lock.hint(machine, session)
        assert audit(machine, session)[-2:] == ["lock", "locked"]
        assert bus.count("Lock", session) == 1


def test_session_that_does_not_lock_is_told_of_and_the_greeter_is_asked_for(machine, card, session):
    with lock.Bus(machine) as bus:
        began = time.monotonic()
        card.remove()
        bus.wait("Lock", session)
        wait_phase(machine, session, "not locked")
        assert time.monotonic() - began < 2.5 + 2, "late, on a loaded machine too"
        assert audit(machine, session)[-2:] == ["lock", "not-locked"]


@contextlib.contextmanager
def settings(machine, text):
    """hygied as started anew with these lines more."""
    path = "/etc/hygie/hygie.conf.d/60-removal.conf"
    machine.run("mkdir", "-p", "/etc/hygie/hygie.conf.d")
    machine.write(path, text)
    machine.run("systemctl", "restart", "hygied.service")
    try:
        yield
    finally:
        machine.run("rm", path)
        machine.run("systemctl", "restart", "hygied.service")


def wait_locked(machine, session):
    wait_phase(machine, session, "locked")
    assert lock.hint(machine, session)


def unlock(machine, terminal_user="alice"):
    """What a locker's PAM call does: card and PIN."""
    machine.wait_ready()
    done = machine.run("pamtester", "locker", terminal_user, "authenticate",
                       stdin=lock.mc.PIN + "\n", user=terminal_user, check=False)
    assert "successfully" in done.stdout, done.stdout + done.stderr


def test_card_put_back_at_once_is_another_card_and_the_session_locks(machine, card, session):
    with lock.obedient_locker(machine, session), lock.Bus(machine) as bus:
        card.remove()
        card.insert()
        bus.wait("Lock", session)
        wait_locked(machine, session)
        machine.wait_ready()
        assert lock.hint(machine, session), "the card in the reader opens nothing"
        assert lock.known(machine)[session]["card_in"]


def test_pin_at_the_locker_makes_it_the_cards_session_again(machine, card, session):
    machine.write("/etc/pam.d/locker", "@include common-auth\n@include common-account\n")
    with lock.obedient_locker(machine, session):
        card.remove()
        wait_locked(machine, session)
        card.insert()
        unlock(machine)
        lock.set_hint(machine, session, False)
        wait_phase(machine, session, "card in")
        card.remove()
        wait_locked(machine, session)


def test_another_enrolled_card_opens_nothing(machine, card, session):
    machine.write("/etc/pam.d/locker", "@include common-auth\n@include common-account\n")
    with lock.obedient_locker(machine, session):
        card.remove()
        wait_locked(machine, session)
        with machine.card(machine.cards["bob"]):
            machine.wait_ready()
            known = lock.known(machine)[session]
            assert (known["phase"], known["card_in"]) == ("locked", False)
            done = machine.run("pamtester", "locker", "alice", "authenticate",
                               stdin="%s\n" % lock.mc.PIN, user="alice", check=False)
            assert "successfully" not in done.stdout
            assert "is not alice's" in done.stderr + done.stdout, "whose session it is"
            assert lock.known(machine)[session]["phase"] == "locked"
        assert lock.hint(machine, session)


def test_opened_by_password_without_the_card_it_is_no_longer_the_cards(machine, card, session):
    with lock.obedient_locker(machine, session):
        card.remove()
        wait_locked(machine, session)
        lock.set_hint(machine, session, False)
        machine.wait_until(lambda: session not in lock.known(machine), "to release the session")
        assert audit(machine, session)[-1] == "opened-without-card"


def test_opened_without_the_card_it_is_locked_again_where_the_site_says_so(machine, card, session):
    with settings(machine, "[removal]\nrelock = yes\n"), lock.obedient_locker(machine, session), \
            lock.Bus(machine) as bus:
        wait_phase(machine, session, "card in")
        card.remove()
        bus.wait("Lock", session)
        wait_locked(machine, session)
        lock.set_hint(machine, session, False)
        bus.wait("Lock", session, times=2)
        wait_locked(machine, session)


def test_pcscd_killed_and_back_with_the_card_locks_nothing(machine, card, session):
    with lock.obedient_locker(machine, session), lock.Bus(machine) as bus:
        machine.run("systemctl", "kill", "--signal=KILL", "pcscd.service")
        machine.wait_until(lambda: "card-back" in audit(machine, session), "to see the card again")
        assert lock.known(machine)[session]["phase"] == "card in"
        bus.read(0)
        assert bus.count("Lock", session) == 0 and not lock.hint(machine, session)


def test_pcscd_that_stays_away_locks(machine, card, session):
    with lock.obedient_locker(machine, session), lock.Bus(machine) as bus:
        began = time.monotonic()
        machine.run("systemctl", "stop", "pcscd.socket", "pcscd.service")
        try:
            bus.wait("Lock", session)
            assert time.monotonic() - began < 3
            wait_locked(machine, session)
        finally:
            machine.run("systemctl", "start", "pcscd.socket", "pcscd.service")
        machine.wait_ready()
        assert lock.hint(machine, session)


def test_hygied_killed_and_back_with_the_card_in_locks_nothing(machine, card, session):
    with lock.obedient_locker(machine, session), lock.Bus(machine) as bus:
        machine.run("systemctl", "kill", "--signal=KILL", "hygied.service")
        wait_phase(machine, session, "card in")
        bus.read(0)
        assert bus.count("Lock", session) == 0


def test_card_pulled_while_hygied_was_dead_locks_when_it_is_back(machine, card, session):
    with lock.obedient_locker(machine, session), lock.Bus(machine) as bus:
        machine.run("systemctl", "stop", "hygied.socket", "hygied.service")
        card.remove()
        began = time.monotonic()
        machine.run("systemctl", "start", "hygied.socket", "hygied.service")
        bus.wait("Lock", session)
        assert time.monotonic() - began < 3
        wait_locked(machine, session)


def test_other_card_put_in_while_hygied_was_dead_locks(machine, card, session):
    with lock.obedient_locker(machine, session), lock.Bus(machine) as bus:
        machine.run("systemctl", "stop", "hygied.socket", "hygied.service")
        card.remove()
        with machine.card(machine.cards["bob"]):
            machine.run("systemctl", "start", "hygied.socket", "hygied.service")
            bus.wait("Lock", session)
            wait_locked(machine, session)


WAIT_FOR = "#!/bin/sh\ntouch /run/reached-$1; until test -e /run/go-$1; do :; done\n"


def test_card_pulled_after_the_proof_and_before_the_session_locks_it(machine, card):
    """The ticket is handed in for a card that is gone by then."""
    wait = "session required pam_exec.so /usr/local/bin/wait-for "
    machine.write("/etc/pam.d/slow-login", "@include common-auth\n@include common-account\n"
                  + wait + "pull\n@include common-session\n" + wait + "end\n")
    machine.write("/usr/local/bin/wait-for", WAIT_FOR, mode="755")
    with lock.Bus(machine) as bus, machine.terminal("pamtester", "-I", "tty=pts/9", "slow-login",
                                                    "alice", "authenticate", "open_session") as terminal:
        terminal.expect("PIN")
        terminal.sendline(lock.mc.PIN)
        machine.wait_file("/run/reached-pull")
        card.remove()
        machine.wait_readers(lambda readers: all(one["state"] == "empty" for one in readers))
        machine.run("touch", "/run/go-pull")
        machine.wait_file("/run/reached-end")
        (session,) = lock.known(machine)
        bus.wait("Lock", session)
        machine.run("touch", "/run/go-end")


def test_session_of_a_terminal_ends_where_nothing_can_cover_it(machine, card):
    with settings(machine, "[removal]\ntext_action = logout\n"), lock.session(machine) as session:
        assert lock.known(machine)[session]["on_removal"] == "logout"
        card.remove()
        machine.wait_until(lambda: not lock.exists(machine, session), "to end the session")
        assert session not in lock.known(machine)
        assert "end-session" in audit(machine, session)


def test_users_and_groups_have_rules_of_their_own(machine, card):
    machine.run("groupadd", "--force", "reception")
    machine.run("usermod", "-a", "-G", "reception", "alice")
    with settings(machine, "[removal_groups]\nreception = none\n"), \
            lock.session(machine) as session, lock.Bus(machine) as bus:
        assert lock.known(machine)[session]["on_removal"] == "none"
        card.remove()
        wait_phase(machine, session, "open")
        bus.read(0)
        assert bus.count("Lock", session) == 0
    machine.run("gpasswd", "-d", "alice", "reception")


def test_grace_lets_the_same_card_come_back_and_is_told(machine, card):
    with settings(machine, "[removal]\ngrace = 60s\n"), lock.session(machine) as session, \
            lock.Bus(machine) as bus:
        card.remove()
        wait_phase(machine, session, "card out")
        assert 0 < lock.known(machine)[session]["left_ms"] <= 60000
        card.insert()
        wait_phase(machine, session, "card in")
        bus.read(0)
        assert bus.count("Lock", session) == 0
        assert audit(machine, session)[-2:] == ["card-gone", "card-back"]


def test_grace_ends_in_a_lock(machine, card):
    with settings(machine, "[removal]\ngrace = 1s\n"), lock.session(machine) as session, \
            lock.obedient_locker(machine, session), lock.Bus(machine) as bus:
        card.remove()
        bus.wait("Lock", session)
        wait_locked(machine, session)
        assert audit(machine, session)[-3:] == ["card-gone", "lock", "locked"]


def test_machine_that_goes_to_sleep_locks_first(machine, card, session):
    with lock.obedient_locker(machine, session), lock.Bus(machine) as bus:
        machine.run("systemctl", "suspend")
        bus.wait("Lock", session)
        wait_locked(machine, session)
        order = [one["member"] for one in bus.seen
                 if one.get("member") in ("Lock", "PrepareForSleep")]
        assert order[:2] == ["PrepareForSleep", "Lock"]


def test_hygie_lock_locks_ones_own_sessions_and_no_others(machine, card, session):
    with lock.obedient_locker(machine, session), lock.Bus(machine) as bus:
        refused = machine.run("hygie", "lock", "--user", "alice", user="bob", check=False)
        assert refused.returncode != 0
        none = machine.run("hygie", "lock", user="bob", check=False)
        assert "no session" in none.stderr and none.returncode != 0
        bus.read(0)
        assert bus.count("Lock", session) == 0
        machine.run("hygie", "lock", user="alice")
        bus.wait("Lock", session)
        wait_locked(machine, session)


def test_status_watch_tells_each_change_by_itself(machine, card, session):
    process = machine.start_aside("hygie", "status", "--watch", "--json", stdout=subprocess.PIPE)
    try:
        def phases():
            for line in process.stdout:
                for one in json.loads(line)["sessions"]:
                    if one["session"] == session:
                        yield one["phase"]
        told = phases()
        assert next(told) == "card in"
        with lock.obedient_locker(machine, session):
            card.remove()
            wanted = {"locking", "locked"}
            for phase in told:
                wanted.discard(phase)
                if not wanted:
                    break
    finally:
        process.kill()
        process.wait()
        process.stdout.close()


def test_session_is_locked_when_hygied_cannot_start_to_watch_its_card(machine, card, session):
    path = "/etc/hygie/hygie.conf.d/70-mistake.conf"
    with lock.obedient_locker(machine, session), lock.Bus(machine) as bus:
        machine.write(path, "[removal]\nno_such_key = 1\n")
        machine.run("systemctl", "restart", "hygied.service", check=False)
        try:
            bus.wait("Lock", session)
        finally:
            machine.run("rm", path)
            machine.run("systemctl", "restart", "hygied.socket", "hygied.service")
        wait_locked(machine, session)


SECOND = 35964  # the port of the second reader


def test_each_session_follows_its_own_card(machine, card, session):
    with machine.card(machine.cards["bob"], port=SECOND) as other:
        machine.wait_readers(lambda readers: [one["state"] for one in readers] == ["ready"] * 2)
        with lock.session(machine, "bob", seat=False) as bobs, lock.Bus(machine) as bus:
            other.remove()
            bus.wait("Lock", bobs)
            bus.read(0)
            assert bus.count("Lock", session) == 0
            assert lock.known(machine)[session]["phase"] == "card in"
            assert not lock.known(machine)[bobs]["card_in"]
            card.remove()
            bus.wait("Lock", session)


def test_card_that_moves_to_another_reader_opens_nothing_by_that(machine, card, session):
    machine.write("/etc/pam.d/locker", "@include common-auth\n@include common-account\n")
    with lock.obedient_locker(machine, session):
        card.remove()
        wait_locked(machine, session)
        with machine.card(machine.cards["alice"], port=SECOND) as moved:
            machine.wait_until(lambda: lock.known(machine)[session]["card_in"], "to read the card")
            assert lock.hint(machine, session)
            unlock(machine)
            lock.set_hint(machine, session, False)
            wait_phase(machine, session, "card in")
            moved.remove()
            wait_locked(machine, session)


def test_all_sessions_of_one_card_are_locked(machine, card, session):
    with lock.session(machine, seat=False) as second, lock.Bus(machine) as bus:
        assert second != session
        card.remove()
        bus.wait("Lock", session)
        bus.wait("Lock", second)


def test_session_over_ssh_ends_with_its_card(machine, card):
    machine.write("/etc/ssh/sshd_config.d/card.conf",
                  "KbdInteractiveAuthentication yes\nPasswordAuthentication no\n")
    machine.run("mkdir", "-p", "/run/sshd")
    machine.run("systemctl", "start", "ssh")
    with settings(machine, "[removal]\ntext_action = logout\n"), machine.terminal(
            "ssh", "-o", "StrictHostKeyChecking=no", "-o", "UserKnownHostsFile=/dev/null",
            "alice@127.0.0.1") as terminal:
        terminal.expect("PIN")
        terminal.sendline(lock.mc.PIN)
        terminal.expect(r"\$ ")
        (session,) = lock.known(machine)
        card.remove()
        terminal.expect(lock.mc.pexpect.EOF)
        machine.wait_until(lambda: not lock.exists(machine, session), "to end the session")


def test_session_that_is_closing_is_killed_when_it_does_not_end(machine, card):
    """logind says yes to ending a session in that state, and does nothing."""
    with settings(machine, "[removal]\ntext_action = logout\n"), lock.session(machine) as session:
        leader = machine.run("loginctl", "show-session", session, "-p", "Leader", "--value"
                             ).stdout.strip()
        scope = machine.run("loginctl", "show-session", session, "-p", "Scope", "--value"
                            ).stdout.strip()
        # Somebody's program that outlives the leader: the session stays, in state closing.
        group = "/sys/fs/cgroup/user.slice/user-1000.slice/%s/cgroup.procs" % scope
        stray = machine.start_aside("sh", "-c", "echo $$ >%s; exec sleep 1000" % group)
        try:
            machine.wait_until(lambda: stray_pid(machine, group) != "", "to join the session")
            machine.run("kill", "-9", leader)
            machine.wait_until(lambda: state(machine, session) == "closing", "to be closing")
            card.remove()
            machine.wait_until(lambda: not lock.exists(machine, session), "to end the session")
            assert audit(machine, session)[-2:] == ["end-session", "kill-session"]
        finally:
            stray.kill()
            stray.wait()


def state(machine, session):
    return machine.run("loginctl", "show-session", session, "-p", "State", "--value", check=False
                       ).stdout.strip()


def stray_pid(machine, group):
    """The pid, inside, of the sleep that joined the session's group."""
    return machine.run("sh", "-c", "for pid in $(cat %s); do grep -l '^sleep' /proc/$pid/comm; done"
                       % group, check=False).stdout.strip()
