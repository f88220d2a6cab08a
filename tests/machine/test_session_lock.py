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


def open_i3lock(at):
    at.type(mc.PIN)
    at.press("Return")


def test_i3lock_holds_the_screen_from_the_cards_going_until_its_pin(machine, card, at):
    at.wait_key("a")
    at.start_lock(*I3LOCK)
    with lock.Bus(machine) as bus:
        card.remove()
        at.wait_phase("locked")
        assert lock.hint(machine, at.session)
        before = at.keys()
        at.picture("session-lock-i3lock")
        card.insert()
        machine.wait_ready()
        open_i3lock(at)
        at.wait_phase("card in")
        at.wait_hint(False)
        assert at.keys() == before, "keys went through the locker"
        at.wait_key("b")
        bus.wait("PropertiesChanged", at.session, 2)
        assert desk.hints(bus, at.session) == [True, False]
    assert at.lockers("i3lock") == []
