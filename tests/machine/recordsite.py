# SPDX-License-Identifier: Apache-2.0
"""The machine of the store's tests: two practitioners with cards, the store that both open, and
what is done with it in a session. A test file imports the fixtures that it needs, and CONFIG."""
import contextlib

import pytest

import machine as mc
import records
import stacks

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


def ask_open(machine, terminal, pin=mc.PIN, told=""):
    """hygie store open in the session, which is told that; its exit status."""
    machine.wait_ready()
    terminal.sendline("hygie store open; echo open''ed-$?-")
    terminal.expect("PIN")
    terminal.sendline(pin)
    terminal.expect(told)
    terminal.expect(r"opened-(\d+)-")
    return int(terminal.match.group(1))


def main_pid(machine, unit):
    """As the machine counts."""
    return int(machine.run("systemctl", "show", "-p", "MainPID", "--value", unit).stdout)
