# SPDX-License-Identifier: Apache-2.0
"""Two holders with their cards, two sessions, whatever happens in whatever order: the store is
mounted exactly when somebody holds it, for real. What should be is computed as in
tests/unit/test_store_walk.c. HYGIE_ORDERS says how many orders are tried (20)."""
import contextlib
import os
import random

import pytest

import machine as mc
import records
import recordsite
import shell
from recordsite import cards, made  # noqa: F401

# No grace: a card that is out lets go at once, so that each step has one right end.
CONFIG = ("[login]\ncard_wait = 1s\n[removal]\naction = none\ntext_action = none\n"
          "[store]\ngrace = 0\n")
ORDERS = int(os.environ.get("HYGIE_ORDERS", "20"))
STEPS = 5
HOLDERS = recordsite.USERS
PORTS = (35963, 35964)


class World:
    """The machine and what should be: which card is in, whose session is in which place, and
    whether that session and its card hold the store."""

    def __init__(self, machine, store, pieces):
        self.machine, self.store, self.pieces = machine, store, pieces
        self.is_in = [False, False]
        self.sessions = [None, None]  # (holder, terminal, how to leave it)
        self.holds = [False, False]
        self.story = []

    def steps(self):
        """What can happen now."""
        found = []
        for holder in (0, 1):
            found.append(("card_out" if self.is_in[holder] else "card_in", holder))
        for place, session in enumerate(self.sessions):
            if session is None:
                found += [("login", place, holder) for holder in (0, 1) if self.is_in[holder]]
            else:
                found += [(what, place) for what in ("lock", "logout", "switch")]
                if self.is_in[session[0]]:
                    found.append(("unlock", place))
        return found

    def card_in(self, holder):
        self.pieces[holder].insert()
        self.is_in[holder] = True

    def card_out(self, holder):
        self.pieces[holder].remove()
        self.is_in[holder] = False
        for place, session in enumerate(self.sessions):
            if session and session[0] == holder:
                self.holds[place] = False

    def login(self, place, holder):
        leave = contextlib.ExitStack()
        terminal = leave.enter_context(shell.session(self.machine, HOLDERS[holder], seat=True))
        self.sessions[place] = (holder, terminal, leave)
        self.holds[place] = True

    def logout(self, place):
        self.sessions[place][2].close()
        self.sessions[place], self.holds[place] = None, False

    def lock(self, place):
        self.machine.run("loginctl", "lock-session", self.sessions[place][1].session)

    def switch(self, place):
        """Another session in front."""
        self.machine.run("loginctl", "activate", self.sessions[place][1].session)

    def unlock(self, place):
        """The PIN at a locker in the session."""
        holder, terminal, _ = self.sessions[place]
        terminal.sendline("pamtester xlock %s authenticate; echo unlo''cked-$?-" % HOLDERS[holder])
        terminal.expect("PIN")
        terminal.sendline(mc.PIN)
        terminal.expect(r"unlocked-(\d+)-")
        assert terminal.match.group(1) == "0", self.story
        self.holds[place] = True

    def settle(self):
        wanted = sorted("ready" if one else "empty" for one in self.is_in)
        self.machine.wait_readers(
            lambda readers: sorted(one["state"] for one in readers) == wanted)

    def is_right(self):
        """By the mount table and the processes, and by what hygied says of it."""
        there = any(self.holds)
        said = self.store.status()[0]
        return (self.store.is_open() == there and bool(self.store.ciphers()) == there
                and said["state"] == ("open" if there else "shut")
                and said["sessions"] == sum(self.holds))

    def step(self, step):
        self.settle()  # a card that was just used is read anew
        self.story.append(step)
        getattr(self, step[0])(*step[1:])
        self.store.wait(self.is_right, "%s %s: to be as it should after %s"
                        % (self.holds, self.store.status(), self.story))

    def end(self):
        for place, session in enumerate(self.sessions):
            if session:
                self.step(("logout", place))
        for holder in (0, 1):
            if self.is_in[holder]:
                self.step(("card_out", holder))
        self.settle()


@pytest.fixture(scope="module")
def pieces(machine, cards):  # noqa: F811
    machine.write("/etc/pam.d/xlock", "@include common-auth\n@include common-account\n")
    with contextlib.ExitStack() as stack:
        yield [stack.enter_context(machine.card(cards[user], port=port, absent=True))
               for user, port in zip(HOLDERS, PORTS)]


@pytest.mark.parametrize("seed", range(ORDERS))
def test_the_mount_is_there_exactly_when_somebody_holds_it(machine, made, pieces,  # noqa: F811
                                                          seed):
    world, dice = World(machine, made, pieces), random.Random(seed)
    world.step(("card_in", dice.randrange(2)))
    world.step(("login", dice.randrange(2), world.is_in.index(True)))
    try:
        for _ in range(STEPS):
            world.step(dice.choice(world.steps()))
    finally:
        world.end()
    assert records.GROUP and made.is_shut()
