# SPDX-License-Identifier: Apache-2.0
"""Doors over the network, and those at which nobody stands, each under each outcome."""
import hosts_jobs
import hosts_net
import outcomes
import walk

CONFIG = outcomes.CONFIG + hosts_net.Postgres.CONFIG
HOSTS = (hosts_net.Ssh(), hosts_net.SshPassword(), hosts_net.SshKey(), hosts_net.Postgres(),
         hosts_jobs.Cron(), hosts_jobs.At(), hosts_jobs.UserManager())


@walk.cells(HOSTS)
def test_door(stage, host, matrix):
    stage.check(host, matrix)


def test_page_tells_what_was_run(matrix):
    assert matrix.differences() == []
