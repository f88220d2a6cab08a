# SPDX-License-Identifier: Apache-2.0
"""Local users at hygied's socket, and two programs at one card: what they may not do, and that
no try is spent and nobody else is kept from logging in by what they do."""
import resource
import threading
import time

import pytest

import pamclient as pam
import station as st
import wire
from sockets import being, connect_as, hear, outcome, uid_of

WRONG = "654321"


def ask(user, request, fields=()):
    with connect_as(user) as link:
        link.sendall(wire.encode(request, fields))
        return hear(link)


def check_serves(station):
    assert station.hygied.poll() is None, station.log()
    assert station.status()["readers"]


def test_user_may_not_authenticate_as_another(station, card):
    for user in ("alice", "root", "nobody-of-that-name"):
        result = station.login(user, WRONG, uid=uid_of("mallory"))
        assert result.code == pam.PAM_AUTH_ERR and result.prompts() == [], result
        assert "not allowed" in result.text
    assert card.verify_count() == 0
    assert station.login("alice", st.PIN, uid=uid_of("alice")).code == pam.PAM_SUCCESS


def test_user_asking_three_times_for_anothers_card_spends_no_try(station, alice):
    own = station.make_card("mallory")
    with station.card(own):
        station.wait_ready()
        station.enrol("mallory")
    with station.card(alice) as card:
        station.wait_ready()
        card.reset_count()
        for user in ("mallory", None, "mallory"):
            result = station.login(user, WRONG, uid=uid_of("mallory"))
            assert (result.code, result.prompts()) == (pam.PAM_AUTH_ERR, [])
            assert "The card in the reader is not mallory's" in result.text
        assert (card.verify_count(), card.tries()) == (0, 3)


@pytest.mark.parametrize("request_name,fields", [
    ("REQUEST_ENROL", {"USER": "mallory"}),
    ("REQUEST_ENROL", {"USER": "mallory", "FLAGS": wire.REQUEST_FLAGS["REQUEST_REASSIGN"]}),
    ("REQUEST_REVOKE", {"USER": "alice"}),
    ("REQUEST_REVOKE", {"CARD_ID": "00" * 32}),
    ("REQUEST_OPEN_SESSION", {"TICKET": "0" * 64, "SESSION": "1"}),
    ("REQUEST_CLOSE_SESSION", {"SESSION": "1"}),
    ("REQUEST_AUTHENTICATE", {"USER": "alice", "SERVICE": "login"}),
    ("REQUEST_AUTHENTICATE", {"USER": "root"}),
])
def test_user_may_not_ask_what_is_roots(station, card, request_name, fields):
    assert outcome(ask("mallory", request_name, fields)) == "NOT_ALLOWED"
    assert card.verify_count() == 0
    assert station.login("alice", st.PIN).code == pam.PAM_SUCCESS
    station.wait_ready()


def test_user_does_not_see_who_else_has_a_card(station, card):
    for request in ("REQUEST_STATUS", "REQUEST_CARDS"):
        with connect_as("bob") as link:
            link.sendall(wire.encode(request))
            told = repr(read_all(link))
        assert "lice" not in told
    with connect_as("root") as link:
        link.sendall(wire.encode("REQUEST_STATUS"))
        assert "Alice" in repr(read_all(link))  # the control


def read_all(link):
    messages = []
    while not messages or messages[-1].type != "RESULT":
        messages += hear(link)
    return messages


def test_ticket_serves_once_and_root_alone(station, card):
    with connect_as("root") as link:
        link.sendall(wire.encode("REQUEST_AUTHENTICATE", {"USER": "alice", "SERVICE": "x"}))
        assert outcome(hear(link)) == "PROMPT"
        link.sendall(wire.encode("ANSWER", {"ANSWER": st.PIN.encode()}))
        result = hear(link)
    assert outcome(result) == "OK"
    fields = {"TICKET": result[-1].get("TICKET"), "SESSION": "1"}
    assert outcome(ask("mallory", "REQUEST_OPEN_SESSION", fields)) == "NOT_ALLOWED"
    assert outcome(ask("root", "REQUEST_OPEN_SESSION", fields)) == "OK"
    assert outcome(ask("root", "REQUEST_OPEN_SESSION", fields)) == "NOT_FOUND"
    assert outcome(ask("root", "REQUEST_OPEN_SESSION", {**fields, "TICKET": "f" * 64})) == \
        "NOT_FOUND"


def test_thousand_connections_of_a_user_leave_room_for_root(station, card):
    files = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (2048, files[1]))
    links = []
    try:
        with being("mallory"):
            links = [st.connect() for _ in range(1000)]
        told = [outcome(hear(link)) for link in links[200:]]
        assert set(told) == {"TOO_MANY"}
        check_serves(station)
        assert station.login("alice", st.PIN).code == pam.PAM_SUCCESS
        result = station.login("mallory", st.PIN, uid=uid_of("mallory"))
        assert result.code == pam.PAM_AUTHINFO_UNAVAIL and "Too many" in result.text
    finally:
        for link in links:
            link.close()
        resource.setrlimit(resource.RLIMIT_NOFILE, files)
    check_serves(station)
    assert outcome(ask("bob", "REQUEST_STATUS")[-1:]) != "TOO_MANY"


HEAD = wire.encode("REQUEST_STATUS")
NOT_MESSAGES = {
    "half a header": HEAD[:4],
    "one byte": b"\1",
    "another version": b"\2" + HEAD[1:],
    "reserved byte": HEAD[:1] + b"\1" + HEAD[2:],
    "size too large": HEAD[:4] + b"\0\0\0\4" + HEAD[8:],
    "size too small": HEAD + b"\0\1\0\0",
    "size over all": HEAD[:4] + b"\xff\xff\xff\xff",
    "half a field": HEAD[:4] + b"\0\0\0\2" + b"\0\1",
    "field beyond the end": HEAD[:4] + b"\0\0\0\5" + b"\0\x11\0\xff\0",
    "garbage": bytes(range(256)) * 8,
    "text": b"GET / HTTP/1.1\r\n\r\n",
    "over the maximum": b"\1\0\1\1\0\1\x0f\xf8" + b"\0" * 69624,
    "over a request's": wire.encode("REQUEST_AUTHENTICATE", [("TEXT", "x" * 60000)]),
    "unknown type": b"\1\0\x01\x77\0\0\0\0",
    "a server's message": wire.encode("RESULT", {"OUTCOME": 1}),
    "a helper's message": wire.encode("REPORT_READY"),
    "an order": wire.encode("ORDER_LOGIN"),
    "answer without a prompt": wire.encode("ANSWER", {"ANSWER": b"123456"}),
    "user with NUL": wire.encode("REQUEST_AUTHENTICATE", {"USER": b"alice\0root"}),
    "user not UTF-8": wire.encode("REQUEST_AUTHENTICATE", {"USER": b"\xff\xfe"}),
    "user too long": wire.encode("REQUEST_AUTHENTICATE", {"USER": "a" * 256}),
    "service too long": wire.encode("REQUEST_AUTHENTICATE", {"USER": "a", "SERVICE": "s" * 64}),
    "number of three bytes": wire.encode("REQUEST_AUTHENTICATE", {"FLAGS": b"\0\0\0"}),
}


@pytest.mark.parametrize("what", NOT_MESSAGES)
def test_what_is_no_request_is_refused_and_costs_nothing(station, card, what):
    with connect_as("root") as link:
        link.sendall(NOT_MESSAGES[what])
        assert outcome(hear(link)) in ("BAD_REQUEST", None)
        assert hear(link) == []  # and hangs up
    check_serves(station)
    assert card.verify_count() == 0


@pytest.mark.parametrize("second", [
    HEAD, wire.encode("REQUEST_AUTHENTICATE", {"USER": "alice"}), wire.encode("ANSWER"),
    wire.encode("ANSWER", {"ANSWER": b"x" * 4000}), b"", b"\1\0"])
def test_nonsense_while_a_prompt_waits_ends_the_dialogue(station, card, second):
    with connect_as("root") as link:
        link.sendall(wire.encode("REQUEST_AUTHENTICATE", {"USER": "alice", "SERVICE": "x"}))
        assert outcome(hear(link)) == "PROMPT"
        link.sendall(second)
        assert outcome(hear(link)) in ("BAD_REQUEST", "PIN_MALFORMED", None)
        assert hear(link) == []
    check_serves(station)
    assert card.verify_count() == 0


def test_second_answer_to_one_prompt_is_no_second_try(station, card):
    with connect_as("root") as link:
        link.sendall(wire.encode("REQUEST_AUTHENTICATE", {"USER": "alice", "SERVICE": "x"}))
        hear(link)
        for _ in range(2):
            link.sendall(wire.encode("ANSWER", {"ANSWER": WRONG.encode()}))
        assert outcome(hear(link)) in ("BAD_REQUEST", "PIN_WRONG")
    station.wait_ready()
    assert card.verify_count() <= 1
    card.unblock()


def test_client_that_says_nothing_is_dropped_after_five_seconds(station):
    with connect_as("mallory") as link:
        began = time.monotonic()
        assert outcome(hear(link)) in ("TIMED_OUT", None)
        assert hear(link) == []
        assert 4 < time.monotonic() - began < 12


# Two programs, one card.

def test_two_programs_spend_one_try_each_and_no_more(station, card):
    results = []
    logins = [threading.Thread(target=lambda: results.append(station.login("alice", WRONG)))
              for _ in range(2)]
    for login in logins:
        login.start()
    for login in logins:
        login.join()
    station.wait_ready()
    assert {result.code for result in results} <= {pam.PAM_AUTH_ERR, pam.PAM_CONV_ERR}
    assert card.verify_count() == sum("Wrong PIN" in result.text for result in results) <= 2
    card.unblock()


def test_other_programs_wrong_answer_does_not_spend_mine(station, card):
    def meanwhile():
        assert "Wrong PIN" in station.login("alice", WRONG).text
        station.wait_ready()
    result = station.login("alice", lambda: (meanwhile(), None)[1])
    assert result.code == pam.PAM_CONV_ERR
    assert (card.verify_count(), card.tries()) == (1, 2)
    card.unblock()


def test_pin_typed_before_another_program_spent_the_last_but_one_try_is_not_sent(station, alice):
    """It was asked when two tries were left: the last one is typed knowingly or not at all."""
    with station.card(alice, absent=True) as card:
        card.set_tries(2)
        card.insert()
        station.wait_ready()
        card.reset_count()

        def meanwhile():
            station.login("alice", WRONG)
            station.wait_ready()
            return WRONG
        result = station.login("alice", meanwhile, None)
        assert len(result.prompts()) == 2 and "One try is left" in result.text
        assert (card.verify_count(), card.tries()) == (1, 1)
