# SPDX-License-Identifier: Apache-2.0
"""A login through Linux-PAM: who gets in, who does not, and what it costs the card."""
import pathlib
import subprocess

import attack
import pamclient as pam
import pivcard
import pytest
import station as st


def test_right_pin_lets_the_holder_in(station, card):
    result = station.login("alice", st.PIN)
    assert result.code == pam.PAM_SUCCESS
    assert result.prompts() == ["PIN of Alice Specimen: "]


def test_without_a_user_name_the_card_says_who(station, card):
    result = station.login(None, st.PIN)
    assert (result.code, result.user) == (pam.PAM_SUCCESS, "alice")


def test_pamtester_logs_in_with_the_right_pin_and_not_with_a_wrong_one(station, card):
    def pamtester(pin):
        return subprocess.run(["pamtester", st.SERVICE, "alice", "authenticate", "acct_mgmt"],
                              input=pin + "\n", text=True, capture_output=True, check=False)
    assert pamtester(st.PIN).returncode == 0
    station.wait_ready()
    assert pamtester("654321").returncode != 0


def test_wrong_pin_is_refused_and_spends_exactly_one_try(station, card):
    card.reset_count()
    result = station.login("alice", "654321")
    assert result.code == pam.PAM_AUTH_ERR
    assert "Wrong PIN" in result.text
    station.wait_ready()
    assert (card.verify_count(), card.tries()) == (1, 2)


def test_last_wrong_pin_blocks_the_card_and_the_next_login_says_so_without_a_prompt(station, card):
    card.set_tries(1)
    station.login("alice", "654321")
    station.wait_ready()
    card.reset_count()
    result = station.login("alice", st.PIN)
    assert result.code in (pam.PAM_AUTH_ERR, pam.PAM_MAXTRIES)
    result = station.login("alice", st.PIN)
    assert (result.code, result.prompts()) == (pam.PAM_MAXTRIES, [])
    assert "blocked" in result.text
    card.unblock()


def test_user_without_a_card_is_unknown_before_any_prompt(station, card):
    result = station.login("mallory", st.PIN)
    assert (result.code, result.prompts()) == (pam.PAM_USER_UNKNOWN, [])


def test_card_of_another_practitioner_is_refused_without_a_try(station, alice):
    bob = station.make_card("bob")
    with station.card(bob) as card:
        station.wait_ready()
        station.enrol("bob")
        station.wait_ready()
        card.reset_count()
        result = station.login("alice", st.PIN)
        assert result.code == pam.PAM_AUTH_ERR
        assert "another user" in result.text
        assert card.verify_count() == 0


def test_card_that_nobody_enrolled_is_refused_without_a_try(station, alice):
    with station.card(station.make_card("stranger", person="Sam Stranger")) as card:
        station.wait_ready()
        result = station.login("alice", st.PIN)
        assert result.code == pam.PAM_AUTH_ERR
        assert "not enrolled" in result.text
        assert card.verify_count() == 0


def test_clone_with_the_certificate_but_another_key_is_refused(station, alice):
    other = station.keys.key("rsa2048", "thief")
    clone = pivcard.make_card(station.home / "clone", {"9a": other}, station.keys, pin=st.PIN,
                              certificates={"9a": pathlib.Path(alice) / "9a.crt"})
    with station.card(clone) as card:
        station.wait_ready()
        result = station.login("alice", st.PIN)
        assert result.code == pam.PAM_AUTH_ERR
        assert "could not prove" in result.text
        assert card.sign_count() == 1


def test_card_pulled_while_the_prompt_waits_is_told_and_the_pin_stays_here(station, card):
    def pull():
        card.remove()
        station.wait_log("card removed", count=before + 1)
        return st.PIN
    before = station.log().count("card removed")
    result = station.login("alice", pull)
    assert result.code == pam.PAM_AUTH_ERR
    assert "taken out" in result.text
    assert card.verify_count() == 0


def test_login_costs_six_apdus_of_which_four_from_the_pin_on(station, card):
    card.reset_count()
    assert station.login("alice", st.PIN).code == pam.PAM_SUCCESS
    names = [apdu.name for apdu in card.log()]
    login = names[:names.index("GET-RESPONSE") + 1]
    assert len(login) == 6
    assert len(login) - login.index("VERIFY") == 4


@pytest.mark.parametrize("text", ["12345", "123456789", "12345a", "p4ssword", "1234 6", "１２３４５６"])
def test_what_cannot_be_a_pin_goes_no_further_than_hygied(station, card, text):
    """Not even to the helper: the same one, still warm, serves the next login."""
    before = attack.helpers()
    card.reset_count()
    result = station.login("alice", text)
    assert result.code == pam.PAM_AUTH_ERR
    assert "cannot be this card's PIN" in result.text
    assert (card.count(), attack.helpers()) == (0, before)
