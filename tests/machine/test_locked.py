# SPDX-License-Identifier: Apache-2.0
"""A locked screen under attack: which keys get past the locker, what it sends to the card, what it
leaves of a PIN; and what the person sees, in build/screens."""
import contextlib
import pathlib
import shutil
import time

import hosts_screen
import machine as mc
import outcomes
import pytest
import stacks
from matrix import Journal

CONFIG = outcomes.CONFIG
I3LOCK, SWAYLOCK = hosts_screen.I3lock(), hosts_screen.Swaylock()
XSECURELOCK = hosts_screen.Xsecurelock()
HOSTS = (I3LOCK, SWAYLOCK, XSECURELOCK)
NAMES = [host.name for host in HOSTS]
LOOK = "/usr/local/lib/pam_look_module.so"
NOTE = "/usr/local/bin/note-look"
DROP_IN = "/etc/hygie/hygie.conf.d/50-pretyped.conf"


@pytest.fixture(scope="module", autouse=True)
def lockers(doors):
    stacks.use(doors, "optional")
    with hosts_screen.on_screens(doors, HOSTS):
        yield doors


@pytest.fixture
def last_try(doors):
    """alice's card, with one try left."""
    with doors.card(doors.cards["alice"], absent=True) as card:
        card.set_tries(1)
        card.insert()
        doors.wait_ready()
        yield card


def visit(machine, host, **typed):
    """Returns pam_hygie's outcome and whether the screen was opened."""
    journal, began = Journal(machine), time.time()
    opened = host.open(machine, "alice", outcomes.Answer(**typed)).open
    return journal.outcome(began), opened


# Keys.
@pytest.mark.parametrize("host", [I3LOCK, SWAYLOCK], ids=["X", "Wayland"])
def test_control_keys_reach_the_client_while_nothing_locks(host):
    host.screen.type("ab1")
    host.screen.press("Return")
    assert host.screen.reached() == ["a", "b", "1", "Return"]


@pytest.mark.parametrize("host", HOSTS, ids=NAMES)
def test_no_key_reaches_the_client_while_locked(doors, card, host):
    with host.locked(doors, "alice"):
        host.screen.type("ab1")
        host.screen.press("Tab")
    assert host.screen.reached() == []
    host.screen.press("b")
    assert host.screen.reached() == ["b"]


# Tries.
@pytest.mark.parametrize("pin", [outcomes.WRONG_PIN, mc.PIN], ids=["wrong", "right"])
@pytest.mark.parametrize("host", [I3LOCK, SWAYLOCK], ids=NAMES[:2])
def test_pretyped_locker_does_not_spend_the_last_try(doors, last_try, host, pin):
    assert visit(doors, host, typed=pin) == ("pin-last-try", False)
    assert (last_try.verify_count(), last_try.tries()) == (0, 1)


@contextlib.contextmanager
def pretyped(machine, services):
    """With another list of pre-typed services."""
    machine.write(DROP_IN, "[login]\npretyped = %s\n" % services)
    machine.run("systemctl", "restart", "hygied.service")
    machine.wait_ready()
    try:
        yield
    finally:
        machine.run("rm", DROP_IN)
        machine.run("systemctl", "restart", "hygied.service")
        machine.wait_readers(lambda readers: len(readers) > 0)


def test_control_locker_that_is_not_listed_spends_it(doors, last_try):
    with pretyped(doors, "swaylock"):
        assert visit(doors, I3LOCK, typed=outcomes.WRONG_PIN) == ("pin-wrong", False)
        assert (last_try.verify_count(), last_try.tries()) == (1, 0)


def test_pretyped_refusal_is_a_sentence_where_the_locker_shows_it(doors, last_try):
    with pretyped(doors, "common-auth"):
        with XSECURELOCK.asking(doors, "alice") as (_, shown):
            assert "One PIN try is left on the card. It is not risked here" in shown
    assert (last_try.verify_count(), last_try.tries()) == (0, 1)


def test_locker_with_prompts_takes_the_last_try_knowingly(doors, last_try):
    with XSECURELOCK.asking(doors, "alice") as (terminal, shown):
        assert "Last try. PIN of Alice Specimen" in shown
        XSECURELOCK.screen.picture("xsecurelock-last-try")
        XSECURELOCK.screen.type(mc.PIN)
        XSECURELOCK.screen.press("Return")
        terminal.expect("ended 0")
    assert (last_try.verify_count(), last_try.tries()) == (1, 3)


@pytest.mark.parametrize("text", [mc.PASSWORD, "12345", "123456789", "12345x", "x" * 60])
def test_what_cannot_be_a_pin_is_not_sent_to_the_card(doors, card, text):
    assert visit(doors, I3LOCK, typed=text) == ("pin-malformed", text == mc.PASSWORD)
    assert (card.verify_count(), card.tries()) == (0, 3)


@pytest.mark.parametrize("host", [SWAYLOCK, XSECURELOCK], ids=NAMES[1:])
def test_password_at_the_cards_prompt_is_not_sent_to_the_card(doors, card, host):
    assert visit(doors, host, pin=mc.PASSWORD, typed=mc.PASSWORD) == ("pin-malformed", True)
    assert (card.verify_count(), card.tries()) == (0, 3)


@pytest.mark.parametrize("host", HOSTS, ids=NAMES)
def test_control_what_may_be_a_pin_is_sent(doors, card, host):
    code, _ = visit(doors, host, pin=outcomes.WRONG_PIN, typed=outcomes.WRONG_PIN)
    assert (code, card.verify_count(), card.tries()) == ("pin-wrong", 1, 2)


# PAM_AUTHTOK.
@pytest.fixture(scope="module")
def look(doors):
    """i3lock's stack: ours, then a module that looks at PAM_AUTHTOK and one that writes down what
    it saw. Returns a function that types a text and tells it."""
    inside = pathlib.Path("/proc/%d/root" % doors.pid)
    shutil.copy(mc.ROOT / "build" / "tests" / "pam_look_module.so", str(inside) + LOOK)
    doors.write(NOTE, "#!/bin/sh\necho \"$LOOK_AUTHTOK\" >>/tmp/look\n", mode="755")
    debian = doors.read("/etc/pam.d/i3lock")

    def saw(typed, before=""):
        doors.run("rm", "-f", "/tmp/look")
        doors.write("/etc/pam.d/i3lock", before + "auth [default=ignore] pam_hygie.so\n"
                    "auth required %s\nauth optional pam_exec.so quiet %s\n"
                    "auth required pam_deny.so\n" % (LOOK, NOTE))
        assert not I3LOCK.open(doors, "alice", outcomes.Answer(typed=typed)).open
        return doors.read("/tmp/look").strip()
    yield saw
    doors.write("/etc/pam.d/i3lock", debian)


@pytest.mark.parametrize("typed", [mc.PIN, outcomes.WRONG_PIN, "1234"])
def test_no_pin_is_left_in_pam_authtok(card, look, typed):
    assert look(typed) == "unset"


def test_control_what_is_in_pam_authtok_is_seen(card, look):
    assert look(mc.PIN, "auth [default=ignore] %s set=seen\n" % LOOK) == "seen"


# Pictures.
def test_xsecurelock_shows_whose_pin_it_asks_for(doors, card):
    with XSECURELOCK.asking(doors, "alice") as (_, shown):
        assert "PIN of Alice Specimen:" in shown
        XSECURELOCK.screen.picture("xsecurelock-prompt")


@pytest.mark.parametrize("host", [I3LOCK, SWAYLOCK], ids=NAMES[:2])
def test_pretyped_locker_shows_that_it_refused(doors, card, host):
    with host.locked(doors, "alice") as terminal:
        locked = host.screen.picture(host.name + "-locked").read_bytes()
        assert not host.converse(terminal, outcomes.Answer(typed=outcomes.WRONG_PIN)).open
        assert host.screen.picture(host.name + "-refused").read_bytes() != locked
