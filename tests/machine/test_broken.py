# SPDX-License-Identifier: Apache-2.0
"""When everything is broken: under the stack that requires the card, root still gets in at the
console, root's su and cron's jobs go on, whoever is exempt gets in with a password, and a
cardholder is refused soon, with a sentence that says what to do or whom to call."""
import contextlib
import time

import hosts
import hosts_jobs
import outcomes
import pytest
import stacks

CONFIG = outcomes.CONFIG
LOGIN, SU, CRON = hosts.Login(), hosts.SuByRoot(), hosts_jobs.Cron()
HOSTS = (LOGIN, SU, CRON)
SOON = 30.0  # seconds, on a loaded machine; the longest wait of a login is minutes
REGISTRY = "/var/lib/hygie/registry.db"
BROKEN_CONFIG = "/etc/hygie/hygie.conf.d/broken.conf"


@contextlib.contextmanager
def mended_by(machine, *command):
    """What breaks hygied inside is put right at the end by that shell command."""
    try:
        yield
    finally:
        machine.run("sh", "-c", *command)
        machine.run("systemctl", "reset-failed", "hygied.socket", "hygied.service", check=False)
        machine.run("systemctl", "stop", "hygied.socket", "hygied.service")
        machine.run("systemctl", "start", "hygied.socket", "hygied.service")
        machine.wait_readers(lambda readers: len(readers) > 0)


@contextlib.contextmanager
def registry_corrupt(machine, restart):
    machine.run("cp", "-a", REGISTRY, "/root/registry.db")
    with mended_by(machine, "cat /root/registry.db >%s; rm -f %s-*" % (REGISTRY, REGISTRY)):
        machine.run("sh", "-c", "rm -f %s-*; yes nonsense | head -c 8192 >%s" % (
            REGISTRY, REGISTRY))
        if restart:
            machine.run("systemctl", "restart", "hygied.service", check=False)
        yield


@contextlib.contextmanager
def registry_corrupt_under_way(machine):
    with registry_corrupt(machine, restart=False):
        yield


@contextlib.contextmanager
def registry_corrupt_at_start(machine):
    with registry_corrupt(machine, restart=True):
        yield


@contextlib.contextmanager
def no_ca(machine):
    with mended_by(machine, "rm -r /etc/hygie/ca && mv /etc/hygie/ca.away /etc/hygie/ca"):
        machine.run("sh", "-c", "mv /etc/hygie/ca /etc/hygie/ca.away && mkdir /etc/hygie/ca")
        machine.run("systemctl", "restart", "hygied.service", check=False)
        machine.wait_until(lambda: any(one["state"] == "ready" for one in machine.readers()),
                           "to read the card")
        yield


@contextlib.contextmanager
def configuration_broken(machine):
    with mended_by(machine, "rm " + BROKEN_CONFIG):
        machine.write(BROKEN_CONFIG, "[login]\nno_such_key = 1\n")
        machine.run("systemctl", "restart", "hygied.service", check=False)
        yield


BROKEN = {
    "hygied stopped": outcomes.hygied_dead,
    "pcscd stopped": outcomes.pcscd_dead,
    "registry corrupt at start": registry_corrupt_at_start,
    "registry corrupt under way": registry_corrupt_under_way,
    "no CA": no_ca,
    "configuration broken": configuration_broken,
}


@pytest.fixture(scope="module", params=BROKEN)
def broken(request, doors):
    """The machine, broken so, with alice's card in."""
    stacks.use(doors, "required")
    with doors.card(doors.cards["alice"]):
        doors.wait_ready()
        with BROKEN[request.param](doors):
            yield doors


def test_root_gets_in_at_the_console(broken):
    assert LOGIN.open(broken, "root", outcomes.Answer()).open


def test_exempt_user_gets_in_at_the_console(broken):
    assert LOGIN.open(broken, "erin", outcomes.Answer()).open


def test_su_by_root_works(broken):
    assert SU.open(broken, "alice", outcomes.Answer()).open


def test_job_of_cron_runs(broken):
    assert CRON.open(broken, "alice", outcomes.Answer()).open


def test_cardholder_is_refused_soon_and_told_whom_to_ask(broken):
    began = time.monotonic()
    visit = LOGIN.open(broken, "alice", outcomes.Answer())
    assert not visit.open
    assert "administrator" in visit.text, visit.text
    assert time.monotonic() - began < SOON
