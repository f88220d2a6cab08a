# SPDX-License-Identifier: Apache-2.0
"""Another program on the same reader: what it can steal, and how long it can stand in the way.

The polite rival uses the client library; the rude one (rival.c) speaks pcscd's protocol and
never waits. Controls show that the same attacks succeed on OpenSC as it comes."""
import contextlib
import threading

import pamclient as pam
import pivclient
import pytest
import scard
import station as st
from attack import (CONFIG, DEADLINE, DIGEST, MARGIN, Aside, OpenSC, Repeated, Rude, audited,
                    eventually, open_card, refused, threads, use_key, works_again)

READER = "Virtual PCD 00 00"
BUSY_DEADLINE = 1.0


@pytest.fixture(scope="module")
def station(tmp_path_factory):
    with st.Station(tmp_path_factory.mktemp("station"), config=CONFIG) as running:
        yield running


@pytest.fixture
def rival(card):
    """A connection of another program; its transaction, if any, ends with it."""
    with scard.Context() as pcsc, pcsc.connect() as connection:
        yield connection


@pytest.fixture
def bare(station, alice):
    """A card that tells nothing of itself: OpenSC then sends a PIN without looking where to."""
    with station.card(alice, atr="bare") as running:
        station.wait_ready()
        yield running


def begin(connection):
    """Takes the transaction, however often the card was reset meanwhile."""
    while True:
        try:
            return connection.begin()
        except scard.SCardError as error:
            if error.name != "SCARD_W_RESET_CARD":
                raise
        connection.reconnect()


def steal(pcsc, connection=None):
    """All that a rival does with the card once it gets it; the status words it was given."""
    connection = connection or pcsc.connect()
    begin(connection)
    words = []
    with contextlib.suppress(scard.SCardError):  # a reset on its way: nothing more to steal
        for attempt in (use_key, pivclient.pin_state, pivclient.select, use_key,
                        pivclient.pin_state):
            words.append(attempt(connection))
        connection.end()
    return words


def stolen(words):
    """Whether a key was used, or the PIN counted as verified."""
    return 0x9000 in words[:2] + words[3:]


def login_beside_rival(station, card, when, connected):
    """One login and one theft. Returns (result, status words)."""
    with scard.Context() as pcsc:
        connection = pcsc.connect() if connected else None
        go = threading.Event()
        thief = Aside(lambda: (go.wait(10), steal(pcsc, connection))[1])
        if when == "before":
            go.set()
        watcher = Aside(lambda: (card.wait_verify(), when == "during" and go.set()))
        result = station.login("alice", st.PIN)
        go.set()
        watcher.result()
        return result, thief.result()


@pytest.mark.parametrize("connected", [True, False], ids=["in-begin", "in-connect"])
@pytest.mark.parametrize("when", ["before", "during", "after"])
def test_rival_never_uses_the_key_and_never_finds_the_pin_verified(station, card, when, connected):
    for _ in range(17):
        station.wait_ready()
        card.reset_count()
        result, words = login_beside_rival(station, card, when, connected)
        assert result.code == pam.PAM_SUCCESS
        assert not stolen(words), [hex(word) for word in words]
        assert card.sign_count() == 1


def test_control_rival_uses_the_key_after_a_login_by_openscs_defaults(station, alice):
    with open_card(station, alice) as card, OpenSC() as module:
        assert module.login() == 0
        with scard.Context() as pcsc:
            assert stolen(steal(pcsc))
        assert card.sign_count() == 2


def one_apdu():
    """9A, RSA-2048, all in one APDU of extended length."""
    template = pivclient.tlv(0x7C, pivclient.tlv(0x82)
                             + pivclient.tlv(0x81, pivclient.pkcs1_block(DIGEST)))
    return bytes.fromhex("0087079A00") + len(template).to_bytes(2, "big") + template + b"\0\0"


def test_rude_rival_gets_nothing_that_was_not_on_its_way_before_the_login(station, card):
    """pcscd lets a command run that it admitted just before the transaction began: one for
    each connection, here one. What it must not do is admit any while the PIN counts."""
    with Rude(READER, 1, "transmit", one_apdu()) as rude:
        for _ in range(15):
            station.wait_ready()
            before = rude.counts()[0]
            assert station.login("alice", st.PIN).code == pam.PAM_SUCCESS
            station.wait_ready()
            assert rude.counts()[0] - before <= 1
        assert rude.counts()[2] > 0  # it was there, and was kept out


def test_control_rude_rival_uses_the_key_after_a_login_by_openscs_defaults(station, alice):
    with open_card(station, alice), OpenSC() as module:
        with Rude(READER, 1, "transmit", one_apdu()) as rude:
            assert module.login() == 0
            done = rude.counts()[0]
            while done < 5:  # it goes on for as long as it likes
                done = rude.counts()[0]


def test_holder_of_the_reader_is_told_before_any_prompt_and_costs_no_try(station, card, rival):
    card.reset_count()
    rival.begin()
    since = len(station.log())
    result = station.login("alice", st.PIN)
    assert (result.code, result.prompts()) == (pam.PAM_AUTHINFO_UNAVAIL, [])
    assert "Another program is holding" in result.text
    assert result.seconds < BUSY_DEADLINE + MARGIN
    assert audited(station, "card-busy", since)
    assert card.verify_count() == 0
    rival.end()
    works_again(station, card)


def test_holder_costs_no_thread_for_each_login_that_it_shuts_out(station, card, rival):
    rival.begin()
    station.login("alice", st.PIN)
    before = threads(station.hygied.pid)
    for _ in range(4):
        assert station.login("alice", st.PIN).code == pam.PAM_AUTHINFO_UNAVAIL
    assert threads(station.hygied.pid) <= before
    rival.end()
    works_again(station, card)


def test_rival_that_takes_the_reader_while_the_prompt_waits_costs_no_try(station, card, rival):
    def take():
        rival.begin()
        return st.PIN
    card.reset_count()
    result = station.login("alice", take)
    assert result.code == pam.PAM_AUTHINFO_UNAVAIL
    assert result.after_answer < DEADLINE + MARGIN
    assert card.verify_count() == 0
    result = station.login("alice", st.PIN)  # it still holds
    assert (result.code, result.prompts()) == (pam.PAM_AUTHINFO_UNAVAIL, [])
    assert "Another program is holding" in result.text
    rival.end()
    works_again(station, card)


def pins_sent(card):
    """The applet that was selected at each VERIFY with a PIN."""
    return [apdu.applet for apdu in card.log() if apdu.name == "VERIFY" and apdu.lc > 0]


def spent_once_at_most(card, pins):
    """pcscd 1.9.9 lets a reset that it admitted before our transaction into it now and then. The
    PIN then meets a card with nothing selected, which refuses the command as unknown and counts
    nothing; OpenSC selects PIV and sends it again."""
    return pins.count("piv") <= 1 and set(pins) <= {"piv", "none"} and card.tries() >= 2


def test_rival_that_resets_all_the_time_never_makes_a_login_spend_two_tries(station, card):
    with scard.Context() as pcsc, pcsc.connect() as connection:
        for pin in [st.PIN, "654321"] * 3:
            station.wait_ready()
            card.unblock()
            card.reset_count()
            resets = Repeated(lambda: connection.reconnect(scard.RESET))
            result = station.login("alice", lambda pin=pin: (resets.__enter__(), pin)[1])
            resets.__exit__()
            assert result.after_answer < DEADLINE + MARGIN
            assert result.code in ((pam.PAM_SUCCESS, pam.PAM_AUTHINFO_UNAVAIL) if pin == st.PIN
                                   else (pam.PAM_AUTH_ERR, pam.PAM_AUTHINFO_UNAVAIL))
            assert spent_once_at_most(card, pins_sent(card)), card.log()
            assert resets.count > 0
    works_again(station, card)


def test_rude_rival_that_resets_by_disconnecting_never_gets_the_pin_sent_astray(station, card):
    for _ in range(5):
        station.wait_ready()
        card.reset_count()
        rude = []
        result = station.login("alice", lambda: (rude.append(Rude(READER, 2, "drop")), st.PIN)[1])
        rude[0].__exit__()
        assert result.after_answer < DEADLINE + MARGIN
        assert result.code in (pam.PAM_SUCCESS, pam.PAM_AUTHINFO_UNAVAIL)
        assert spent_once_at_most(card, pins_sent(card)), card.log()
    works_again(station, card)


def test_reset_just_before_the_pin_arrives_costs_one_try_though_opensc_sends_it_again(station,
                                                                                     card):
    """The one moment of such a reset that matters, met on purpose."""
    station.wait_ready()
    card.reset_count()
    assert station.login("alice", st.PIN).code == pam.PAM_SUCCESS
    verify = [apdu.name for apdu in card.log()].index("VERIFY") + 1
    station.wait_ready()
    card.reset_count()
    result = station.login("alice", lambda: (card.reset_at(verify), "654321")[1])
    assert result.code == pam.PAM_AUTH_ERR
    assert pins_sent(card) == ["none", "piv"]
    assert card.tries() == 2
    works_again(station, card)


def test_pin_never_goes_to_an_applet_that_a_rival_selected_at_the_prompt(station, bare):
    def select_other():
        with scard.Context() as pcsc, pcsc.connect() as rival:
            assert pivclient.select(rival, pivclient.OTHER_AID) == 0x9000
        return st.PIN
    for _ in range(15):
        station.wait_ready()
        bare.reset_count()
        assert station.login("alice", select_other).code == pam.PAM_SUCCESS
        assert (bare.verify_count(), bare.misdirected_count()) == (1, 0)


def test_pin_never_goes_to_an_applet_that_a_rival_selects_all_the_time(station, bare):
    def select_other():
        with scard.Context() as pcsc, pcsc.connect() as rival:
            while not selects.stopping():
                pivclient.select(rival, pivclient.OTHER_AID)
                selects.count += 1
    for _ in range(15):
        station.wait_ready()
        bare.reset_count()
        selects = Repeated(select_other)
        with selects:
            result = station.login("alice", lambda: (
                eventually(lambda: selects.count, "a SELECT"), st.PIN)[1])
        assert result.code == pam.PAM_SUCCESS
        assert (bare.verify_count(), bare.misdirected_count()) == (1, 0)
        assert selects.count > 0


def test_control_openscs_defaults_send_the_pin_to_the_other_applet(station, alice):
    with open_card(station, alice, "bare") as card, OpenSC() as module:
        with scard.Context() as pcsc, pcsc.connect() as rival:
            assert pivclient.select(rival, pivclient.OTHER_AID) == 0x9000
        assert module.login() != 0
        assert card.misdirected_count() > 0


def test_exclusive_holder_is_told_and_the_login_works_when_it_is_gone(station, alice):
    station.stop_hygied()
    with station.card(alice) as card:
        with scard.Context() as pcsc:
            pcsc.wait_card()
            holder = pcsc.connect(share=scard.SHARE_EXCLUSIVE)
            station.log_path.unlink()
            station.start_hygied()
            station.wait_ready("unreadable")
            result = station.login("alice", st.PIN)
            assert refused(result)
            assert result.code == pam.PAM_AUTHINFO_UNAVAIL
            assert "Another program is holding" in result.text
            assert result.seconds < DEADLINE + MARGIN
            holder.disconnect()
        station.login("alice", st.PIN)
        works_again(station, card)
