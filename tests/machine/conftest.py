# SPDX-License-Identifier: Apache-2.0
"""Fixtures of the tests in a booted machine: one machine for a file."""
import pathlib
import sys

import pytest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))

import machine as mc  # noqa: E402
import matrix as mx  # noqa: E402
import walk  # noqa: E402


@pytest.fixture(scope="module")
def machine(request, tmp_path_factory):
    """A booted machine with alice, bob and carol; alice and bob have enrolled cards. The test
    file's CONFIG is added to hygie.conf."""
    config = getattr(request.module, "CONFIG", "")
    with mc.Machine(tmp_path_factory.mktemp("machine"), config) as running:
        running.cards = {name: running.make_card(name) for name in ("alice", "bob")}
        for name, content in running.cards.items():
            with running.card(content):
                running.wait_ready()
                running.enrol(name)
        yield running


@pytest.fixture
def card(machine):
    """Alice's card in the reader, read."""
    with machine.card(machine.cards["alice"]) as running:
        machine.wait_ready()
        yield running


@pytest.fixture(scope="module")
def matrix(request):
    """Where the cells of this file go."""
    return mx.Writer(pathlib.Path(request.module.__file__).stem[len("test_"):])


@pytest.fixture(scope="module")
def doors(request, machine):
    """The machine with the users and the HOSTS of the test file; see walk.py."""
    walk.set_up(machine, request.module.HOSTS)
    return machine


@pytest.fixture(scope="module")
def stage(request, doors):
    """The machine in the state of an outcome under a profile: see walk.cells."""
    with walk.stage(doors, *request.param) as ready:
        yield ready
