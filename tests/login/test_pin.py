# SPDX-License-Identifier: Apache-2.0
"""`hygie pin change` and `hygie pin unblock` on a card: what each answer costs it, who may
ask, and what holds afterwards."""
import pwd
import signal
import subprocess
import time

import dialogues
import pamclient as pam
import pexpect
import pivcard
import pivclient
import pytest
import scard
import station as st
import wire
from attack import CONFIG, DEADLINE, MARGIN, eventually, works_again
from pins import NEW, OTHER, PUK, WRONG, WRONG_PUK, change, changes, unblock

READER, OTHER_READER = "Virtual PCD 00 00", "Virtual PCD 00 01"
PROMPTS = ["Current PIN of Alice Specimen: ", "New PIN of Alice Specimen: ",
           "New PIN of Alice Specimen again: "]
CHANGE_APDUS = ["GET-DATA", "SELECT", "VERIFY", "CHANGE-REFERENCE-DATA"]
UNBLOCK_APDUS = ["GET-DATA", "SELECT", "RESET-RETRY-COUNTER"]


@pytest.fixture(scope="module")
def station(tmp_path_factory):
    with st.Station(tmp_path_factory.mktemp("station"), config=CONFIG) as running:
        yield running


@pytest.fixture
def fresh(station, alice, card):
    """Alice's card in the reader, with its first PIN and nothing counted."""
    card.reset_count()
    return card


@pytest.fixture
def bare(station, alice):
    """A card that tells nothing of itself: OpenSC then sends a PIN without looking where to."""
    with station.card(alice, atr="bare") as running:
        station.wait_ready()
        running.reset_count()
        yield running


def uid_of(name):
    return pwd.getpwnam(name).pw_uid


def tries_said(station):
    station.wait_ready()
    return station.status()["readers"][0]["tries"]


def valid(station, card, pin):
    """Whether the card takes that PIN, without Hygie and for no try of its own."""
    station.wait_readers(wire.at_rest)  # its reset would come between
    with scard.Context() as pcsc, pcsc.connect(READER) as connection:
        with connection.transaction():
            pivclient.select(connection)
            right = pivclient.verify(connection, pin) == 0x9000
        connection.disconnect(scard.RESET)
    card.unblock()
    return right


def command(station, *words, pins=(), user=None):
    return station.run("pin", *words, "--pin-stdin", pin="\n".join(pins),
                       uid=uid_of(user) if user else 0, check=False)


# Changing.


def test_holder_changes_his_pin_and_the_new_one_lets_him_in(station, fresh):
    status, result, said = command(station, "change", pins=(st.PIN, NEW, NEW), user="alice")
    assert (status, result["outcome"], result["holder"]) == (0, "ok", "Alice Specimen")
    assert "Card of Alice Specimen in " + READER in said and "6-8 digits" in said
    assert station.login("alice", st.PIN).code == pam.PAM_AUTH_ERR
    assert station.login("alice", NEW).code == pam.PAM_SUCCESS


def test_change_verifies_and_changes_in_one_transaction_that_selects_piv_first(station, fresh):
    assert change(st.PIN, NEW, NEW).outcome == "OK"
    apdus = fresh.log()[:len(CHANGE_APDUS)]
    assert [apdu.name for apdu in apdus] == CHANGE_APDUS
    assert len({apdu.resets for apdu in apdus}) == 1
    assert (fresh.verify_count(), fresh.misdirected_count(), fresh.tries()) == (1, 0, 3)


def test_nothing_is_verified_on_the_card_after_a_change(station, fresh):
    """For whoever is the next to hold the card: hygied's reset may come before, or just between
    the connection and the transaction."""
    change(st.PIN, NEW, NEW)
    with scard.Context() as pcsc, pcsc.connect(READER) as rival:
        try:
            rival.begin()
        except scard.SCardError as error:
            assert error.name == "SCARD_W_RESET_CARD"
            rival.reconnect()
            rival.begin()
        assert not fresh.verified()
        rival.end()


def test_prompts_name_the_holder_and_come_in_order(station, fresh):
    told = change(st.PIN, NEW, NEW)
    assert told.prompts == PROMPTS
    assert told.sentences == ["Card of Alice Specimen in %s." % READER,
                              "A new PIN has 6-8 digits."]


def test_wrong_current_pin_spends_exactly_one_try_and_changes_nothing(station, fresh):
    told = change(WRONG, NEW, NEW)
    assert told.outcome == "PIN_WRONG"
    station.wait_ready()
    assert (fresh.verify_count(), fresh.tries(), changes(fresh)) == (1, 2, [])
    assert valid(station, fresh, st.PIN)


def test_two_new_pins_that_differ_are_asked_for_once_more_then_refused_unsent(station, fresh):
    told = change(st.PIN, NEW, OTHER, NEW, OTHER)
    assert (told.outcome, len(told.prompts)) == ("PINS_DIFFER", 5)
    assert "The two differ" in "".join(told.sentences)
    assert fresh.count() == 0


def test_second_time_right_is_in_time(station, fresh):
    assert change(st.PIN, NEW, OTHER, OTHER, OTHER).outcome == "OK"
    assert valid(station, fresh, OTHER)


@pytest.mark.parametrize("text", ["12345", "123456789", "12345a", "１２３４５６", st.PIN])
def test_what_cannot_be_a_new_pin_is_asked_for_once_more_and_never_sent(station, fresh, text):
    told = change(st.PIN, text, text)
    assert (told.outcome, len(told.prompts)) == ("PIN_NEW_UNFIT", 3)
    assert fresh.count() == 0


@pytest.mark.parametrize("text", ["12345", "123456789", "12345a"])
def test_what_cannot_be_the_current_pin_ends_it_there(station, fresh, text):
    told = change(text)
    assert (told.outcome, len(told.prompts), fresh.count()) == ("PIN_MALFORMED", 1, 0)


@pytest.mark.parametrize("answers", [("",), (st.PIN, ""), (st.PIN, NEW, "")])
def test_nothing_typed_stops_it_and_nothing_is_sent(station, fresh, answers):
    assert change(*answers).outcome == "GAVE_UP"
    assert fresh.count() == 0


@pytest.mark.parametrize("answers", [(), (st.PIN,), (st.PIN, NEW)])
def test_cancelled_at_any_prompt_nothing_is_sent(station, fresh, answers):
    assert change(*answers, None).outcome == "GAVE_UP"
    assert fresh.count() == 0


@pytest.mark.parametrize("word", [0x6A80, 0x6982])
def test_new_pin_that_the_card_refuses_leaves_the_old_one(station, fresh, word):
    fresh.refuse_new(word)
    for do, code in ((change, st.PIN), (unblock, PUK)):
        assert do(code, NEW, NEW).outcome == "PIN_NEW_REFUSED"
        station.wait_ready()
        assert (fresh.tries(), fresh.puk_tries()) == (3, 3) and valid(station, fresh, st.PIN)


def test_last_try_is_announced_and_a_blocked_card_is_told_without_a_prompt(station, alice):
    with station.card(alice, absent=True) as card:
        card.set_tries(1)
        card.insert()
        station.wait_ready()
        told = change(WRONG, NEW, NEW)
        assert told.prompts[0].startswith("Last try.") and told.outcome == "PIN_WRONG"
        assert "blocked" in told.text
        told = change(st.PIN)
        assert (told.outcome, told.prompts) == ("PIN_BLOCKED", [])
        assert "hygie pin unblock" in told.text
        assert card.verify_count() == 1


# Unblocking.


def test_puk_unblocks_and_the_login_works_at_once(station, fresh):
    fresh.set_tries(0)
    status, result, _ = command(station, "unblock", pins=(PUK, NEW, NEW), user="alice")
    assert (status, result["outcome"]) == (0, "ok")
    assert station.login("alice", NEW).code == pam.PAM_SUCCESS
    assert tries_said(station) == "ok"


def test_unblocking_asks_for_the_puk_and_sends_one_command(station, fresh):
    told = unblock(PUK, NEW, NEW)
    assert told.prompts[0] == "PUK (unblocking code) of Alice Specimen: "
    apdus = fresh.log()[:len(UNBLOCK_APDUS)]
    assert [apdu.name for apdu in apdus] == UNBLOCK_APDUS
    assert len({apdu.resets for apdu in apdus}) == 1
    assert fresh.verify_count() == 0


def test_wrong_puk_spends_exactly_one_of_its_tries_and_none_of_the_pin(station, fresh):
    told = unblock(WRONG_PUK, NEW, NEW)
    assert told.outcome == "PUK_WRONG" and "counts" in told.text
    station.wait_ready()
    assert (fresh.puk_tries(), fresh.tries()) == (2, 3)
    assert changes(fresh) == [("RESET-RETRY-COUNTER", 0x63C2)]
    assert valid(station, fresh, st.PIN)


def test_blocked_puk_is_told_with_what_to_do(station, fresh):
    fresh.set_puk_tries(0)
    told = unblock(PUK, NEW, NEW)
    assert told.outcome == "PUK_BLOCKED" and "issuer" in told.text
    status, result, _ = command(station, "unblock", pins=(PUK, NEW, NEW))
    assert (status, result["outcome"]) == (4, "puk-blocked")
    fresh.unblock()


@pytest.mark.parametrize("text", ["12345", "123456789"])
def test_what_cannot_be_the_puk_is_never_sent(station, fresh, text):
    told = unblock(text)
    assert (told.outcome, len(told.prompts)) == ("PUK_MALFORMED", 1)
    assert (fresh.count(), fresh.puk_tries()) == (0, 3)


def test_card_that_another_program_unblocked_is_read_again_by_the_next_login(station, alice):
    with station.card(alice, absent=True) as card:
        card.set_tries(0)
        card.insert()
        assert tries_said(station) == "blocked"
        assert station.login("alice", st.PIN).code == pam.PAM_MAXTRIES
        card.unblock()
        assert station.login("alice", st.PIN).code == pam.PAM_SUCCESS
        assert tries_said(station) == "ok"
        assert card.verify_count() == 1


# Who may.


def test_another_ones_card_is_refused_before_any_prompt(station, fresh):
    for words in ("change", "unblock"):
        status, result, said = command(station, words, pins=(st.PIN, NEW, NEW), user="bob")
        assert (status, result["outcome"]) == (5, "user-unknown")
        assert "Alice" not in said
    with pivcard.PivCard(station.make_card("bob"), port=35964) as bob:
        station.wait_readers(lambda readers: [reader["state"] for reader in readers] ==
                             ["ready", "ready"])
        station.enrol("bob", st.PIN, "--reader", OTHER_READER)
        station.wait_readers(lambda readers: [reader["state"] for reader in readers] ==
                             ["ready", "ready"])
        bob.reset_count()
        for words in ("change", "unblock"):
            status, result, said = command(station, words, "--reader", READER,
                                           pins=(st.PIN, NEW, NEW), user="bob")
            assert (status, result["outcome"], "Alice" in said) == (3, "card-other-user", False)
        assert (fresh.count(), bob.count()) == (0, 0)
        told = change(st.PIN)
        assert (told.outcome, told.prompts) == ("REFUSED", []) and "--reader" in told.text
        assert change(st.PIN, NEW, NEW, READER=OTHER_READER).outcome == "OK"
        assert (fresh.count(), changes(bob)) == (0, [("CHANGE-REFERENCE-DATA", 0x9000)])
    with scard.Context() as pcsc:
        pcsc.wait_no_card(OTHER_READER)


def test_card_that_nobody_enrolled_is_roots_alone(station, alice):
    stranger = pivcard.make_card(station.home / "stranger", {"9a": "rsa2048"}, station.keys,
                                 pin=st.PIN)
    with station.card(stranger) as card:
        station.wait_ready()
        card.reset_count()
        status, result, _ = command(station, "change", pins=(st.PIN, NEW, NEW), user="alice")
        assert (status, result["outcome"]) == (3, "card-untrusted")
        assert card.count() == 0
        assert command(station, "change", pins=(st.PIN, NEW, NEW))[0] == 0
        assert valid(station, card, NEW)


def as_peer(name, user, request="REQUEST_PIN_CHANGE"):
    """What that peer's request for that user comes to, or the prompt that it gets to."""
    program = ("import sys; sys.path[:0] = ['tests', 'tests/login', 'tests/card', 'tests/pki'];"
               "import pins; told = pins.converse(*sys.argv[1:2], USER=sys.argv[2]);"
               "print(told.prompts[0] if told.prompts else told.outcome)")
    done = subprocess.run(["/usr/bin/python3", "-B", "-c", program, request, user],
                          user=uid_of(name), extra_groups=[], cwd=st.ROOT, capture_output=True,
                          text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def test_user_cannot_name_another_user(station, fresh):
    assert as_peer("bob", "alice") == "NOT_ALLOWED"
    assert as_peer("alice", "alice") == "Current PIN of Alice Specimen:"


def test_service_that_is_believed_for_logins_may_not_change_pins(station, fresh):
    with dialogues.settings(station, "[peers]\nmallory = alice\n"):
        station.wait_ready()
        assert as_peer("mallory", "alice", "REQUEST_AUTHENTICATE") == "PIN of Alice Specimen:"
        assert as_peer("mallory", "alice") == "NOT_ALLOWED"
    station.wait_ready()


# Accidents.


@pytest.mark.parametrize("answers", [(), (st.PIN,), (st.PIN, NEW)], ids=["old", "new", "again"])
@pytest.mark.parametrize("do", [change, unblock])
def test_card_pulled_at_a_prompt_is_told_and_hears_nothing(station, fresh, do, answers):
    before = station.log().count("card removed")

    def pull():
        fresh.remove()
        station.wait_log("card removed", count=before + 1)
        return NEW
    first = (PUK if do is unblock else st.PIN,)
    told = do(*(first + answers[1:] if answers else ()), pull)
    assert told.outcome == "CARD_REMOVED"
    assert "old PIN holds, or" not in told.text
    assert fresh.count() == 0


@pytest.mark.parametrize("answered", [False, True], ids=["at", "after"])
@pytest.mark.parametrize("do,number", [(change, n) for n in range(1, len(CHANGE_APDUS) + 1)] +
                         [(unblock, n) for n in range(1, len(UNBLOCK_APDUS) + 1)])
def test_card_pulled_at_an_apdu_holds_the_old_or_the_new_pin(station, fresh, do, number, answered):
    def arm():
        (fresh.remove_after if answered else fresh.remove_at)(number)
        return NEW
    told = do(PUK if do is unblock else st.PIN, NEW, arm)
    last = number == len(CHANGE_APDUS if do is change else UNBLOCK_APDUS)
    assert told.outcome in ("CARD_REMOVED", "CARD_SILENT", "CARD_BROKEN",
                            *(["OK"] if last and answered else []))
    assert told.outcome == "OK" or "old PIN holds, or the new one" in told.text
    station.wait_empty()
    fresh.clear_faults()
    fresh.insert()
    station.wait_ready()
    holds = [pin for pin in (st.PIN, NEW) if valid(station, fresh, pin)]
    assert holds == [NEW if last and answered else st.PIN]
    fresh.set_pin(st.PIN)
    works_again(station, fresh)


def test_silent_card_is_given_up_in_time(station, fresh):
    began = []
    told = change(st.PIN, NEW, lambda: (fresh.silent_at(3), began.append(time.monotonic()), NEW)[2])
    assert time.monotonic() - began[0] < DEADLINE + MARGIN
    assert told.outcome == "CARD_SILENT"
    fresh.remove()
    fresh.speak()


@pytest.mark.parametrize("do", [change, unblock])
def test_pin_never_goes_to_an_applet_that_a_rival_selected_at_the_prompt(station, bare, do):
    def select_other():
        with scard.Context() as pcsc, pcsc.connect() as rival:
            assert pivclient.select(rival, pivclient.OTHER_AID) == 0x9000
        return NEW
    for _ in range(5):
        station.wait_ready()
        bare.set_pin(st.PIN)
        bare.reset_count()
        assert do(PUK if do is unblock else st.PIN, NEW, select_other).outcome == "OK"
        assert {apdu.applet for apdu in bare.log() if apdu.pin} == {"piv"}
        assert bare.misdirected_count() == 0


def test_holder_of_the_reader_is_told_before_any_prompt(station, fresh):
    with scard.Context() as pcsc, pcsc.connect() as rival:
        rival.begin()
        told = change(st.PIN)
        assert (told.outcome, told.prompts) == ("CARD_BUSY", [])
        rival.end()
    works_again(station, fresh)


# What is written and shown.


def test_log_tells_who_did_what_and_no_pin(station, fresh):
    change(WRONG, NEW, NEW)
    command(station, "unblock", pins=(WRONG_PUK, OTHER, OTHER), user="alice")
    command(station, "change", pins=(st.PIN, NEW, NEW), user="alice")
    log = station.log()
    assert "audit: pin-change: pin-wrong" in log
    assert "audit: pin-unblock: puk-wrong user=alice" in log
    assert "audit: pin-change: ok user=alice" in log and "peer_uid=%d" % uid_of("alice") in log
    for secret in (WRONG, NEW, OTHER, WRONG_PUK, PUK, st.PIN):
        assert secret not in log


@pytest.mark.parametrize("word,pins,outcome", [
    ("change", ("1" * 65, NEW, NEW), "pin-malformed"),
    ("change", (st.PIN, "1" * 65, "1" * 65), "pin-new-unfit"),
    ("unblock", ("1" * 65, NEW, NEW), "puk-malformed")])
def test_text_that_is_too_long_is_called_what_it_was_to_be(station, fresh, word, pins, outcome):
    before = station.log().count("audit: pin-%s: %s " % (word, outcome))
    status, result, _ = command(station, word, pins=pins)
    assert status != 0 and result["outcome"] == outcome
    station.wait_log("audit: pin-%s: %s " % (word, outcome), count=before + 1)
    assert fresh.count() == 0
    works_again(station, fresh)


def terminal(*words):
    """As a shell starts it: whoever runs the tests in the background ignores Ctrl-C."""
    return pexpect.spawn("hygie", list(words), timeout=st.PATIENCE, encoding="utf-8",
                         preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL))


def test_terminal_shows_no_pin_and_says_what_came_of_it(station, fresh):
    child = terminal("pin", "change")
    seen = ""
    for prompt, answer in zip(PROMPTS, (st.PIN, NEW, NEW)):
        child.expect_exact(prompt)
        seen += child.before
        child.waitnoecho(st.PATIENCE)
        child.sendline(answer)
    child.expect(pexpect.EOF)
    seen += child.before
    child.close()
    assert child.exitstatus == 0 and "The PIN is changed." in seen
    assert NEW not in seen and st.PIN not in seen


@pytest.mark.parametrize("prompts", [1, 2, 3])
def test_ctrl_c_at_a_prompt_does_nothing_to_the_card(station, fresh, prompts):
    child = terminal("pin", "change")
    for number, prompt in enumerate(PROMPTS[:prompts]):
        child.expect_exact(prompt)
        child.waitnoecho(st.PATIENCE)
        if number + 1 < prompts:
            child.sendline(st.PIN if number == 0 else NEW)
    child.sendintr()
    child.expect(pexpect.EOF)
    child.close()
    assert child.signalstatus == signal.SIGINT
    eventually(lambda: "audit: pin-change: gave-up" in station.log(), "the audit")
    assert fresh.count() == 0
    works_again(station, fresh)
