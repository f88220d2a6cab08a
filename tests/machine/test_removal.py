# SPDX-License-Identifier: Apache-2.0
"""The card goes: the session that it opened is locked, and seen to be locked; what follows when
it is not; and how a card comes back. Real logind, login and pcscd."""
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
def card(machine):
    with machine.card(machine.cards["alice"]) as card:
        machine.wait_ready()
        yield card


@pytest.fixture
def session(machine, card):
    with lock.session(machine) as name:
        yield name


def audit(machine, session):
    """The events of the session, in order."""
    text = machine.run("journalctl", "--no-pager", "-o", "json", "--output-fields=HYGIE_EVENT",
                       "HYGIE_AUDIT=1", "HYGIE_SESSION=" + session).stdout
    import json
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
