# SPDX-License-Identifier: Apache-2.0
"""The card is pulled, or another one put in its place, at every point of a login and of
reading. Never a success that was not proven, always an answer, nothing left behind."""
import threading

import pamclient as pam
import pivcard
import pytest
import station as st
from attack import (CONFIG, DEADLINE, MARGIN, Aside, descriptors, eventually, helpers, refused,
                    threads, works_again)

LOGIN_APDUS = 6  # GET DATA, SELECT, VERIFY, GENERAL AUTHENTICATE in two parts, GET RESPONSE
WARM_APDUS = 30


@pytest.fixture(scope="module")
def station(tmp_path_factory):
    with st.Station(tmp_path_factory.mktemp("station"), config=CONFIG) as running:
        yield running


def put_back(station, card):
    """In again, as if it had never been away."""
    station.wait_empty()
    card.clear_faults()
    card.insert()
    works_again(station, card)


def check_told(result):
    assert refused(result), result
    assert result.after_answer < DEADLINE + MARGIN
    assert "taken out" in result.text or "failed" in result.text, result


@pytest.mark.parametrize("number", range(1, LOGIN_APDUS + 1))
def test_card_pulled_at_an_apdu_of_a_login_never_lets_in(station, card, number):
    check_told(station.login("alice", lambda: (card.remove_at(number), st.PIN)[1]))
    put_back(station, card)


@pytest.mark.parametrize("number", range(1, LOGIN_APDUS))
def test_card_pulled_after_an_answer_of_a_login_never_lets_in(station, card, number):
    check_told(station.login("alice", lambda: (card.remove_after(number), st.PIN)[1]))
    put_back(station, card)


def test_card_pulled_with_the_last_answer_lets_in_only_with_its_signature(station, card):
    card.reset_count()
    result = station.login("alice", lambda: (card.remove_after(LOGIN_APDUS), st.PIN)[1])
    assert result.code in (pam.PAM_SUCCESS, pam.PAM_AUTH_ERR, pam.PAM_AUTHINFO_UNAVAIL)
    assert card.sign_count() == 1
    put_back(station, card)


def test_fifty_removals_while_reading_leave_no_process_descriptor_or_thread(station, card):
    def look():
        station.wait_ready()
        pid = station.hygied.pid
        return descriptors(pid), threads(pid), len(helpers())
    before = look()
    assert before[2] == 1
    card.remove()
    for number in range(50):
        station.wait_empty()
        card.remove_at(number % WARM_APDUS + 1)
        card.insert()
        card.wait_absent()
    station.wait_empty()
    card.insert()
    eventually(lambda: look() == before, "the state before the removals")
    works_again(station, card)


@pytest.mark.parametrize("pin", [st.PIN, "246824"], ids=["same-pin", "other-pin"])
def test_card_swapped_behind_the_readers_back_is_refused(station, alice, card, pin):
    key = station.keys.key("rsa2048", "swapped")
    other = pivcard.make_card(station.home / ("other-" + pin), {"9a": key}, station.keys, pin=pin)
    result = station.login("alice", lambda: (card.swap(other), st.PIN)[1])
    assert result.code == pam.PAM_AUTH_ERR
    assert ("could not prove" if pin == st.PIN else "Wrong PIN") in result.text
    card.restore(alice)
    works_again(station, card)


def test_another_card_within_a_millisecond_is_refused(station, alice, card):
    other = station.make_card("second", person="Sam Second")
    result = station.login("alice", lambda: (card.reinsert(other), st.PIN)[1])
    assert refused(result)
    assert result.after_answer < DEADLINE + MARGIN
    card.remove()
    station.wait_empty()
    card.insert()
    station.wait_ready()
    assert "not enrolled" in station.login("alice", st.PIN).text
    card.remove()
    card.restore(alice)
    put_back(station, card)


def test_card_pulled_while_a_login_waits_in_the_queue_refuses_both(station, card):
    answered = threading.Event()

    def answer_second():
        answered.set()
        return st.PIN
    first = Aside(station.login, "alice", lambda: (card.silent_at(1), st.PIN)[1])
    card.wait_silent()
    second = Aside(station.login, "alice", answer_second)
    assert answered.wait(10)
    card.remove()
    for result in (first.result(), second.result()):
        assert refused(result), result
        assert result.after_answer < DEADLINE + MARGIN
    put_back(station, card)


def test_card_pulled_as_the_pin_is_sent_lets_in_only_with_its_signature(station, card):
    for _ in range(5):
        pulled = []
        result = station.login("alice", lambda: (pulled.append(Aside(card.remove)), st.PIN)[1])
        pulled[0].result()
        assert result.after_answer < DEADLINE + MARGIN
        if not refused(result):
            assert card.sign_count() >= 1
        card.reset_count()
        put_back(station, card)
        card.reset_count()
        station.wait_ready()
