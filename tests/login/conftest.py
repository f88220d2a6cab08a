# SPDX-License-Identifier: Apache-2.0
"""Fixtures of the login tests: one key store and one PKI for the run of a file."""
import pathlib
import sys

import pytest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))

import station as st  # noqa: E402


@pytest.fixture(scope="module")
def station(tmp_path_factory):
    """A running workstation; the tests of a file share it."""
    with st.Station(tmp_path_factory.mktemp("station")) as running:
        yield running


@pytest.fixture(scope="module")
def alice(station):
    """Alice's card, as a directory; enrolled."""
    content = station.make_card("alice")
    with station.card(content):
        station.wait_ready()
        station.enrol("alice")
    return content


@pytest.fixture
def card(station, alice):
    """Alice's card in the reader, read, with nothing spoilt."""
    with station.card(alice) as running:
        station.wait_ready()
        yield running
