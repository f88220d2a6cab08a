# SPDX-License-Identifier: Apache-2.0
"""A card that pretends, and an enrolment that no longer fits. Each is refused, with its reason
in the audit and without a try where none is needed; each has its good control."""
import sqlite3

import certificates as c
import pivcard
import pytest
import station as st
import us_piv
from attack import CONFIG, audited, refused, works_again

PERSON = {"common_name": "Alice Specimen", "upns": ("alice.specimen@clinic.test",)}


@pytest.fixture(scope="module")
def station(tmp_path_factory):
    with st.Station(tmp_path_factory.mktemp("station"), config=CONFIG) as running:
        yield running


@pytest.fixture(scope="module")
def bob(station):
    content = station.make_card("bob")
    with station.card(content):
        station.wait_ready()
        station.enrol("bob")
    return content


def check_refused(station, card, reason, user="alice", answer=st.PIN, verifies=0):
    """A login with that card is refused for `reason`, with that many VERIFYs."""
    card.reset_count()
    since = len(station.log())
    result = station.login(user, answer)
    assert refused(result), result
    assert audited(station, reason, since), station.log()[since:]
    assert card.verify_count() == verifies
    return result


# Signatures.
@pytest.mark.parametrize("mode, reason", [
    ("empty", "card-"), ("short", "card-"), ("zero", "card-not-proven"),
    ("other", "card-not-proven")])
def test_bad_signature_is_refused(station, card, mode, reason):
    card.sig_mode(mode)
    check_refused(station, card, reason, verifies=1)
    works_again(station, card)


def test_recorded_signature_is_refused(station, card):
    works_again(station, card)  # this one is recorded
    station.wait_ready()
    card.replay()
    result = check_refused(station, card, "card-not-proven", verifies=1)
    assert "could not prove" in result.text
    works_again(station, card)


# Certificates, each on a card that has Alice's own key.
def alices_spki(station):
    return c.public_key(station.keys.key("rsa2048", "alice-9a"))


def alices_card(station, name, content):
    """A card with her key and another certificate for it."""
    path = station.home / (name + ".crt")
    path.write_text(st.pki.pem(content))
    return pivcard.make_card(station.home / "cards" / name,
                             {"9a": station.keys.key("rsa2048", "alice-9a")}, station.keys,
                             certificates={"9a": path}, pin=st.PIN)


def us_certificate(station, **changes):
    return station.pki.issue("us-piv", "person", alices_spki(station), **{**PERSON, **changes})


CERTIFICATES = {
    "twin-ca": ("card-untrusted", lambda station: us_piv.person(
        station.pki.twin["us-piv"]["issuing"], alices_spki(station), **PERSON)),
    "twin-ca-akid": ("card-untrusted", lambda station: us_piv.person(
        station.pki.twin["us-piv"]["issuing"], alices_spki(station), **PERSON,
        akid=c.key_id(station.pki.ca["us-piv"]["issuing"].key.spki))),
    "expired": ("card-untrusted", lambda station: us_certificate(
        station, not_before=c.NOW - 9 * c.DAY, not_after=c.NOW - c.DAY)),
    "not-yet-valid": ("card-untrusted", lambda station: us_certificate(
        station, not_before=c.NOW + 2 * c.DAY)),
    "non-repudiation": ("card-untrusted", lambda station: us_certificate(
        station, usage=c.NON_REPUDIATION)),
    "card-authentication": ("card-untrusted", lambda station: station.pki.issue(
        "us-piv", "card-auth", alices_spki(station))),
    "test-category": ("card-untrusted", lambda station: station.pki.issue(
        "fr-igc-sante", "test-category", alices_spki(station))),
    "organisation": ("card-untrusted", lambda station: station.pki.issue(
        "fr-igc-sante", "organisation", alices_spki(station))),
    "another-person": ("card-unknown", lambda station: us_certificate(
        station, common_name="Eve Specimen", upns=("eve.specimen@clinic.test",))),
    "another-scheme": ("card-unknown", lambda station: station.pki.issue(
        "fr-igc-sante", "person", alices_spki(station))),
}


@pytest.mark.parametrize("kind", CERTIFICATES)
def test_another_certificate_for_the_enrolled_key_is_refused_without_a_try(station, alice, kind):
    reason, make = CERTIFICATES[kind]
    with station.card(alices_card(station, kind, make(station))) as card:
        station.wait_ready()
        assert check_refused(station, card, reason).prompts() == []


def test_control_renewed_certificate_of_the_same_person_lets_in(station, alice):
    with station.card(alices_card(station, "renewed", us_certificate(station))) as card:
        station.wait_ready()
        works_again(station, card)


def test_certificate_exchanged_at_the_prompt_is_judged_when_the_card_is_read(station, card):
    """What was read at insertion is what the signature is checked with."""
    thief = station.keys.key("rsa2048", "impostor")
    check_refused(station, card, "card-not-proven", verifies=1,
                  answer=lambda: (card.swap_key("9a", thief), st.PIN)[1])
    card.swap_key("9a", station.keys.key("rsa2048", "alice-9a"))
    works_again(station, card)


# Enrolments.
def test_card_of_one_holder_does_not_let_another_in(station, card, bob):
    check_refused(station, card, "card-other-user", user="bob")
    works_again(station, card)


def test_card_whose_enrolment_was_revoked_is_refused_without_a_try(station, card, bob):
    station.run("revoke", card_id(station))
    check_refused(station, card, "card-revoked")
    enrol_again(station, card)


def test_card_revoked_while_the_prompt_waits_is_refused(station, card):
    name = card_id(station)
    check_refused_late(station, card, "card-revoked",
                       lambda: (station.run("revoke", name), st.PIN)[1])
    enrol_again(station, card)


@pytest.mark.parametrize("column, value", [
    ("issuer_key_id", bytes(32)), ("person_id", "mallory@clinic.test"),
    ("scheme", "fr-igc-sante")])
def test_enrolment_that_differs_in_one_thing_is_refused(station, card, column, value):
    set_column(column, value)
    check_refused(station, card, "card-unknown")
    enrol_again(station, card)


def test_enrolment_changed_while_the_prompt_waits_is_refused(station, card):
    check_refused_late(station, card, "card-unknown", lambda: (
        set_column("issuer_key_id", bytes(32)), st.PIN)[1])
    enrol_again(station, card)


def check_refused_late(station, card, reason, answer):
    """Refused though the prompt came: at most the try that the person typed is spent."""
    card.reset_count()
    since = len(station.log())
    result = station.login("alice", answer)
    assert refused(result), result
    assert audited(station, reason, since), station.log()[since:]
    assert card.verify_count() <= 1


def card_id(station):
    return next(row["card_id"] for row in station.run("cards")[1]["enrolments"]
                if row["user"] == "alice" and row["state"] == "active")


def enrol_again(station, card):
    station.wait_ready()
    station.enrol("alice", st.PIN, "--reassign")
    works_again(station, card)


def set_column(column, value):
    with sqlite3.connect(st.REGISTRY) as database:
        changed = database.execute(
            "UPDATE enrolment SET %s = ? WHERE user = 'alice'" % column, (value,)).rowcount
    database.close()
    assert changed == 1
