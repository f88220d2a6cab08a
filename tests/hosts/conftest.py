# SPDX-License-Identifier: Apache-2.0
"""Fixtures: a whole station, Alice's and Bob's cards enrolled, in a reader each."""
import pathlib
import sys

import pytest

HERE = pathlib.Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent)]

import station as st  # noqa: E402 (it finds the next one)
import pivcard  # noqa: E402

SECOND_READER = 35964


@pytest.fixture(scope="module")
def station(request, tmp_path_factory):
    """A running workstation; the tests of a file share it. CONFIG of the file is added to
    its hygie.conf."""
    with st.Station(tmp_path_factory.mktemp("station"),
                    config=getattr(request.module, "CONFIG", "")) as running:
        yield running


def enrolled(station, name, **changes):
    content = station.make_card(name, **changes)
    with station.card(content):
        station.wait_ready()
        station.enrol(name)
    return content


@pytest.fixture(scope="module")
def alice(station):
    return enrolled(station, "alice")


@pytest.fixture(scope="module")
def bob(station):
    return enrolled(station, "bob")


def wait_at_rest(station, *expected):
    """Until the readers are in these states. No card is pulled in the middle of a command
    here: with two of them the driver may then not see the next one."""
    station.wait_readers(lambda readers: sorted(reader["state"] for reader in readers)
                         == sorted(expected))


@pytest.fixture
def card(station, alice):
    """Alice's card in the reader, read, with nothing spoilt."""
    with station.card(alice) as running:
        wait_at_rest(station, "ready", "empty")
        running.reset_count()
        yield running
        wait_at_rest(station, "ready", "empty")


@pytest.fixture
def cards(station, alice, bob):
    """Both, in a reader each, read."""
    with station.card(alice) as first, pivcard.PivCard(bob, port=SECOND_READER) as second:
        wait_at_rest(station, "ready", "ready")
        yield first, second
        wait_at_rest(station, "ready", "ready")
