# SPDX-License-Identifier: Apache-2.0
"""Doors over the network, and those at which nobody stands, each under each outcome."""
import time

import hosts_jobs
import hosts_net
import machine as mc
import outcomes
import stacks
import walk
from matrix import Journal

CONFIG = outcomes.CONFIG + hosts_net.Postgres.CONFIG
# The tests that come before the walk find nothing stopped.
HOSTS = (hosts_net.Ssh(), hosts_net.SshPassword(), hosts_net.SshKey(), hosts_net.Postgres(),
         hosts_jobs.Cron(), hosts_jobs.At(), hosts_jobs.UserManager())


def visit_postgres(doors, user):
    """The right PIN, with the user's card in. Returns pam_hygie's outcome and the visit."""
    with doors.card(doors.cards[user]):
        doors.wait_ready()
        journal, began = Journal(doors), time.time()
        visit = hosts_net.Postgres().open(doors, user, outcomes.Answer(typed=mc.PIN))
        return journal.outcome(began), visit.open


def rename_peer(doors, old, new):
    doors.run("sed", "-i", "s/^%s = /%s = /" % (old, new), "/etc/hygie/hygie.conf")
    doors.run("systemctl", "restart", "hygied.service")
    doors.wait_readers(lambda readers: len(readers) > 0)


def test_postgres_is_believed_for_the_group_alone(doors):
    stacks.use(doors, "optional")
    assert visit_postgres(doors, "alice") == ("ok", True)
    assert visit_postgres(doors, "bob") == ("not-allowed", False)


def test_postgres_that_no_line_names_is_believed_for_nobody(doors):
    stacks.use(doors, "optional")
    try:
        rename_peer(doors, "postgres", "nobody")
        assert visit_postgres(doors, "alice") == ("not-allowed", False)
    finally:
        rename_peer(doors, "nobody", "postgres")


@walk.cells(HOSTS)
def test_door(stage, host, matrix):
    stage.check(host, matrix)


def test_page_tells_what_was_run(matrix):
    assert matrix.differences() == []
