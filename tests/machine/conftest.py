# SPDX-License-Identifier: Apache-2.0
"""Fixtures of the tests in a booted machine: one machine for a file."""
import pathlib
import sys

import pytest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))

import machine as mc  # noqa: E402


@pytest.fixture(scope="module")
def machine(tmp_path_factory):
    """A booted machine with alice, bob and carol; alice and bob have enrolled cards."""
    with mc.Machine(tmp_path_factory.mktemp("machine")) as running:
        running.cards = {name: running.make_card(name) for name in ("alice", "bob")}
        for name, content in running.cards.items():
            with running.card(content):
                running.wait_ready()
                running.enrol(name)
        yield running
