# SPDX-License-Identifier: Apache-2.0
"""Doors on consoles and to other rights, each under each outcome: login, su, sudo."""
import hosts
import outcomes
import walk

CONFIG = outcomes.CONFIG
HOSTS = (hosts.Login(), hosts.Su(), hosts.SuByRoot(), hosts.Sudo())


@walk.cells(HOSTS)
def test_door(stage, host, matrix):
    stage.check(host, matrix)
