# SPDX-License-Identifier: Apache-2.0
"""The card opens GNOME's keyring: the real daemon, its PAM module, login, logind and a session
bus. The keyring's password is changed over and back in the session, as a person does it."""
import contextlib
import re

import pytest

import machine as mc
import shell
import stacks

CONFIG = ("[login]\ncard_wait = 0\n[removal]\naction = none\ntext_action = none\n")
SERVICE = "org.freedesktop.secrets /org/freedesktop/secrets org.freedesktop.Secret.Service"
LOGIN = "/org/freedesktop/secrets/collection/login"
BUS = """<busconfig><type>session</type><listen>unix:tmpdir=/tmp</listen>
<policy context="default"><allow send_destination="*"/><allow eavesdrop="true"/>
<allow own="*"/></policy></busconfig>
"""


@pytest.fixture(scope="module")
def content(machine):
    """Alice's card, which opens login secrets, and a console whose stack opens keyrings."""
    stacks.use(machine, "optional")
    stack = machine.read("/etc/pam.d/login")
    machine.write("/etc/pam.d/login", stack
                  .replace("@include common-auth", "@include common-auth\n"
                           "auth optional pam_gnome_keyring.so")
                  .replace("@include common-session", "@include common-session\n"
                           "session optional pam_gnome_keyring.so auto_start"))
    made = machine.make_card("alice-secret", kind="rsa2048", person="Alice Specimen")
    with machine.card(made):
        machine.wait_ready()
        machine.enrol("alice")
    return made


@pytest.fixture
def secret(machine, content):
    """A login secret, and no keyring yet."""
    machine.run("rm", "-rf", "/var/lib/hygie/secret", "/home/alice/.local/share/keyrings")
    said = machine.run("hygie", "secret", "enable", "alice").stdout
    assert "hygie secret keyring" in said


@contextlib.contextmanager
def session(machine, by):
    """A session of Alice's: by "PIN" with her card in, or by "Password"."""
    if by == "PIN":
        machine.wait_ready()
    with shell.session(machine, by=by) as terminal:
        yield terminal
    # Her service manager, and the keyring daemon in it, would outlive her by ten seconds.
    machine.run("systemctl", "stop", "user@%s.service" % machine.run("id", "-u", "alice").stdout.strip())


def locked(terminal):
    """Whether the login keyring is locked, as a program of the session finds it; None: there is
    none. Unlock shows no prompt: it names one, where one would be needed."""
    if LOGIN not in shell.say(terminal, "busctl --user get-property %s Collections" % SERVICE)[0]:
        return None
    said, status = shell.say(terminal, "busctl --user call %s Unlock ao 1 %s" % (SERVICE, LOGIN))
    assert status == 0 and said.startswith("aoo "), said
    return said != 'aoo 1 "%s" "/"' % LOGIN


def converse(terminal, command, *turns):
    """A command of the session that asks: (what to expect, what to type)...; its output."""
    terminal.sendline("%s; echo sa''id-$?-" % command)
    for prompt, answer in turns:
        terminal.expect_exact(prompt)
        terminal.sendline(answer)
    terminal.expect(r"(?s)(.*)said-(\d+)-")
    return terminal.match.group(1), int(terminal.match.group(2))


def keyring(terminal, password, *options):
    return converse(terminal, "hygie secret keyring " + " ".join(options), ("PIN of Alice", mc.PIN),
                    ("Present password of the keyring", password))


def test_first_login_by_card_makes_a_keyring_that_the_card_opens(machine, secret, content):
    with machine.card(content):
        for _ in range(2):
            with session(machine, "PIN") as terminal:
                assert locked(terminal) is False
                machine.wait_ready()
                shown, _ = converse(terminal, "hygie secret show", ("PIN of Alice", mc.PIN))
    machine.run("journalctl", "--sync")
    (secret_text,) = re.findall(r"[A-Za-z0-9+/]{43}=", shown)
    journal = machine.run("journalctl", "--no-pager", "-o", "export").stdout
    assert secret_text not in journal and "HYGIE_EVENT=secret-show" in journal


def test_keyring_of_a_password_is_changed_over_and_back(machine, secret, content):
    with session(machine, "Password") as terminal:
        assert locked(terminal) is False  # made by this login, with its password
    with machine.card(content):
        with session(machine, "PIN") as terminal:
            assert locked(terminal) is True  # and the login works all the same
            said, status = keyring(terminal, "not the password")
            assert status != 0 and "not the keyring's password" in said
            said, status = keyring(terminal, mc.PASSWORD)
            assert status == 0 and "Your card opens the keyring" in said, said
        with session(machine, "PIN") as terminal:
            assert locked(terminal) is False
            said, _ = converse(terminal, "hygie secret keyring --back", ("PIN of Alice", mc.PIN),
                               ("New password", mc.PASSWORD), ("again", "another"))
            assert "differ" in said
            said, status = converse(terminal, "hygie secret keyring --back", ("PIN of Alice", mc.PIN),
                                    ("New password", mc.PASSWORD), ("again", mc.PASSWORD))
            assert status == 0 and "new password" in said, said
        with session(machine, "PIN") as terminal:
            assert locked(terminal) is True
    with session(machine, "Password") as terminal:
        assert locked(terminal) is False
        assert shell.say(terminal, "ls -A .local/share/keyrings")[0].split() == ["login.keyring", "user.keystore"]


def test_session_that_began_before_the_secret_gets_a_keyring_too(machine, secret, content):
    """Nobody made one at login, since there was nothing to lock it by."""
    machine.run("hygie", "secret", "disable", "alice")
    with machine.card(content):
        with session(machine, "PIN") as terminal:
            assert locked(terminal) is None
            machine.run("hygie", "secret", "enable", "alice")
            machine.wait_ready()
            said, status = converse(terminal, "hygie secret keyring --back", ("PIN of Alice", mc.PIN))
            assert status != 0 and "no login keyring" in said, said
            machine.wait_ready()
            said, status = converse(terminal, "hygie secret keyring", ("PIN of Alice", mc.PIN))
            assert status == 0 and "one is made" in said, said
            assert locked(terminal) is False
        with session(machine, "PIN") as terminal:
            assert locked(terminal) is False


def test_without_a_bus_or_a_keyring_daemon_no_pin_is_asked(machine, secret, content):
    with machine.card(content):
        machine.wait_ready()
        done = machine.run("hygie", "secret", "keyring", user="alice", check=False)
        assert done.returncode != 0 and "no session bus" in done.stderr
        machine.write("/etc/empty-bus.conf", BUS)
        done = machine.run("dbus-run-session", "--config-file=/etc/empty-bus.conf", "--", "hygie",
                           "secret", "keyring", user="alice", check=False)
        assert done.returncode != 0 and "No keyring daemon" in done.stderr, done.stderr
