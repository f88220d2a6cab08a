# SPDX-License-Identifier: Apache-2.0
"""Doors on consoles and to other rights, each under each outcome."""
import hosts
import outcomes
import walk

CONFIG = outcomes.CONFIG
HOSTS = (hosts.Login(), hosts.Getty(), hosts.Su(), hosts.SuByRoot(), hosts.Sudo(),
         hosts.SudoFromPipe(), hosts.Polkit(), hosts.Vlock())


@walk.cells(HOSTS)
def test_door(stage, host, matrix):
    stage.check(host, matrix)


def test_page_tells_what_was_run(matrix):
    assert matrix.differences() == []
