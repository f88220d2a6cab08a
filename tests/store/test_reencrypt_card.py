# SPDX-License-Identifier: Apache-2.0
"""A store is reencrypted by the card of a holder who may grant, where the passphrase lies in a safe far
away: as by the passphrase, by no other card, and for one PIN entry."""
import shutil

import pytest

import processes
import station as st
import wire
from dialogue import Dialogue
from keeping import until
from reencrypting import OLD, STAGE, filled_anew, held, look, opens, reencrypt
from storesite import KEYS, STORE, STORES, run, site_at

BY_CARD = ("--card",)
MIDST = 12  # a call of the command that copies


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    yield from site_at(tmp_path_factory.mktemp("site"))


@pytest.fixture
def records(site, sides):
    return filled_anew(site, sides, "alice", "bob")


def by_card(site, sides, user, *words, check=True):
    """The whole command, with that card in the reader, and how often a PIN went to it."""
    with site.card(user) as card:
        card.reset_count()
        status, told, said = reencrypt(site, sides, "--card", *words, check=check)
        return status, told, said, card.verify_count()


@pytest.mark.parametrize("user", ["alice", "bob"])  # RSA and ECDH
def test_card_of_a_holder_who_may_grant_does_it(site, sides, records, user):
    old = site.secret_by_key("alice")
    _, _, said, pins = by_card(site, sides, user)
    assert pins == 1 and "By this PIN the store records is opened for the administrator" in said
    for secret in (site.secret_by_key("alice"), site.secret_by_key("bob"), site.secret_by_paper()):
        look(site, records, secret)
    assert site.secret_by_key("alice").split()[0] != old.split()[0]
    assert not opens(site, old, STORE / "cipher") and opens(site, old, OLD / "cipher")
    assert any("audit: store-reencrypt-begun: ok" in line and "user=%s " % user in line
               for line in site.station.log().splitlines()), site.station.log()[-3000:]


def test_what_is_pending_is_carried_out_by_it(site, sides, records):
    """Who left has no key to the new store, and a new page holds."""
    site.store("remove", "records", "bob")
    assert site.print_page("recovery", "records")[0] == 0
    by_card(site, sides, "alice")
    assert site.holders() == {"alice": "held"} and not site.secret_by_key("bob")
    look(site, records, site.secret_by_paper())
    assert site.store("list")[1]["stores"][0]["generation"] == 3
    assert any("audit: store-rights: ok" in line and "user=alice " in line and "0 granted, 1 left" in line
               for line in site.station.log().splitlines()), site.station.log()[-3000:]


def test_card_that_is_named_is_the_one_that_is_asked(site, sides, records):
    status, told, _, pins = by_card(site, sides, "bob", "--user", "alice", check=False)
    assert status != 0 and pins == 0, told
    _, _, _, pins = by_card(site, sides, "bob", "--user", "bob", "--reader", "Virtual PCD 00 00")
    assert pins == 1
    look(site, records, site.secret_by_key("bob"))


def test_wrong_pin_is_told_costs_one_try_and_changes_nothing(site, sides, records):
    before = KEYS.read_bytes()
    with site.card("alice") as card:
        tries = card.tries()
        sides.begin()
        status, told, _ = site.store("reencrypt", "records", "--card", "--pin-stdin", pin="654321",
                                     check=False)
        assert status != 0 and "Wrong PIN" in told["text"]
        assert card.tries() == tries - 1 and card.verify_count() == 1
        site.station.wait_ready()
        card.set_tries(2)  # one more wrong one would leave the last
        site.store("reencrypt", "records", "--card", "--pin-stdin", pin="654321", check=False)
        assert card.tries() == 1
        site.station.wait_ready()
        _, told, _ = site.store("reencrypt", "records", "--card", "--pin-stdin", pin="", check=False)
        assert card.tries() == 1, told  # nothing was typed, nothing is counted
        card.set_tries(tries)
    assert KEYS.read_bytes() == before and not STAGE.exists()
    assert "audit: store-reencrypt: pin-wrong" in site.station.log()


# ---- cards that may not

def no_grant(site):
    site.store("remove", "records", "bob")
    site.login("alice")
    site.store("add", "records", "bob", "--no-grant")
    site.login("alice")
    assert site.holders()["bob"] == "held" and site.secret_by_key("bob")


def pending(site):
    site.store("remove", "records", "bob")
    site.login("alice")
    site.store("add", "records", "bob")


def leaving(site):
    site.store("remove", "records", "bob")
    assert site.secret_by_key("bob")  # the envelope has him still


def gone(site):
    site.store("remove", "records", "bob")
    site.login("alice")
    assert site.holders() == {"alice": "held"}


def expired(site):
    """By a date that only root can have written."""
    text = (STORE / "store.ini").read_text()
    assert "user = bob" in text
    (STORE / "store.ini").write_text(text.replace("user = bob\n", "user = bob\nuntil = 2020-01-31\n"))


def anothers_now(site):
    """The right is somebody else's, who had that card before."""
    text = (STORE / "store.ini").read_text()
    (STORE / "store.ini").write_text(text.replace("user = bob\n", "user = mallory\n"))


REFUSED = {no_grant: "may not grant", pending: "only pending", leaving: "is over", gone: "does not open",
           expired: "is over", anothers_now: "does not open"}


@pytest.mark.parametrize("state", sorted(REFUSED, key=lambda one: one.__name__))
def test_card_that_may_not_is_refused_before_its_pin_is_asked(site, sides, records, state):
    closed(site, lambda: state(site))
    before = KEYS.read_bytes()
    status, told, _, pins = by_card(site, sides, "bob", check=False)
    assert status != 0 and REFUSED[state] in told["text"], told
    assert pins == 0 and KEYS.read_bytes() == before and not STAGE.exists() and not OLD.exists()
    _, _, _, pins = by_card(site, sides, "alice")  # the control
    assert pins == 1


def closed(site, change):
    """After a change that opens the store, perhaps."""
    change()
    site.store("close", "records", check=False)
    until(lambda: site.store("status")[1]["stores"][0]["state"] == "shut", "it stays open")


def test_card_of_another_store_is_refused(site, sides, records):
    """Bob is a holder of that one, and of this one no more."""
    aside, other = site.home / "aside", STORES / "others"
    shutil.copytree(STORE, aside, ignore=shutil.ignore_patterns("cipher"))
    closed(site, lambda: gone(site))
    shutil.move(aside, other)
    try:
        status, told, _, pins = by_card(site, sides, "bob", check=False)
        assert status != 0 and "does not open that store" in told["text"] and pins == 0
    finally:
        shutil.rmtree(other)


def test_envelope_of_another_store_put_in_its_place_is_refused(site, sides, records):
    """Made for Alice's card, with a secret that somebody knows."""
    before = KEYS.read_bytes()
    status, other = run(
        "openssl", "cms", "-encrypt", "-binary", "-aes-256-gcm", "-outform", "DER", "-keyid", "-recip",
        site.home / "alice9d", "-keyopt", "rsa_padding_mode:oaep", "-keyopt", "rsa_oaep_md:sha256",
        data=b"q83vEjRWeJCrze8SNFZ4kKvN7xI0VniQq83vEjRWeJA=\nhygie-store-1 others 1 -\n")
    assert status == 0
    KEYS.write_bytes(other)
    status, told, _, pins = by_card(site, sides, "alice", check=False)
    assert status != 0 and "keys.cms" in told["text"] and pins == 1
    assert KEYS.read_bytes() == other and not STAGE.exists()
    KEYS.write_bytes(before)
    by_card(site, sides, "alice")  # the control
    look(site, records, site.secret_by_key("alice"))


def test_old_envelope_put_back_is_refused(site, sides, records):
    old = KEYS.read_bytes()
    site.store("rotate", "records")
    closed(site, lambda: site.login("alice"))
    new = KEYS.read_bytes()
    assert new != old
    KEYS.write_bytes(old)
    status, told, _, pins = by_card(site, sides, "alice", check=False)
    assert status != 0 and "older one put back" in told["text"] and pins == 1
    assert not STAGE.exists() and site.store("list")[1]["stores"][0]["generation"] == 2
    KEYS.write_bytes(new)
    by_card(site, sides, "alice")  # the control
    look(site, records, site.secret_by_key("alice"))


@pytest.mark.parametrize("whole", [True, False])
def test_who_was_removed_does_not_come_back_with_an_old_list(site, sides, records, whole):
    """store.ini put back, with or without his certificate, beside an envelope that is newer."""
    ini, holders = STORE / "store.ini", STORE / "holders"
    before, certificates = ini.read_bytes(), {path: path.read_bytes() for path in holders.iterdir()}
    site.store("remove", "records", "bob")
    closed(site, lambda: site.login("alice"))
    after = ini.read_bytes()
    ini.write_bytes(before)
    if whole:
        for path, content in certificates.items():
            path.write_bytes(content)
        by_card(site, sides, "alice")
    else:
        assert by_card(site, sides, "alice", check=False)[0] != 0 and not STAGE.exists()
        ini.write_bytes(after)
        by_card(site, sides, "alice")  # the control
    assert site.holders() == {"alice": "held"} and not site.secret_by_key("bob")
    look(site, records, site.secret_by_key("alice"))


@pytest.mark.parametrize("slot", ["9a", "9d"])
def test_clone_with_another_key_is_refused(site, sides, records, slot):
    """It shows Alice's certificates, and has not her key for logins, or for stores."""
    before = KEYS.read_bytes()
    with site.card("alice") as card:
        card.swap_key(slot, site.station.keys.key("rsa2048", "thief"))
        status, told, _ = reencrypt(site, sides, "--card", check=False)
        assert status != 0 and told["text"]
        card.swap_key(slot, site.station.keys.key("rsa2048", "alice-" + slot))
        assert KEYS.read_bytes() == before and not STAGE.exists() and not OLD.exists()
        site.station.wait_ready()
        reencrypt(site, sides, "--card")  # the control
    look(site, records, site.secret_by_key("alice"))


def test_others_than_root_may_not(site, records):
    uid = st.pwd.getpwnam("alice").pw_uid
    with site.card("alice") as card:
        status, _, _ = site.station.run("store", "reencrypt", "records", "--card", "--pin-stdin",
                                        uid=uid, pin=st.PIN, check=False)
        assert status != 0 and card.verify_count() == 0 and not STAGE.exists()


@pytest.mark.parametrize("words", [("--card", "--abandon"), ("--card", "--discard-old"),
                                   ("--user", "alice"), ("--reader", "x")])
def test_words_that_contradict_each_other_are_a_mistake(site, records, words):
    status, told, _ = site.store("reencrypt", "records", *words, check=False)
    assert status == 2 and "--card" in told["text"]


# ---- what happens while the PIN is typed, or the card works

def dialogue():
    made = Dialogue("REQUEST_STORE_REENCRYPT", STORE="records",
                    FLAGS=wire.REQUEST_FLAGS["REQUEST_CARD"])
    assert made.prompt().type == "PROMPT"
    return made


def test_right_taken_away_while_the_pin_is_typed_counts(site, records):
    with site.card("alice") as card:
        card.reset_count()
        asked = dialogue()
        site.store("remove", "records", "alice")
        asked.answer(st.PIN)
        assert asked.outcome() == "HYGIE_REFUSED"
        assert card.verify_count() == 0 and not STAGE.exists()


def test_card_that_is_revoked_while_the_pin_is_typed_counts(site, records):
    with site.card("bob") as card:
        card.reset_count()
        asked = dialogue()
        site.station.run("revoke", "--user", "bob")
        asked.answer(st.PIN)
        assert asked.outcome() in ("HYGIE_REFUSED", "HYGIE_CARD_REVOKED")
        assert not STAGE.exists()
        status, told, _ = site.store("reencrypt", "records", "--card", "--pin-stdin", pin=st.PIN,
                                     check=False)
        assert status != 0 and "revoked" in told["text"], told
        site.station.wait_ready()
        site.station.enrol("bob")
    assert site.holders()["bob"] == "leaving"


@pytest.mark.parametrize("change", [("remove", "records", "alice"), ("remove", "records", "bob")])
def test_rights_that_change_while_the_card_works_are_those_that_count(site, sides, records, change):
    """After the PIN has gone to it, before it has decrypted anything."""
    before = KEYS.read_bytes()
    with site.card("alice") as card:
        sides.begin()
        card.latency(100)
        asked = dialogue()
        asked.answer(st.PIN)
        card.wait_verify()
        card.silent_at(1)
        card.wait_silent()
        site.store(*change)
        card.latency(0)
        card.speak()
        if change[2] == "alice":
            assert asked.outcome() == "HYGIE_REFUSED"
            assert KEYS.read_bytes() == before and not STAGE.exists()
        else:
            asked.prompt()  # to copy
            asked.link.close()
            sides.shut()
            assert site.holders() == {"alice": "held"} and not site.secret_by_key("bob")


def test_store_that_opens_while_the_pin_is_typed_is_not_touched(site, records):
    with site.card("alice"):
        asked = dialogue()
        assert site.station.login("alice", st.PIN).code == 0
        until(lambda: site.store("status")[1]["stores"][0]["state"] == "open", "it does not open")
        site.station.wait_ready()
        asked.answer(st.PIN)
        assert asked.outcome() == "HYGIE_REFUSED" and not STAGE.exists()
    closed(site, lambda: None)


def test_of_two_at_once_one_does_it(site, sides, records):
    sides.begin()
    with site.card("alice"):
        first, second = dialogue(), dialogue()
        first.answer(st.PIN)
        first.prompt()  # to copy
        second.answer(st.PIN)
        assert second.outcome() == "HYGIE_REFUSED"
        assert site.store("reencrypt", "records", "--card", check=False)[0] != 0
        first.link.close()
        sides.shut()
        site.station.wait_ready()
        reencrypt(site, sides, "--card")
    look(site, records, site.secret_by_key("alice"))


def test_while_it_is_copied_hygied_has_no_secret(site, sides, records, tmp_path):
    """And the card may go: nothing more is asked of it."""
    old = site.secret_by_key("alice").split()[0]
    with site.card("alice"):
        sides.begin()
        with held(site, sides, tmp_path / "halt", MIDST, BY_CARD) as process:
            new = site.secret_by_key("alice", STAGE / "keys.cms").split()[0]
            for secret in (old, new):
                assert not processes.memory_holds(site.station.hygied.pid, secret)
            process.kill()
