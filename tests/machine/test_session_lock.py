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


@pytest.fixture(scope="module", autouse=True)
def doors(machine):
    stacks.use(machine, "optional")
    # Debian's own service makes who fails wait; the tests need not.
    machine.run("sed", "-i", "s/delay=3000000/delay=1000/", "/etc/pam.d/login")


@pytest.fixture
def card(machine):
    with machine.card(machine.cards["alice"]) as card:
        machine.wait_ready()
        yield card


@pytest.fixture
def at(machine, card):
    with desk.open_x(machine) as opened:
        yield opened


@pytest.fixture
def bus(machine):
    with lock.Bus(machine) as heard:
        yield heard


def lock_now(at):
    at.machine.run("loginctl", "lock-session", at.session)
    at.wait_hint(True)


def open_i3lock(at):
    at.machine.wait_ready()
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
    at.type("x")  # a control: what is typed now reaches the locker alone
    at.press("BackSpace")
    before = at.keys()
    at.picture(picture)
    card.insert()
    unlock(at)
    at.wait_phase("card in")
    at.wait_hint(False)
    at.wait_key("b")
    assert at.keys() == before + ["b"], "keys went through the locker"
    assert before == ["a"]
    wait_hints(bus, at, [True, False])


@pytest.mark.parametrize("options", [(), ("--nofork",)], ids=["forks", "nofork"])
def test_i3lock_holds_the_screen_from_the_cards_going_until_its_pin(machine, card, at, bus, options):
    at.start_lock(*I3LOCK, *options)
    whole_way(machine, card, at, bus, "session-lock-i3lock", open_i3lock)
    assert at.lockers("i3lock") == []


@pytest.mark.parametrize("which", [0, 1])
def test_killed_locker_is_back_and_locked_is_never_taken_back(machine, card, at, bus, which):
    at.start_lock(*I3LOCK)
    lock_now(at)
    killed = at.lockers("i3lock")
    began = time.monotonic()
    machine.run("kill", "-9", killed[which])
    at.wait_log(HELD, 2)
    assert time.monotonic() - began < 1.0
    assert not set(killed) & set(at.lockers("i3lock"))
    at.press("c")
    at.press("BackSpace")
    open_i3lock(at)
    wait_hints(bus, at, [True, False])
    at.wait_key("d")
    assert at.keys() == ["d"]


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


def test_another_client_has_the_keyboard_and_nothing_says_locked(machine, card, at, bus):
    at.start_lock(*I3LOCK)
    # It grabs the keyboard, as an open menu does.
    at.start_aside("xsecurelock")
    machine.wait_until(lambda: at.lockers("xsecurelock"), "to start what grabs")
    at.wait_grabbed()
    card.remove()
    at.wait_phase("not locked")
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


def test_card_that_comes_back_in_time_stops_the_countdown(machine, card, at):
    machine.write("/etc/hygie/hygie.conf.d/grace.conf", "[removal]\ngrace = 30s\n")
    machine.run("systemctl", "restart", "hygied.service")
    try:
        machine.wait_ready()
        at.start_lock(*I3LOCK)
        card.remove()
        at.wait_log("Your card is out. Put it back within 30 s, or the screen locks.")
        at.wait_phase("card out")
        card.insert()
        at.wait_phase("card in")
        assert not lock.hint(machine, at.session) and not at.lockers("i3lock")
    finally:
        machine.run("rm", "/etc/hygie/hygie.conf.d/grace.conf")
        machine.run("systemctl", "restart", "hygied.service")
