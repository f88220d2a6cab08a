# SPDX-License-Identifier: Apache-2.0
"""The units that `make install` puts in: the daemon starts by itself, is confined, comes back
when it dies, and serves a login."""
import json


def show(machine, unit, *properties):
    lines = machine.run("systemctl", "show", unit, *("--property=" + name for name in properties))
    return dict(line.split("=", 1) for line in lines.stdout.splitlines())


def test_daemon_runs_as_its_unit_says(machine):
    state = show(machine, "hygied.service", "ActiveState", "SubState", "Type")
    assert state == {"ActiveState": "active", "SubState": "running", "Type": "notify"}
    assert machine.run("systemctl", "--failed", "--plain", "--no-legend").stdout.strip() == ""


def test_status_tells_of_the_card_that_its_helper_read(machine):
    with machine.card(machine.cards["alice"]):
        machine.wait_ready()
        (reader,) = [one for one in machine.readers() if one["state"] == "ready"]
        assert reader["user"] == "alice"


def test_any_user_may_ask_for_the_status(machine):
    assert json.loads(machine.run("hygie", "status", "--json", user="carol").stdout)["readers"]


def test_daemon_that_is_killed_comes_back_and_serves(machine):
    before = show(machine, "hygied.service", "MainPID")["MainPID"]
    machine.run("kill", "-KILL", before)
    machine.wait_until(lambda: show(machine, "hygied.service", "MainPID")["MainPID"]
                       not in ("0", before), "to start hygied again")
    machine.wait_readers(lambda readers: len(readers) > 0)


def test_stopped_daemon_starts_when_it_is_asked_something(machine):
    machine.run("systemctl", "stop", "hygied.service")
    assert machine.run("hygie", "status").returncode == 0
    machine.wait_readers(lambda readers: len(readers) > 0)
    assert show(machine, "hygied.service", "ActiveState")["ActiveState"] == "active"
