# SPDX-License-Identifier: Apache-2.0
"""The walk through the matrix, for the test file of a family of hosts: each host under each
outcome under both profiles. Such a file holds

    CONFIG = outcomes.CONFIG                    # what the machine fixture adds to hygie.conf
    HOSTS = (hosts.Su(), hosts.Sudo())

    @walk.cells(HOSTS)
    def test_door(stage, host, matrix):
        stage.check(host, matrix)

    def test_page_tells_what_was_run(matrix):
        assert matrix.differences() == []

The fixtures are in conftest.py. The state of the machine changes in the outer loop.
"""
import contextlib
import time

import hosts as doors
import machine as mc
import outcomes
import pytest
import stacks
from matrix import Journal

MORE_USERS = ("erin", "mallory")  # erin: exempt, though she has a card; mallory: nobody


def cells(hosts, names=tuple(outcomes.OUTCOMES), profiles=stacks.PROFILES):
    """Parametrizes a test by stage and host."""
    stages = [(name, profile) for name in names for profile in profiles]

    def mark(function):
        function = pytest.mark.parametrize(
            "host", hosts, ids=[host.name.replace(" ", "_") for host in hosts])(function)
        return pytest.mark.parametrize("stage", stages, indirect=True, scope="module",
                                       ids=["-".join(stage) for stage in stages])(function)
    return mark


def set_up(machine, hosts):
    """Users and hosts of the walk, once for a machine."""
    for user in MORE_USERS:
        machine.run("useradd", "--create-home", "--shell", "/bin/bash", user)
    machine.run("chpasswd", stdin="".join("%s:%s\n" % (user, mc.PASSWORD) for user in MORE_USERS))
    machine.run("usermod", "-a", "-G", stacks.EXEMPT, "erin")
    machine.cards["erin"] = machine.make_card("erin")
    with machine.card(machine.cards["erin"]):
        machine.wait_ready()
        machine.enrol("erin")
    doors.set_up(machine)
    for host in hosts:
        host.set_up(machine)


class Stage:
    """The machine in the state of one outcome, under one profile."""

    def __init__(self, machine, outcome, profile, card):
        self.machine, self.outcome, self.profile, self.card = machine, outcome, profile, card
        self.journal = Journal(machine)

    def expected(self, host):
        special = host.unlike(self.outcome, self.profile)
        return special or (self.outcome.code_under(self.profile), self.outcome.door(self.profile))

    def check(self, host, matrix):
        """Tries the host's door; writes the cell; fails when it is not as expected."""
        outcome = self.outcome
        code, door = expected = self.expected(host)
        text = ""
        if not code.startswith("n/a"):
            outcome.again(self.machine, self.card)
            began = time.time()
            visit = host.open(self.machine, outcome.user, outcome.answer)
            code = self.journal.outcome(began)
            door, text = visit.door(code), visit.text
        matrix.record(host.title(), self.profile, outcome.name, code, door)
        assert (code, door) == expected, "%s\n%s" % (text, self.journal.text())


@contextlib.contextmanager
def stage(machine, name, profile):
    """For the fixture of that name."""
    outcome = outcomes.OUTCOMES[name]
    stacks.use(machine, profile)
    with outcome.state(machine) as card:
        yield Stage(machine, outcome, profile, card)
