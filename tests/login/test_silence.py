# SPDX-License-Identifier: Apache-2.0
"""Card, reader service or helper fall silent, talk nonsense, or die, at every point of a login
and of reading. The person is answered in time, hygied answers others meanwhile, and the next
login works."""
import os
import signal
import threading
import time

import pamclient as pam
import pytest
import scard
import station as st
import wire
from attack import (CONFIG, DEADLINE, MARGIN, Aside, eventually, helpers, refused, works_again)
from dialogues import ask, hear, outcome, stopped

LOGIN_APDUS = 6
VERIFY_APDU = 3
STATUS_LIMIT = 1.0


@pytest.fixture(scope="module")
def station(tmp_path_factory):
    with st.Station(tmp_path_factory.mktemp("station"),
                    config=CONFIG + "warm_deadline = 2s\n") as running:
        yield running


@pytest.fixture(autouse=True)
def status_answers_at_all_times(station):
    """While a test runs, somebody asks for the status again and again."""
    slowest, stop = [0.0], threading.Event()

    def ask():
        while not stop.wait(0.25):
            began = time.monotonic()
            station.status()
            slowest[0] = max(slowest[0], time.monotonic() - began)
    asking = Aside(ask)
    yield
    stop.set()
    asking.result()
    assert slowest[0] < STATUS_LIMIT


def check_told(result):
    assert refused(result), result
    assert result.after_answer < DEADLINE + MARGIN


@pytest.mark.parametrize("number", range(1, LOGIN_APDUS + 1))
def test_card_that_falls_silent_in_a_login_is_told_in_time(station, card, number):
    result = station.login("alice", lambda: (card.silent_at(number), st.PIN)[1])
    check_told(result)
    assert (result.code, "stopped answering" in result.text) == (pam.PAM_AUTHINFO_UNAVAIL, True)
    card.speak()
    works_again(station, card)


@pytest.mark.parametrize("number", [1, 4, 9, 14, 19, 24, 29])
def test_card_that_falls_silent_while_it_is_read_is_told_in_time(station, alice, number):
    with station.card(alice, absent=True) as card:
        card.silent_at(number)
        card.insert()
        card.wait_silent()
        result = station.login("alice", st.PIN)
        assert result.code == pam.PAM_AUTHINFO_UNAVAIL
        assert result.seconds < DEADLINE + MARGIN
        card.speak()
        eventually(lambda: station.login("alice", st.PIN).code == pam.PAM_SUCCESS, "a login")
        works_again(station, card)


def test_card_that_stays_silent_works_after_it_was_taken_out(station, card):
    check_told(station.login("alice", lambda: (card.silent_at(VERIFY_APDU), st.PIN)[1]))
    card.remove()
    station.wait_empty()
    card.clear_faults()
    card.insert()
    works_again(station, card)


@pytest.mark.parametrize("number", range(1, LOGIN_APDUS + 1))
def test_garbage_in_a_login_lets_in_only_with_a_signature(station, card, number):
    card.reset_count()
    result = station.login("alice", lambda: (card.garbage_at(number), st.PIN)[1])
    assert result.after_answer < DEADLINE + MARGIN
    assert card.verify_count() <= 1
    if number >= VERIFY_APDU:
        assert refused(result), result
    elif not refused(result):
        assert card.sign_count() == 1
    works_again(station, card)


@pytest.mark.parametrize("word", [0x6F00, 0x6982, 0x6300, 0x6983], ids=hex)
def test_status_word_out_of_place_lets_in_only_with_a_signature(station, card, word):
    for number in range(1, LOGIN_APDUS + 1):
        station.wait_ready()
        card.unblock()
        card.reset_count()
        result = station.login("alice", lambda number=number: (card.sw_at(number, word), st.PIN)[1])
        assert result.after_answer < DEADLINE + MARGIN
        assert card.verify_count() <= 1
        if number >= VERIFY_APDU:
            assert refused(result), (number, result)
        elif not refused(result):
            assert card.sign_count() == 1
    works_again(station, card)


def test_slow_card_works_within_the_deadline(station, card):
    result = station.login("alice", lambda: (card.latency(300), st.PIN)[1])
    assert result.code == pam.PAM_SUCCESS
    assert result.after_answer > LOGIN_APDUS * 0.3
    works_again(station, card)


def test_pcscd_that_stands_still_is_told_in_time(station, card):
    def stop():
        os.kill(station.pcscd.pid, signal.SIGSTOP)
        return st.PIN
    result = station.login("alice", stop)
    again = station.login("alice", st.PIN)
    os.kill(station.pcscd.pid, signal.SIGCONT)
    check_told(result)
    assert refused(again)
    assert again.seconds < DEADLINE + MARGIN
    works_again(station, card)


@pytest.mark.parametrize("when", ["at-the-prompt", "in-the-login"])
def test_pcscd_that_dies_is_told_and_the_login_works_when_it_is_back(station, card, when):
    def kill():
        station.pcscd.stop(signal.SIGKILL)

    def answer():
        if when == "at-the-prompt":
            kill()
        else:
            card.silent_at(1)
            killers.append(Aside(lambda: (card.wait_silent(), kill())))
        return st.PIN
    killers = []
    check_told(station.login("alice", answer))
    for killer in killers:
        killer.result()
    card.clear_faults()
    station.pcscd.start()
    works_again(station, card)


def test_helper_that_stands_still_in_a_login_is_told_in_time_and_spends_no_try(station, card):
    card.reset_count()
    result = station.login(
        "alice", lambda: ([os.kill(pid, signal.SIGSTOP) for pid in helpers()], st.PIN)[1])
    check_told(result)
    assert card.verify_count() == 0
    works_again(station, card)


def test_helper_that_stands_still_while_reading_is_told_in_time(station, alice):
    with station.card(alice, absent=True) as card:
        card.latency(100)
        card.insert()
        card.wait_apdu(2)
        for pid in helpers():
            os.kill(pid, signal.SIGSTOP)
        result = station.login("alice", st.PIN)
        assert result.seconds < DEADLINE + MARGIN
        card.clear_faults()
        eventually(lambda: station.login("alice", st.PIN).code == pam.PAM_SUCCESS, "a login")
        works_again(station, card)


@pytest.mark.parametrize("number", range(0, LOGIN_APDUS + 1))
def test_helper_killed_in_a_login_never_lets_in_without_a_signature(station, card, number):
    def kill():
        for pid in helpers():
            os.kill(pid, signal.SIGKILL)

    def answer():
        card.reset_count()
        if number == 0:
            kill()
        else:
            card.silent_at(number)
            killers.append(Aside(lambda: (card.wait_silent(), kill(), card.speak())))
        return st.PIN
    killers = []
    result = station.login("alice", answer)
    for killer in killers:
        killer.result()
    if number == 0 and not refused(result):  # the successor of an idle one was there in time
        assert card.sign_count() == 1
    else:
        check_told(result)
    assert card.verify_count() <= 1
    works_again(station, card)


@pytest.mark.parametrize("_round", range(8))
def test_helper_that_dies_just_before_its_order_costs_one_login_at_most(station, card, _round):
    """hygied may meet a dead helper's socket before it hears of the death: chance says."""
    with ask(USER="alice") as link:
        assert outcome(hear(link)) == "PROMPT"
        with stopped(station):
            link.sendall(wire.encode("ANSWER", {"ANSWER": st.PIN.encode()}))
            for pid in helpers():
                os.kill(pid, signal.SIGKILL)
            eventually(lambda: not helpers(), "to be dead")
        assert outcome(hear(link)) in ("OK", "CARD_BROKEN")
    works_again(station, card)


def test_idle_helper_that_was_killed_costs_nobody_a_login(station, card):
    (killed,) = helpers()
    said = station.log().count("hygie-token ended while it waited")
    os.kill(killed, signal.SIGKILL)
    station.wait_log("hygie-token ended while it waited", count=said + 1)
    station.wait_ready()
    assert killed not in helpers()
    works_again(station, card)


def alone_with(context, reader):
    """A connection that shares the card with nobody, as soon as nobody has another."""
    def take():
        try:
            return context.connect(reader, scard.SHARE_EXCLUSIVE)
        except scard.SCardError:
            return None
    return eventually(take, "the card alone")


def test_program_that_has_the_card_alone_for_a_moment_costs_no_login(station, card):
    """pcscd refuses the reset meanwhile: it is asked again, without anybody's login."""
    before, since = station.log().count("refused to reset"), len(station.log())
    with scard.Context() as context:
        with stopped(station):
            for pid in helpers():
                os.kill(pid, signal.SIGKILL)
            held = alone_with(context, station.pcscd.readers[0])
        with held:
            station.wait_log("refused to reset", count=before + 1)
    station.wait_ready()
    assert "unusable" not in station.log()[since:]
    works_again(station, card)
