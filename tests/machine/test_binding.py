# SPDX-License-Identifier: Apache-2.0
"""Which session belongs to which card: the one that a card opened or unlocked, and no other.
The real login, logind, su, sudo, sshd and a locker's PAM call."""
import json

import pytest

import machine as mc

STACK = """auth [success=2 default=ignore] pam_hygie.so
auth [success=1 default=ignore] pam_unix.so try_first_pass
auth requisite pam_deny.so
auth required pam_permit.so
"""
SESSION = "session optional pam_hygie.so\n"


@pytest.fixture(scope="module", autouse=True)
def doors(machine):
    """The card at every door, the session line after pam_systemd's."""
    machine.write("/etc/pam.d/common-auth", STACK)
    for name in ("common-session", "common-session-noninteractive"):
        machine.write("/etc/pam.d/" + name, machine.read("/etc/pam.d/" + name) + SESSION)
    machine.write("/etc/pam.d/locker", "@include common-auth\n@include common-account\n")
    machine.write("/etc/hygie/hygie.conf.d/50-wait.conf", "[login]\ncard_wait = 1s\n")
    machine.run("systemctl", "restart", "hygied.service")
    machine.write("/etc/sudoers.d/alice", "alice ALL=(ALL) ALL\n", mode="440")


def sessions(machine):
    """What hygied knows: {session: record}."""
    return {one["session"]: one
            for one in json.loads(machine.run("hygie", "status", "--json").stdout)["sessions"]}


def binding(machine, session):
    """What of it a restart may not change; whether its card is in is found out anew."""
    return {name: value for name, value in sessions(machine)[session].items()
            if name not in ("phase", "card_in", "locked")}


def session_of(terminal):
    """What logind calls the shell's session."""
    terminal.sendline("echo session''-$XDG_SESSION_ID-")
    terminal.expect(r"session-(\S*)-")
    return terminal.match.group(1)


def log_in(terminal, pin=mc.PIN):
    """alice, at the PIN prompt of her card; returns the session that she got."""
    terminal.expect("PIN")
    terminal.sendline(pin)
    terminal.expect(r"\$ ")
    session = session_of(terminal)
    assert session
    return session


def log_out(machine, terminal, session):
    terminal.sendline("exit")
    terminal.expect(mc.pexpect.EOF)
    machine.wait_until(lambda: machine.run("loginctl", "show-session", session, check=False)
                       .returncode != 0, "to end the session")


def test_session_that_a_card_opened_is_bound_to_it_until_it_ends(machine, card):
    with machine.terminal("login", "-p", "alice", seat=True) as terminal:
        session = log_in(terminal)
        bound = sessions(machine)[session]
        assert (bound["user"], bound["service"]) == ("alice", "login")
        assert bound["reader"] == "Virtual PCD 00 00"
        machine.wait_ready()
        (reader,) = [one for one in machine.readers() if one["state"] == "ready"]
        assert bound["card_id"] == reader["card_id"]
        log_out(machine, terminal, session)
    assert session not in sessions(machine)


def test_session_opened_with_a_password_is_bound_to_no_card(machine):
    with machine.terminal("login", "-p", "carol") as terminal:
        terminal.expect("[Pp]assword")
        terminal.sendline(mc.PASSWORD)
        terminal.expect(r"\$ ")
        session = session_of(terminal)
        assert session and session not in sessions(machine)
        log_out(machine, terminal, session)


def test_restart_and_death_of_the_daemon_forget_no_binding(machine, card):
    with machine.terminal("login", "-p", "alice") as terminal:
        session = log_in(terminal)
        before = binding(machine, session)
        machine.run("systemctl", "restart", "hygied.service")
        assert binding(machine, session) == before
        machine.run("systemctl", "kill", "--signal=KILL", "hygied.service")
        assert binding(machine, session) == before
        log_out(machine, terminal, session)
    assert session not in sessions(machine)


def test_sudo_and_su_within_a_session_bind_nothing(machine, card):
    with machine.terminal("login", "-p", "alice") as terminal:
        session = log_in(terminal)
        before = sessions(machine)
        machine.wait_ready()
        terminal.sendline("sudo -k; sudo sh -c 'echo got-$(id -un)-'")
        terminal.expect("PIN")
        terminal.sendline(mc.PIN)
        terminal.expect("got-root-")
        machine.wait_ready()
        terminal.sendline("su -c 'echo got-$(id -un)-' alice")
        terminal.expect("PIN")
        terminal.sendline(mc.PIN)
        terminal.expect("got-alice-")
        assert sessions(machine) == before
        assert list(before) == [session]
        log_out(machine, terminal, session)


def test_locker_within_a_session_opened_by_password_binds_it(machine):
    with machine.terminal("login", "-p", "alice") as terminal:
        session = log_in_by_password(terminal)
        assert session not in sessions(machine)
        with machine.card(machine.cards["alice"]):
            machine.wait_ready()
            terminal.sendline("pamtester locker alice authenticate")
            terminal.expect("PIN")
            terminal.sendline(mc.PIN)
            terminal.expect("successfully authenticated")
            bound = sessions(machine)[session]
            assert (bound["user"], bound["service"]) == ("alice", "locker")
        log_out(machine, terminal, session)


def log_in_by_password(terminal):
    """alice without her card: the card's time passes, then the password is asked."""
    terminal.expect("[Pp]assword")
    terminal.sendline(mc.PASSWORD)
    terminal.expect(r"\$ ")
    return session_of(terminal)


def test_program_of_the_users_manager_binds_the_display_session(machine, card):
    """Desktop programs run under user@UID.service, in no session of their own."""
    with machine.terminal("login", "-p", "alice", seat=True) as terminal:
        session = log_in(terminal)
        machine.run("rm", "/run/hygie/sessions/" + session)
        machine.wait_ready()
        uid = machine.run("id", "-u", "alice").stdout.strip()
        typed = machine.run(
            "systemd-run", "--user", "--pipe", "--wait", "--quiet", "pamtester", "locker", "alice",
            "authenticate", stdin=mc.PIN + "\n", user="alice", check=False,
            environment=["XDG_RUNTIME_DIR=/run/user/" + uid,
                         "DBUS_SESSION_BUS_ADDRESS=unix:path=/run/user/%s/bus" % uid])
        assert "successfully" in typed.stdout, typed.stdout + typed.stderr
        assert sessions(machine)[session]["service"] == "locker"
        log_out(machine, terminal, session)


def test_user_sees_his_own_sessions_only(machine, card):
    with machine.terminal("login", "-p", "alice") as terminal:
        session = log_in(terminal)
        for user, expected in (("alice", [session]), ("bob", [])):
            seen = json.loads(machine.run("hygie", "status", "--json", user=user).stdout)
            assert [one["session"] for one in seen["sessions"]] == expected
        log_out(machine, terminal, session)


def test_session_over_ssh_is_bound_though_a_child_of_sshd_asked_for_the_pin(machine, card):
    machine.write("/etc/ssh/sshd_config.d/card.conf",
                  "KbdInteractiveAuthentication yes\nPasswordAuthentication no\n")
    machine.run("mkdir", "-p", "/run/sshd")
    machine.run("systemctl", "start", "ssh")
    with machine.terminal("ssh", "-o", "StrictHostKeyChecking=no", "-o", "UserKnownHostsFile=/dev/null",
                          "alice@127.0.0.1") as terminal:
        session = log_in(terminal)
        assert sessions(machine)[session]["service"] == "sshd"
        log_out(machine, terminal, session)
    assert session not in sessions(machine)


def test_binding_whose_session_is_gone_is_dropped_at_the_next_look(machine, card):
    with machine.terminal("login", "-p", "alice") as terminal:
        session = log_in(terminal)
        machine.run("cp", "/run/hygie/sessions/" + session, "/run/hygie/sessions/c999")
        assert sorted(sessions(machine)) == [session]
        assert machine.run("ls", "/run/hygie/sessions").stdout.split() == [session]
        log_out(machine, terminal, session)


def test_ticket_is_in_no_programs_environment(machine, card):
    with machine.terminal("login", "-p", "alice") as terminal:
        session = log_in(terminal)
        terminal.sendline("echo count''-$(env | grep -c HYGIE)-")
        terminal.expect(r"count-(\d+)-")
        assert terminal.match.group(1) == "0"
        log_out(machine, terminal, session)
