# SPDX-License-Identifier: Apache-2.0
"""With a kernel of its own: a USB reader is plugged in and unplugged, a card pulled, while
somebody is logged in on a virtual terminal; the machine sleeps."""
import contextlib
import json
import time

import pytest

import console
import lock
import guest as vm

LOCK = "[removal]\ntext_action = lock\n"


@pytest.fixture
def reader(guest):
    """Plugged in, and known to be empty: a card that is in too early can be missed, since pcscd
    1.9.9 shows a new reader without a state and does not tell when it has one."""
    guest.plug()
    guest.wait_readers(lambda readers: [one["state"] for one in readers] == ["empty"])
    yield
    guest.unplug()


@pytest.fixture
def card(guest, reader):
    with guest.card(guest.alice) as card:
        guest.wait_ready()
        yield card


def is_active(guest, unit):
    return guest.run("systemctl", "is-active", unit, check=False).stdout.strip()


def wait_phase(guest, session, phase):
    guest.wait_until(lambda: console.phase(guest, session) == phase,
                     "until the session was " + phase)


def audit(guest, session):
    """The events of the session, in order, with their milliseconds since the card was gone."""
    text = guest.run("journalctl", "--no-pager", "-o", "json", "HYGIE_AUDIT=1",
                     "HYGIE_SESSION=" + session).stdout
    return [(one["HYGIE_EVENT"], int(one.get("HYGIE_MILLISECONDS", 0)))
            for one in map(json.loads, text.splitlines())]


def events(guest, session):
    return [event for event, _ in audit(guest, session)]


def test_reader_plugged_in_starts_the_service_which_reads_the_card(guest):
    guest.run("systemctl", "stop", "hygied.socket", "hygied.service", "pcscd.service")
    assert is_active(guest, "hygied.service") == "inactive"
    guest.plug()
    try:
        guest.wait_until(lambda: is_active(guest, "hygied.service") == "active", "to start hygied")
        with guest.card(guest.alice):
            guest.wait_ready()
            assert is_active(guest, "pcscd.service") == "active"
            assert "CCID" in guest.readers()[0]["reader"]
    finally:
        guest.unplug()
    guest.wait_until(lambda: guest.readers() == [], "to lose the reader")


def test_reader_starts_nothing_where_the_rule_is_masked(guest):
    """The control of the one above."""
    guest.run("systemctl", "stop", "hygied.socket", "hygied.service")
    guest.run("ln", "-s", "/dev/null", "/etc/udev/rules.d/70-hygie.rules")
    guest.run("udevadm", "control", "--reload")
    guest.plug()
    try:
        guest.wait_until(lambda: is_active(guest, "smartcard.target") == "active",
                         "to see the reader")
        assert is_active(guest, "hygied.service") == "inactive"
    finally:
        guest.unplug()
        guest.run("rm", "/etc/udev/rules.d/70-hygie.rules")
        guest.run("udevadm", "control", "--reload")


def test_card_pulled_logs_the_console_out(guest, card):
    with console.login(guest) as session:
        assert console.phase(guest, session) == "card in"
        guest.type("sleep 1234\n")
        guest.wait_until(lambda: guest.run("pgrep", "-x", "sleep", check=False).returncode == 0,
                         "to run a program")
        card.remove()
        guest.wait_until(lambda: session not in console.sessions(guest), "to end the session")
        screen = guest.wait_screen(1, console.LOGIN)
        assert console.PROMPT not in screen
        assert guest.run("pgrep", "-x", "sleep", check=False).returncode == 1
        assert events(guest, session)[-1] == "end-session"


def test_console_opened_by_a_password_stays_when_a_card_is_pulled(guest, reader):
    """The control of the one above."""
    with console.login(guest, "Password", vm.mc.PASSWORD) as session:
        with guest.card(guest.alice) as card:
            guest.wait_ready()
            card.remove()
            guest.wait_readers(lambda readers: readers[0]["state"] == "empty")
        assert session in console.sessions(guest)
        assert console.PROMPT in guest.screen(1)


def test_reader_unplugged_locks_the_session_and_the_lock_is_seen(guest, card):
    with console.settings(guest, LOCK), console.login(guest) as session, \
            console.locker(guest, session):
        guest.unplug()
        wait_phase(guest, session, "locked")
        assert lock.hint(guest, session)
        assert events(guest, session)[-2:] == ["lock", "locked"]
        assert audit(guest, session)[-1][1] < 3000


def test_session_that_does_not_lock_is_covered_by_the_login_screen_again_and_again(guest, card):
    with console.settings(guest, LOCK), console.greeter(guest) as greeter, \
            console.login(guest) as session:
        assert guest.foreground() == 1
        card.remove()
        guest.wait_until(lambda: guest.foreground() == 2, "to show the login screen")
        shown = guest.run("loginctl", "show-seat", "seat0", "-p", "ActiveSession", "--value")
        assert shown.stdout.strip() == greeter
        assert events(guest, session)[-2:] == ["lock", "not-locked"]
        guest.press("alt", "f1")
        guest.wait_until(lambda: events(guest, session).count("not-locked") == 2,
                         "to see that it is shown again")
        guest.wait_until(lambda: guest.foreground() == 2, "to show the login screen again")


@contextlib.contextmanager
def clock_set(guest, seconds):
    """The wall clock that much ahead, or behind; right again afterwards."""
    try:
        guest.run("date", "--set", "@%d" % (time.time() + seconds))
        yield
    finally:
        guest.run("date", "--set", "@%d" % time.time())


@pytest.mark.parametrize("seconds", [172800, -172800], ids=["ahead", "back"])
def test_card_pulled_locks_in_time_though_the_clock_jumped(guest, card, seconds):
    with console.settings(guest, LOCK), console.login(guest) as session, \
            console.locker(guest, session):
        with clock_set(guest, seconds):
            assert console.phase(guest, session) == "card in"  # the jump alone locks nothing
            card.remove()
            wait_phase(guest, session, "locked")
        assert lock.hint(guest, session)
        assert audit(guest, session)[-1][0] == "locked"
        assert audit(guest, session)[-1][1] < 3000


def test_clock_set_back_makes_no_grace_longer(guest, card):
    with console.settings(guest, LOCK + "grace = 2s\n"), console.login(guest) as session, \
            console.locker(guest, session):
        card.remove()
        wait_phase(guest, session, "card out")
        with clock_set(guest, -172800):
            wait_phase(guest, session, "locked")
        assert audit(guest, session)[-1][0] == "locked"
        assert audit(guest, session)[-1][1] < 5000


def test_card_pulled_while_the_machine_sleeps_locks_when_it_wakes(guest, card):
    """The last on the console: QEMU's text screen stays dark after a sleep."""
    with console.settings(guest, LOCK + "before_sleep = no\n"), console.login(guest) as session, \
            console.locker(guest, session):
        guest.run("systemd-run", "--no-block", "systemctl", "suspend")
        guest.qmp.wait_event("SUSPEND")
        card.remove()
        guest.qmp.execute("system_wakeup")
        guest.qmp.wait_event("WAKEUP")
        wait_phase(guest, session, "locked")
        assert lock.hint(guest, session)
        assert events(guest, session)[-2:] == ["lock", "locked"]


def sees_reader(guest, user):
    return "CCID" in guest.run("opensc-tool", "--list-readers", user=user, check=False).stdout


def test_restricted_socket_of_pcscd_leaves_the_reader_to_hygied(guest, reader):
    folder = "/etc/systemd/system/pcscd.socket.d"
    guest.wait_until(lambda: len(guest.readers()) == 1, "to see the reader")
    assert sees_reader(guest, "alice"), "the control: as Debian ships it"
    guest.run("install", "-D", "-m", "644", "/usr/share/doc/hygie/examples/pcscd-socket.conf",
              folder + "/hygie.conf")
    try:
        restart_pcscd(guest)
        assert not sees_reader(guest, "alice")
        with guest.card(guest.alice):
            guest.wait_ready()  # its helper, as hygie-token, has read it
    finally:
        guest.run("rm", "-r", folder)
        restart_pcscd(guest)
    assert sees_reader(guest, "alice")


def restart_pcscd(guest):
    guest.run("systemctl", "stop", "pcscd.socket", "pcscd.service")
    guest.run("systemctl", "daemon-reload")
    guest.run("systemctl", "start", "pcscd.socket")
