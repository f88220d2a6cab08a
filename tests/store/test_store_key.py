# SPDX-License-Identifier: Apache-2.0
"""Enrolment finds the key of a card that opens record stores, by having the card try."""
import sqlite3

import pytest

import station as st  # its path is what finds the next one
import certificates as c

KEY_ENCIPHERMENT, KEY_AGREEMENT = 0x20, 0x08
OF_A_DOCUMENT_KEY = {"extended": (c.EMAIL_PROTECTION,)}


@pytest.fixture(scope="module")
def station(tmp_path_factory):
    with st.Station(tmp_path_factory.mktemp("station")) as running:
        yield running


def make_card(station, name, auth="rsa2048", store=None, usage=None, certified=True):
    """A card of Alice's; `store`: what lies in 9D, with a certificate of the site's CA."""
    person = "Alice Specimen"
    slots = {"9a": auth, **({"9d": store} if store else {})}
    given = {}
    for slot in slots:
        key = station.keys.key(slots[slot], name + "-" + slot)
        changes = {} if slot == "9a" else {"usage": usage, **OF_A_DOCUMENT_KEY}
        if slot == "9a" or certified:
            given[slot] = station.certificate(key, station.home / (name + slot), name=person, **changes)
    return st.pivcard.make_card(station.home / "cards" / name, slots, station.keys, name=name,
                                certificates=given, pin=st.PIN)


def enrolled(station, content, **options):
    """Enrols the card for alice; what the registry says of its key for stores, and stderr."""
    with station.card(content, **options):
        station.wait_ready()
        said = station.enrol("alice", st.PIN, "--reassign")[2]
    newest, = (one for one in station.run("cards")[1]["enrolments"] if one["state"] == "active")
    with sqlite3.connect(st.REGISTRY) as registry:
        row = registry.execute("SELECT store_key_id, key_id, store_certificate FROM enrolment "
                               "WHERE key_id = ?", (bytes.fromhex(newest["card_id"]),)).fetchone()
    registry.close()
    station.run("revoke", newest["card_id"])
    return newest.get("store_key"), row, said


def test_key_of_9d_is_taken_before_the_login_key(station):
    wrap, row, said = enrolled(station, make_card(station, "both", store="rsa2048",
                                                  usage=KEY_ENCIPHERMENT))
    assert wrap == "rsa-oaep-sha256" and row[0] != row[1] and "record stores" not in said


@pytest.mark.parametrize("kind", ["p256", "p384"])
def test_ec_key_of_9d_agrees(station, kind):
    content = make_card(station, kind, auth="p256", store=kind, usage=KEY_AGREEMENT)
    wrap, row, said = enrolled(station, content, atr="yubikey")
    assert wrap == "ec" and row[0] != row[1] and row[2] and "record stores" not in said


def test_without_9d_the_login_key_deciphers(station):
    wrap, row, _ = enrolled(station, make_card(station, "one"))
    assert wrap == "rsa-oaep-sha256" and row[0] == row[1]


def test_key_of_9d_that_no_ca_knows_is_passed_over(station):
    wrap, row, _ = enrolled(station, make_card(station, "own", store="rsa2048", certified=False))
    assert wrap == "rsa-oaep-sha256" and row[0] == row[1]


def test_certificate_of_another_key_is_found_out(station):
    """9D shows Bob's certificate: the card cannot decrypt for it, and gets nothing."""
    content = make_card(station, "liar", auth="p256", store="rsa2048", usage=KEY_ENCIPHERMENT)
    other = station.keys.key("rsa2048", "other")
    shown = station.certificate(other, station.home / "other", name="Alice Specimen",
                                usage=KEY_ENCIPHERMENT, **OF_A_DOCUMENT_KEY)
    (content / "9d.crt").write_text(shown.read_text())
    wrap, row, said = enrolled(station, content, atr="yubikey")
    assert wrap is None and row[0] is None and "no key that opens record stores" in said


def test_card_without_such_a_key_logs_in_all_the_same(station):
    content = make_card(station, "none", auth="p256")
    with station.card(content, atr="yubikey"):
        station.wait_ready()
        said = station.enrol("alice")[2]
        assert "no key that opens record stores" in said
        station.wait_ready()
        assert station.login("alice", st.PIN).code == 0
