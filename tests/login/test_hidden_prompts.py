# SPDX-License-Identifier: Apache-2.0
"""Programs that show what is said before a prompt, but not the prompt ([login] hidden_prompts):
there the prompt's text is said first, and why somebody was refused just before."""
import pytest

import pamclient as pam
import station as st

GREETER, OTHER = "lightdm", "hygie-test"
WRONG = "654321"
SAID = (pam.TEXT_INFO, "PIN of Alice Specimen: ")
ASKED = (pam.PROMPT_ECHO_OFF, "PIN of Alice Specimen: ")
LAST = "Last try. PIN of Alice Specimen, or nothing to stop: "


@pytest.fixture(autouse=True)
def greeter(station):
    st.write_service(GREETER)


def ask(service, *answers, user="alice"):
    return pam.authenticate(user, list(answers), service=service)


def forget(station):
    """A success ends what there is to tell of an earlier refusal."""
    assert ask(GREETER, st.PIN).code == pam.PAM_SUCCESS
    station.wait_ready()


@pytest.mark.parametrize("user", ["alice", None], ids=["named", "nameless"])
def test_prompt_is_said_first(station, card, user):
    forget(station)
    assert ask(GREETER, st.PIN, user=user).messages == [SAID, ASKED]


def test_control_other_services_are_only_asked(station, card):
    station.wait_ready()
    assert ask(OTHER, st.PIN).messages == [ASKED]


@pytest.mark.parametrize("typed, said", [
    (WRONG, "Wrong PIN. Once more, PIN of Alice Specimen: "),
    ("no PIN", "That cannot be the PIN, and no try was spent. PIN of Alice Specimen: ")])
def test_reason_of_a_refusal_is_said_again_to_who_begins_anew(station, card, typed, said):
    forget(station)
    refused = ask(GREETER, typed)
    assert refused.code == pam.PAM_AUTH_ERR and refused.messages[:2] == [SAID, ASKED]
    station.wait_ready()
    assert ask(GREETER, None).messages == [(pam.TEXT_INFO, said), ASKED]


def test_refusal_of_somebody_else_does_not_count(station, card):
    forget(station)
    assert ask(OTHER, WRONG).code == pam.PAM_AUTH_ERR
    station.wait_ready()
    assert ask(GREETER, st.PIN).messages == [SAID, ASKED]


def test_last_try_is_said_even_over_a_refusal(station, card):
    forget(station)
    card.set_tries(2)
    assert ask(GREETER, WRONG).code == pam.PAM_AUTH_ERR
    station.wait_ready()
    messages = ask(GREETER, None).messages
    assert messages[-2:] == [(pam.TEXT_INFO, LAST), (pam.PROMPT_ECHO_OFF, LAST)]
