# SPDX-License-Identifier: Apache-2.0
"""lightdm with its GTK greeter, under each outcome; and what one sees there."""
import hosts_lightdm
import machine as mc
import outcomes
import pytest
import stacks
import walk

CONFIG = outcomes.CONFIG
LIGHTDM = hosts_lightdm.Lightdm()
HOSTS = (LIGHTDM,)
DROP_IN = "/etc/hygie/hygie.conf.d/50-prompts.conf"


@pytest.fixture
def card(doors):
    stacks.use(doors, "optional")
    with doors.card(doors.cards["alice"]) as card:
        doors.wait_ready()
        yield card


@walk.cells(HOSTS)
def test_door(stage, host, matrix):
    stage.check(host, matrix)


def test_page_tells_what_was_run(matrix):
    assert matrix.differences() == []
