# SPDX-License-Identifier: Apache-2.0
"""Lockers of a screen, run as its user, each under each outcome."""
import hosts_screen
import outcomes
import pytest
import walk

CONFIG = outcomes.CONFIG
HOSTS = (hosts_screen.I3lock(), hosts_screen.Swaylock(), hosts_screen.Xsecurelock())


@pytest.fixture(scope="module", autouse=True)
def lockers(doors):
    with hosts_screen.on_screens(doors, HOSTS):
        yield doors


@walk.cells(HOSTS)
def test_door(stage, host, matrix):
    stage.check(host, matrix)


def test_page_tells_what_was_run(matrix):
    assert matrix.differences() == []
