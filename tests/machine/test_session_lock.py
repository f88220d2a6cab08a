# SPDX-License-Identifier: Apache-2.0
"""hygie session-lock with real lockers on real screens: LockedHint says "locked" while the locker
holds the screen, and at no other time; and hygied believes it. The session is a terminal's, which
would be ended when its card is out, were there no locker in it."""
import time

import pytest

import desk
import lock
import machine as mc
import stacks

CONFIG = "[login]\ncard_wait = 1s\n"
I3LOCK = ("i3lock", "-c", "203040")
HELD = "holds the screen\n"
# xsecurelock's own program that calls PAM; what it shows is told here as well.
AUTHPROTO = """#!/bin/bash
/usr/libexec/xsecurelock/authproto_pam | tee -a /tmp/asked
exit ${PIPESTATUS[0]}
"""


@pytest.fixture(scope="module", autouse=True)
def doors(machine):
    stacks.use(machine, "optional")
    # Debian's own service makes who fails wait; the tests need not.
    machine.run("sed", "-i", "s/delay=3000000/delay=1000/", "/etc/pam.d/login")
    machine.write("/usr/local/bin/authproto", AUTHPROTO, mode="755")


@pytest.fixture
def at(machine, card):
    with desk.open_x(machine) as opened:
        yield opened


@pytest.fixture
def bus(machine):
    with lock.Bus(machine) as heard:
        yield heard


@pytest.fixture
def sway(machine, card):
    with desk.open_sway(machine) as opened:
        yield opened


@pytest.fixture
def sway_bus(machine, sway):
    with lock.Bus(machine) as heard:
        yield heard


def lock_now(at):
    at.machine.run("loginctl", "lock-session", at.session)
    at.wait_hint(True)


def open_i3lock(at):
    at.machine.wait_ready()
    at.type(mc.PIN)
    at.press("Return")


def open_xsecurelock(at):
    """A key wakes its dialogue; that key is no part of an answer."""
    at.machine.wait_ready()
    at.machine.run("rm", "-f", "/tmp/asked")
    at.press("space")
    at.machine.wait_until(lambda: "PIN" in at.machine.run("cat", "/tmp/asked", check=False).stdout,
                          "to ask for the PIN")
    at.type(mc.PIN)
    at.press("Return")


def wait_hints(bus, at, expected):
    """LockedHint became just these, and the last of them was seen."""
    deadline = time.monotonic() + mc.PATIENCE
    while len(desk.hints(bus, at.session)) < len(expected) and time.monotonic() < deadline:
        bus.read(deadline - time.monotonic())
    assert desk.hints(bus, at.session) == expected


def whole_way(machine, card, at, bus, picture, unlock):
    """From the card's going to the PIN."""
    at.wait_key("a")
    card.remove()
    at.wait_phase("locked")
    assert lock.hint(machine, at.session)
    at.picture(picture)
    card.insert()
    unlock(at)
    at.wait_phase("card in")
    at.wait_hint(False)
    at.wait_key("b")
    assert at.keys() == ["a", "b"], "keys went through the locker"
    wait_hints(bus, at, [True, False])


@pytest.mark.parametrize("options", [(), ("--nofork",)], ids=["forks", "nofork"])
def test_i3lock_holds_the_screen_from_the_cards_going_until_its_pin(machine, card, at, bus, options):
    at.start_lock(*I3LOCK, *options)
    whole_way(machine, card, at, bus, "session-lock-i3lock", open_i3lock)
    assert at.lockers("i3lock") == []


@pytest.mark.parametrize("options", [
    ("xsecurelock",),
    ("--seen-by=ready-fd", "xsecurelock", "--", "sh", "-c", "echo >&3"),
], ids=["sleep-fd", "ready-fd"])
def test_xsecurelock_holds_the_screen_until_its_pin(machine, card, at, bus, options):
    at.start_lock(*options, environment="XSECURELOCK_AUTHPROTO=/usr/local/bin/authproto")
    whole_way(machine, card, at, bus, "session-lock-xsecurelock", open_xsecurelock)
    assert at.lockers("xsecurelock") == []


def test_swaylock_holds_the_screen_until_its_pin(machine, card, sway, sway_bus):
    sway.start_lock("swaylock", "-f", "-c", "203040")
    whole_way(machine, card, sway, sway_bus, "session-lock-swaylock", open_i3lock)
    assert sway.lockers("swaylock") == []


def kill_one(at, bus, name, which, unlock):
    """One of the locker's processes, while it holds the screen."""
    lock_now(at)
    killed = at.lockers(name)
    began = time.monotonic()
    at.machine.run("kill", "-9", killed[which])
    at.wait_log(HELD, 2)
    assert time.monotonic() - began < 3.0, "at once, on a loaded machine too"
    assert not set(killed) & set(at.lockers(name))
    unlock(at)
    wait_hints(bus, at, [True, False])
    at.wait_key("d")
    assert at.keys() == ["d"]


@pytest.mark.parametrize("which", [0, 1])
def test_killed_i3lock_is_back_and_locked_is_never_taken_back(at, bus, which):
    at.start_lock(*I3LOCK)
    kill_one(at, bus, "i3lock", which, open_i3lock)


def test_killed_xsecurelock_is_back_and_locked_is_never_taken_back(at, bus):
    at.start_lock("xsecurelock", environment="XSECURELOCK_AUTHPROTO=/usr/local/bin/authproto")
    kill_one(at, bus, "xsecurelock", 0, open_xsecurelock)


@pytest.mark.parametrize("which", [0, 1])
def test_killed_swaylock_is_back_and_locked_is_never_taken_back(sway, sway_bus, which):
    sway.start_lock("swaylock", "-f", "-c", "203040")
    kill_one(sway, sway_bus, "swaylock", which, open_i3lock)


def test_locker_that_never_locks_is_never_believed(machine, card, at, bus):
    at.start_lock("--seen-by=fork", "false")
    card.remove()
    at.wait_phase("not locked")
    at.wait_log("hygied is asked to cover it")
    assert desk.hints(bus, at.session) == []
    # The card's owner comes in by another way: it is not tried for ever.
    card.insert()
    machine.wait_ready()
    at.wait_log("false ended without unlocking", 4)
    assert desk.hints(bus, at.session) == []


def test_locker_of_no_evidence_is_run_and_not_believed(machine, card, at, bus):
    at.start_lock("sh", "-c", "exec i3lock --nofork")
    card.remove()
    machine.wait_until(lambda: at.lockers("i3lock"), "to start the locker")
    at.wait_phase("not locked")
    card.insert()
    open_i3lock(at)
    at.wait_log("the screen is open")
    assert desk.hints(bus, at.session) == []


@pytest.mark.parametrize("options", [(), ("--nofork",)], ids=["forks", "nofork"])
def test_another_client_has_the_keyboard_and_nothing_says_locked(machine, card, at, bus, options):
    at.start_lock(*I3LOCK, *options)
    # It grabs the keyboard, as an open menu does.
    at.start_aside("xsecurelock")
    machine.wait_until(lambda: at.lockers("xsecurelock"), "to start what grabs")
    at.wait_grabbed()
    card.remove()
    at.wait_phase("not locked")
    at.wait_log("i3lock ended without unlocking")
    assert desk.hints(bus, at.session) == []
    machine.run("pkill", "-9", "-x", "xsecurelock")
    at.wait_phase("locked")
    assert lock.hint(machine, at.session)


def test_unlock_session_opens_nothing(machine, card, at, bus):
    at.start_lock(*I3LOCK)
    lock_now(at)
    machine.run("loginctl", "unlock-session", at.session)
    at.wait_log("Unlock is not followed")
    assert at.lockers("i3lock") and lock.hint(machine, at.session)
    open_i3lock(at)
    wait_hints(bus, at, [True, False])


def test_hygied_restarted_knows_of_the_locker_again(machine, card, at):
    at.start_lock(*I3LOCK)
    machine.run("systemctl", "restart", "hygied.service")
    at.wait_log("hygied knows that a locker is here", 2)
    machine.wait_ready()
    card.remove()
    at.wait_phase("locked")
    machine.run("systemctl", "restart", "hygied.service")
    at.wait_log("hygied knows that a locker is here", 3)
    at.wait_phase("locked")
    card.insert()
    open_i3lock(at)
    at.wait_phase("card in")


def test_logind_restarted_is_told_again(machine, card, at):
    at.start_lock(*I3LOCK)
    lock_now(at)
    machine.run("systemctl", "restart", "systemd-logind.service")
    at.wait_hint(True)
    open_i3lock(at)
    at.wait_hint(False)
    # Lock is heard of the new one as well.
    lock_now(at)


def test_bus_restarted_is_listened_to_again(machine, card, at):
    at.start_lock(*I3LOCK)
    lock_now(at)
    machine.run("systemctl", "restart", "dbus.service")
    at.wait_log("is heard", 2)
    at.wait_hint(True)
    open_i3lock(at)
    at.wait_hint(False)
    lock_now(at)


def test_ended_while_locked_it_stays_until_the_screen_is_open(machine, card, at, bus):
    pid = at.start_lock(*I3LOCK)
    lock_now(at)
    machine.run("kill", pid)
    at.wait_log("ends when the screen is open again")
    open_i3lock(at)
    wait_hints(bus, at, [True, False])
    machine.wait_until(lambda: machine.run("kill", "-0", pid, check=False).returncode != 0,
                       "to end")


def test_killed_while_locked_the_next_one_knows_the_locker(machine, card, at, bus):
    pid = at.start_lock(*I3LOCK)
    lock_now(at)
    lockers = at.lockers("i3lock")
    machine.run("kill", "-9", pid)
    at.start_lock(*I3LOCK)
    assert at.lockers("i3lock") == lockers and lock.hint(machine, at.session)
    # How it ended nobody can tell: the screen is locked once more.
    open_i3lock(at)
    at.wait_log(HELD)
    assert desk.hints(bus, at.session) == [True]
    open_i3lock(at)
    wait_hints(bus, at, [True, False])


def test_killed_with_its_locker_the_next_one_locks_again(machine, card, at, bus):
    pid = at.start_lock(*I3LOCK)
    lock_now(at)
    machine.run("kill", "-9", pid, *at.lockers("i3lock"))
    at.start_lock(*I3LOCK)
    at.wait_log(HELD)
    assert desk.hints(bus, at.session) == [True]


def test_second_one_in_a_session_is_refused(machine, card, at):
    at.start_lock(*I3LOCK)
    assert at.shell("hygie session-lock i3lock") == 2
    assert "in this session already" in at.said


@pytest.fixture
def grace(machine):
    """Sets the grace of the site."""
    def use(text):
        machine.write("/etc/hygie/hygie.conf.d/grace.conf", "[removal]\ngrace = %s\n" % text)
        machine.run("systemctl", "restart", "hygied.service")
        machine.wait_ready()
    yield use
    machine.run("rm", "/etc/hygie/hygie.conf.d/grace.conf")
    machine.run("systemctl", "restart", "hygied.service")


SHOWN = "show 1 Your card is out. Put it back within %d s, or the screen locks."


def test_seconds_that_are_left_are_shown(machine, card, at, grace):
    grace("3s")
    at.start_notified()
    at.start_lock(*I3LOCK)
    card.remove()
    at.wait_phase("locked")
    assert "hygie: Your card is out. Put it back within 3 s, or the screen locks." in at.log()
    machine.wait_until(lambda: "close 1" in at.notified(), "to close the notification")
    assert at.notified() == [SHOWN % 3, SHOWN % 2, SHOWN % 1, "close 1"]


def test_card_that_comes_back_in_time_stops_the_countdown(machine, card, at, grace):
    grace("30s")
    at.start_notified()
    at.start_lock(*I3LOCK)
    card.remove()
    at.wait_phase("card out")
    machine.wait_until(lambda: SHOWN % 30 in at.notified(), "to show the notification")
    card.insert()
    at.wait_phase("card in")
    machine.wait_until(lambda: "close 1" in at.notified(), "to close the notification")
    assert not lock.hint(machine, at.session) and not at.lockers("i3lock")


def test_no_desktop_to_show_it_is_no_reason_not_to_lock(machine, card, at, grace):
    grace("1s")
    at.start_lock(*I3LOCK, environment="DBUS_SESSION_BUS_ADDRESS=unix:path=/nowhere")
    card.remove()
    at.wait_log("within 1 s, or the screen locks")
    at.wait_phase("locked")


def test_unit_of_the_users_manager_locks_by_the_sites_file(machine, card, at, bus):
    machine.write("/etc/hygie/locker", "# the site's\ni3lock -c 203040\n")
    machine.write("/etc/systemd/user/desk.target", "[Unit]\nBindsTo=graphical-session.target\n")
    machine.run("systemctl", "--global", "enable", "hygie-session-lock.service")
    unit = "hygie-session-lock.service"
    try:
        assert at.shell("systemctl --user daemon-reload") == 0
        assert at.shell("systemctl --user import-environment DISPLAY XDG_SESSION_ID") == 0
        assert at.shell("systemctl --user start desk.target") == 0
        machine.wait_until(lambda: "hygied knows" in machine.journal("_UID=1000", "-t", "hygie"),
                           "to start the unit")
        card.remove()
        at.wait_phase("locked")
        lockers = at.lockers("i3lock")
        # Restarted by the administrator: nothing opens, and nothing else is said.
        assert at.shell("systemctl --user restart " + unit) == 0
        assert at.lockers("i3lock") == lockers and lock.hint(machine, at.session)
        assert desk.hints(bus, at.session) == [True]
    finally:
        machine.run("systemctl", "--global", "disable", "hygie-session-lock.service")
        machine.run("rm", "/etc/hygie/locker", "/etc/systemd/user/desk.target")


def test_autostart_begins_where_the_site_names_a_locker(machine, card, at):
    text = machine.read("/etc/xdg/autostart/hygie-session-lock.desktop")
    command = next(line[len("Exec="):] for line in text.splitlines() if line.startswith("Exec="))
    assert at.shell(command) == 0 and "hygie:" not in at.said
    machine.write("/etc/hygie/locker", "i3lock -c 203040\n", mode="666")
    try:
        assert at.shell(command) == 7, "anybody could have written it"
        machine.run("chmod", "644", "/etc/hygie/locker")
        at.start_aside(command, desk.LOG)
        at.wait_log("hygied knows")
        card.remove()
        at.wait_phase("locked")
    finally:
        machine.run("rm", "/etc/hygie/locker")
