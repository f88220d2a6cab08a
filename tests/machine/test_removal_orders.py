# SPDX-License-Identifier: Apache-2.0
"""Whatever happens in whatever order: a session whose card has been out for three seconds is
locked, and none is opened but by a PIN. HYGIE_ORDERS says how many orders are tried (20)."""
import os
import random
import time

import pytest

import lock
import stacks

CONFIG = "[login]\ncard_wait = 1s\n[removal]\ntext_action = lock\n"
ORDERS = int(os.environ.get("HYGIE_ORDERS", "20"))
STEPS = 5
GONE = 3.0  # seconds after which an open screen is a failure
NOTICE = 0.5  # seconds that pcscd takes to see a card of this driver go


class World:
    """The machine, alice's session with a locker, the card that is in, and what was done."""

    def __init__(self, machine, session, bus):
        self.machine, self.session, self.bus = machine, session, bus
        self.card = None  # (whose, PivCard), borrowed from `cards`
        self.pulled = 0.0  # when a card was, the last time
        self.out_since = None
        self.opened = 0  # by a PIN, since the beginning
        self.story = []

    def who(self):
        return self.card[0] if self.card else None

    def put_in(self, name):
        """Not at once after another: when pcscd 1.9.9 fails to reset a card that goes, it says so
        before its own look at the reader, and never sees a card that is in by then."""
        time.sleep(max(0.0, self.pulled + NOTICE - time.monotonic()))
        self.card = (name, lock.mc.pivcard.PivCard(self.machine.cards[name], atr="yubikey"))

    def take_out(self):
        if self.card:
            if self.card[0] == "alice":
                self.out_since = time.monotonic()
            self.card[1].stop()
            self.card = None
            self.pulled = time.monotonic()

    def settle(self):
        """Until hygied, and pcscd below it, see the reader as it is."""
        wanted = ["empty", "ready"] if self.card else ["empty", "empty"]
        self.machine.wait_readers(
            lambda readers: sorted(one["state"] for one in readers) == wanted)

    # The steps. Each leaves the world as its name says, whatever it was before.
    def insert(self):
        if self.who() != "alice":
            self.take_out()
            self.settle()
            self.put_in("alice")
        self.settle()

    def remove(self):
        self.take_out()
        self.settle()

    def swap(self):
        """Somebody else's card where alice's was."""
        self.take_out()
        self.settle()
        self.put_in("bob")

    def kill_hygied(self):
        self.machine.run("systemctl", "kill", "--signal=KILL", "hygied.service")

    def kill_pcscd(self):
        self.machine.run("systemctl", "kill", "--signal=KILL", "pcscd.service", check=False)

    def restart_both(self):
        self.machine.run("systemctl", "restart", "hygied.service", "pcscd.service")

    def lock(self):
        self.machine.run("hygie", "lock", user="alice")

    def unlock(self):
        """The PIN at the locker: it opens with alice's card in, and with no other."""
        if self.who() == "alice":
            self.settle()
        done = self.machine.run("pamtester", "locker", "alice", "authenticate",
                                stdin=lock.mc.PIN + "\n", user="alice", check=False)
        opened = "successfully" in done.stdout
        assert opened == (self.who() == "alice"), (self.story, done.stdout, done.stderr)
        if opened:
            self.opened += 1
            lock.set_hint(self.machine, self.session, False)

    def woken(self):
        """How often the machine woke up."""
        self.bus.read(0)
        return sum(one.get("member") == "PrepareForSleep" and one["payload"]["data"] == [False]
                   for one in self.bus.seen)

    def suspend(self):
        before = self.woken()
        self.machine.run("systemctl", "suspend")
        self.machine.wait_until(lambda: self.woken() > before, "to wake up")

    STEPS = ("insert", "remove", "swap", "kill_hygied", "kill_pcscd", "restart_both", "lock",
             "unlock", "suspend")

    def step(self, name):
        self.story.append(name)
        getattr(self, name)()

    def locked_by_now(self):
        return lock.hint(self.machine, self.session)

    def hints(self):
        """What the session's LockedHint became, in order, as the bus told it."""
        self.bus.read(0)
        path = lock.path_of(self.session)
        return [one["payload"]["data"][1]["LockedHint"]["data"] for one in self.bus.seen
                if one.get("member") == "PropertiesChanged" and one.get("path") == path
                and "LockedHint" in one["payload"]["data"][1]]


def run_order(world, steps):
    world.story = []
    world.step("insert")
    world.step("unlock")
    for name in steps:
        world.step(name)
        check_gone(world)
    world.step("remove")
    world.machine.wait_until(world.locked_by_now, "to lock after " + " ".join(world.story),
                             timeout=GONE + NOTICE)
    assert world.hints().count(False) <= world.opened, world.story


def check_gone(world):
    if world.who() != "alice" and world.out_since is not None and \
            time.monotonic() - world.out_since > GONE + NOTICE:
        assert world.locked_by_now(), world.story


@pytest.fixture(scope="module")
def world(machine):
    stacks.use(machine, "optional")
    # Killed more often than Debian's unit lets it start.
    for unit in ("pcscd.service", "pcscd.socket"):
        machine.run("mkdir", "-p", "/etc/systemd/system/%s.d" % unit)
        machine.write("/etc/systemd/system/%s.d/often.conf" % unit,
                      "[Unit]\nStartLimitIntervalSec=0\n")
    machine.run("systemctl", "daemon-reload")
    machine.write("/etc/pam.d/locker", "@include common-auth\n@include common-account\n")
    with machine.card(machine.cards["alice"]):
        machine.wait_ready()
        terminal = lock.session(machine)
        session = terminal.__enter__()
    with lock.obedient_locker(machine, session), lock.Bus(machine) as bus:
        world = World(machine, session, bus)
        yield world
        world.take_out()
    terminal.__exit__(None, None, None)


@pytest.mark.parametrize("seed", range(ORDERS))
def test_session_is_locked_when_its_card_is_gone(world, seed):
    steps = random.Random(seed).choices(World.STEPS, k=STEPS)
    run_order(world, steps)
