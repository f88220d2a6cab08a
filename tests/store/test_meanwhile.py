# SPDX-License-Identifier: Apache-2.0
"""What root changes while a person is being asked something, or while a card works, is not
undone by what was read before; and nobody gains or keeps a right by it."""

import os
import subprocess

import pytest

import station as st
import processes
from dialogue import Dialogue
from keeping import until
from storesite import KEYS, STORES, site_at


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    yield from site_at(tmp_path_factory.mktemp("site"))


def test_right_taken_away_during_a_login_stays_away(site):
    site.fresh("alice", "bob")
    site.store("rotate", "records")  # so that this login writes
    result = site.login_while("alice", lambda: site.store("remove", "records", "bob"))
    assert result.code == 0
    assert site.holders() == {"alice": "held"} and not site.secret_by_key("bob"), site.station.log()[-5000:]
    assert site.mounts(site.secret_by_key("alice"))


def test_right_given_during_a_login_is_kept(site):
    site.fresh("alice")
    site.store("rotate", "records")
    site.login_while("alice", lambda: site.store("add", "records", "bob"))
    assert site.holders() == {"alice": "held", "bob": "held"} and site.secret_by_key("bob")


def test_who_is_removed_during_the_own_login_opens_and_grants_nothing(site):
    site.fresh("alice")
    site.store("add", "records", "bob")
    before, said = KEYS.read_bytes(), site.station.log().count("alice is not let in")
    site.login_while("alice", lambda: site.store("remove", "records", "alice"))
    assert KEYS.read_bytes() == before
    assert site.holders() == {"alice": "leaving", "bob": "pending"}
    assert site.station.log().count("alice is not let in") == said + 1


def test_right_taken_away_while_the_passphrase_is_typed_stays_away(site):
    site.fresh("alice", "bob")
    site.store("rotate", "records")
    dialogue = Dialogue("REQUEST_STORE_RECOVER", STORE="records")
    assert dialogue.prompt().type == "PROMPT"
    site.store("remove", "records", "bob")
    dialogue.answer(site.passphrase)
    assert dialogue.outcome() == "HYGIE_OK"
    assert site.holders() == {"alice": "held"} and not site.secret_by_key("bob"), site.station.log()[-5000:]
    assert site.mounts(site.secret_by_paper())


def begun_creation():
    """One that waits for the passphrase's first group; returns it and the group."""
    dialogue = Dialogue("REQUEST_STORE_CREATE", STORE="records", GROUP="users", MEMBER="alice")
    page = dialogue.hear("ITEM", "RESULT")
    assert page.type == "ITEM" and dialogue.prompt().type == "PROMPT"
    return dialogue, page.get("SECRET")[:4]


def test_of_two_creations_of_one_name_one_makes_the_store(site):
    """The second is answered while the first waits for the keeper, which stands still."""
    site.empty()
    (first, one), (second, two) = begun_creation(), begun_creation()
    with site.still_keeper():
        first.answer(one)
        until(lambda: list(STORES.glob(".records.new/store.ini")), "there is no stage")
        second.answer(two)
        assert second.outcome() == "HYGIE_BAD_REQUEST"
    assert first.outcome() == "HYGIE_OK"
    assert site.mounts(site.secret_by_key("alice"))


def test_creation_does_not_touch_a_store_that_came_while_it_waited(site):
    site.empty()
    (first, one), (second, two) = begun_creation(), begun_creation()
    first.answer(one)
    assert first.outcome() == "HYGIE_OK"
    before = KEYS.read_bytes()
    second.answer(two)
    assert second.outcome() == "HYGIE_BAD_REQUEST"
    assert KEYS.read_bytes() == before and site.mounts(site.secret_by_key("alice"))
    assert [path.name for path in STORES.iterdir()] == ["records"]


def revoke(site, user):
    site.station.run("revoke", "--user", user)


def test_card_that_is_revoked_during_its_login_opens_and_grants_nothing(site):
    site.fresh("alice", "bob")
    site.store("rotate", "records")
    before, opened = KEYS.read_bytes(), site.station.log().count("audit: store-open")
    result = site.login_while("bob", lambda: revoke(site, "bob"))
    assert result.code != 0
    assert KEYS.read_bytes() == before
    assert site.store("list")[1]["stores"][0]["generation"] == 1
    assert site.station.log().count("audit: store-open") == opened
    with site.card("bob"):
        site.station.enrol("bob")
    site.store("add", "records", "bob")
    site.login("bob")  # the control
    assert KEYS.read_bytes() != before


def test_secret_that_nobody_took_is_wiped_while_the_client_stays(site):
    """A user who vanishes during the login: his stores are not opened, and the client
    keeps its connection."""
    site.fresh("bob")
    secret = site.secret_by_key("bob").splitlines()[0]
    with site.card("bob") as card:
        login = Dialogue("REQUEST_AUTHENTICATE", USER="bob", SERVICE=st.SERVICE)
        assert login.prompt().type == "PROMPT"
        card.latency(100)
        login.answer(st.PIN)
        card.wait_verify()
        card.silent_at(1)
        card.wait_silent()
        subprocess.run(["userdel", "bob"], check=True)
        try:
            card.latency(0)
            card.speak()
            assert login.outcome() == "HYGIE_OK"
            assert processes.memory_holds(site.station.hygied.pid, secret) == []
            mine = bytes(secret)  # the control: it is found where it is
            assert processes.memory_holds(os.getpid(), mine)
        finally:
            st.add_user("bob")
        login.link.close()
