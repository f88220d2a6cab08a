# SPDX-License-Identifier: Apache-2.0
"""The n-th allocation or system call of hygied fails while a card is enrolled with its store key,
and while a store is made: a whole result or none, and never a weaker one than the card can."""
import pathlib
import sys

import pytest

TESTS = pathlib.Path(__file__).resolve().parents[1]
sys.path[:0] = [str(TESTS), str(TESTS / "store")]

import station as st  # noqa: E402
from keeping import Keeper  # noqa: E402
from storesite import STORE, STORES, Site  # noqa: E402
from test_fault import NEVER, Fault, fault  # noqa: E402, F401


@pytest.fixture(scope="module")
def site(fault, tmp_path_factory):  # noqa: F811
    made = Site(tmp_path_factory.mktemp("site"))
    made.station.config += "[login]\ndeadline = 3s\nwarm_deadline = 10s\n"
    try:
        yield made.begin()
    finally:
        made.keeper.end()
        made.station.stop()


def card_of_alice(site):
    """(state, how it opens stores), of the one that is enrolled for her."""
    (one,) = [each for each in site.station.run("cards")[1]["enrolments"] if each["user"] == "alice"]
    return one["state"], one.get("store_key")


def enrol_with(site, fault, turn):  # noqa: F811
    site.station.run("revoke", "--user", "alice", check=False)
    site.station.wait_readers(lambda readers: any(
        reader["state"] in ("ready", "unreadable") for reader in readers))
    fault.arm("hygied", turn)
    status, _, _ = site.station.enrol("alice", check=False)
    calls, name = fault.disarm()
    assert site.station.hygied.poll() is None, site.station.log()[-3000:]
    return status, calls, name


def test_nth_failure_of_an_enrolment_records_no_weaker_key(site, fault):  # noqa: F811
    with site.card("alice"):
        status, total, _ = enrol_with(site, fault, NEVER)
        assert status == 0 and card_of_alice(site) == ("active", "rsa-oaep-sha256") and total > 50
        failed = 0
        for turn in range(1, total + 1):
            status, _, name = enrol_with(site, fault, turn)
            state, key = card_of_alice(site)
            # What fails after the registry has it cannot take it back; it is told as a fault.
            assert status != 0 or state == "active", (turn, name)
            if state == "active":
                assert key == "rsa-oaep-sha256", (turn, name)
            failed += status != 0
        assert failed > total // 3
        assert enrol_with(site, fault, NEVER)[0] == 0


def create_with(site, fault, turn):  # noqa: F811
    if site.keeper.process.poll() is not None:
        site.keeper.end()
        site.keeper = Keeper()
    site.empty_stores()
    fault.arm("hygied", turn)
    status, _ = site.create("alice")
    calls, name = fault.disarm()
    assert site.station.hygied.poll() is None, site.station.log()[-3000:]
    return status, calls, name


def test_nth_failure_of_a_creation_leaves_a_whole_store_or_none(site, fault):  # noqa: F811
    with site.card("alice"):
        site.station.wait_ready()
        site.station.enrol("alice")
    status, total, _ = create_with(site, fault, NEVER)
    assert status == 0 and total > 50
    failed = 0
    for turn in range(1, total + 1):
        status, _, name = create_with(site, fault, turn)
        if status == 0 or STORE.exists():
            assert site.secret_by_key("alice") and site.secret_by_paper(), (turn, name)
            assert (STORE / "cipher/gocryptfs.conf").exists()
        else:
            assert site.store("list")[1]["stores"] == [], (turn, name)
            assert not list(STORES.glob(".*")) if STORES.exists() else True, (turn, name)
        failed += status != 0
    assert failed > total // 3
    assert create_with(site, fault, NEVER)[0] == 0
    assert site.mounts(site.secret_by_key("alice"))
