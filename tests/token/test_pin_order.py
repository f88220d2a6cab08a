# SPDX-License-Identifier: Apache-2.0
"""hygie-token's other order: a change of the PIN. What reaches the module, how often, and that
a module is as shut in then as at a login. Needs root and a private /run and /tmp."""
import pathlib

import pytest

from helper import Helper, pin_order
from test_confinement import MODULE, SIGKILL, SIGSEGV, SIGSYS, WAYS, pcscd_folder, tried  # noqa: F401

CHANGE, UNBLOCK = 3, 4
BY_SET_PIN, BY_OFFICER, BY_PREFIX = 1, 2, 3
PIN, NEW, PUK = "123456", "246810", "12345678"


def helper(word="", operation=CHANGE, new=NEW, way="uri", unblock=None, **more):
    if operation == UNBLOCK and unblock is None:
        unblock = BY_OFFICER
    return Helper(MODULE, environment=["HOSTILE=" + word], **{**WAYS[way], **more},
                  pin=(6, 8, "digits"), operations=pin_order(operation, new, unblock),
                  order="--pin-order")


@pytest.mark.parametrize("way", WAYS)
def test_change_logs_in_once_and_sets_once(way):
    with helper(way=way) as token:
        token.run(PIN)
        assert (token.outcome, token.end) == ("ok", ("exited", 0)), token.text
        assert token.said() == "C_Login 1 PIN 6 bytes\nC_SetPIN PIN 6 PIN 6 bytes\n"
        assert not token.signatures


@pytest.mark.parametrize("way,said", [
    (BY_SET_PIN, "C_SetPIN PIN 8 PIN 6 bytes\n"),
    (BY_OFFICER, "C_Login 0 PIN 8 bytes\nC_InitPIN PIN 6 bytes\n"),
    (BY_PREFIX, "C_SetPIN PIN 12 PIN 10 bytes\n")])
def test_puk_goes_once_and_in_the_way_that_was_ordered(way, said):
    with helper(operation=UNBLOCK, unblock=way) as token:
        assert (token.run(PUK).outcome, token.said()) == ("ok", said)


@pytest.mark.parametrize("operation,way", [(UNBLOCK, 0), (UNBLOCK, 4), (CHANGE, BY_OFFICER)])
def test_way_that_is_none_or_of_no_use_is_refused(operation, way):
    with helper(operation=operation, unblock=way) as token:
        assert (token.run(PUK).outcome, token.said()) == ("bad-request", "")


def test_unblocking_without_a_way_is_refused():
    with Helper(MODULE, environment=["HOSTILE="], **WAYS["uri"], order="--pin-order",
                operations=pin_order(UNBLOCK, NEW), pin=(6, 8, "digits")) as token:
        assert (token.run(PUK).outcome, token.said()) == ("bad-request", "")


@pytest.mark.parametrize("word,outcome", [
    ("wrong", "pin-wrong"), ("locked", "pin-blocked"), ("removed", "card-removed"),
    ("already", "card-broken")])
def test_refused_pin_is_not_followed_by_anything(word, outcome):
    with helper(word) as token:
        token.run(PIN)
        assert (token.outcome, token.end) == (outcome, ("exited", 1))
        assert token.said() == "C_Login 1 PIN 6 bytes\n"


@pytest.mark.parametrize("word,outcome", [("wrong", "puk-wrong"), ("locked", "puk-blocked")])
def test_refused_puk_is_told_as_such_and_not_followed_by_anything(word, outcome):
    with helper(word, UNBLOCK) as token:
        token.run(PUK)
        assert token.outcome == outcome and token.said() == "C_Login 0 PIN 8 bytes\n"


def test_expired_pin_is_good_for_its_change():
    with helper("expired") as token:
        assert token.run(PIN).outcome == "ok"


@pytest.mark.parametrize("operation,code", [(CHANGE, PIN), (UNBLOCK, PUK)])
def test_new_pin_that_the_token_refuses_is_told_as_such(operation, code):
    with helper("set-refused", operation) as token:
        assert token.run(code).outcome == "pin-new-refused"


@pytest.mark.parametrize("old,new,outcome", [
    ("", NEW, "pin-malformed"), ("12345", NEW, "pin-malformed"), ("123456789", NEW, "pin-malformed"),
    (PIN, "", "pin-new-unfit"), (PIN, "12345", "pin-new-unfit"), (PIN, "12345a", "pin-new-unfit"),
    (PIN, "123456789", "pin-new-unfit"), (None, None, "pin-malformed"),
    (None, NEW, "bad-request"), (PIN, None, "bad-request")])
def test_what_cannot_be_the_pins_never_reaches_the_module(old, new, outcome):
    with helper(new=new) as token:
        token.run(old)
        assert (token.outcome, token.said()) == (outcome, "")


@pytest.mark.parametrize("puk,outcome", [("", "puk-malformed"), ("1234567\u0001", "puk-malformed"),
                                         (None, "bad-request")])
def test_what_cannot_be_the_puk_never_reaches_the_module(puk, outcome):
    with helper(operation=UNBLOCK) as token:
        token.run(puk)
        assert (token.outcome, token.said()) == (outcome, "")


@pytest.mark.parametrize("operation", [0, 1, 2, 5])
def test_operation_that_is_none_is_refused(operation):
    with helper(operation=operation) as token:
        token.run(PIN)
        assert (token.outcome, token.said()) == ("bad-request", "")


def test_pad_gets_no_pin_and_is_asked_once():
    with helper("pin-pad", new=None) as token:
        token.run(None)
        assert (token.outcome, token.said()) == ("ok", "C_SetPIN NULL 0 NULL 0 bytes\n")


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("action,end", [
    ("crash", ("killed", SIGSEGV)), ("exec", ("killed", SIGSYS)), ("ptrace", ("killed", SIGSYS)),
    ("kill", ("killed", SIGSYS)), ("root", ("killed", SIGSYS)), ("mount", ("killed", SIGSYS)),
    ("others", ("killed", SIGSYS))])
def test_attack_at_the_change_ends_the_helper(action, end, way):
    with helper("C_SetPIN:" + action, way=way) as token:
        token.run(PIN)
        assert token.end == end and token.outcome is None and "tried" not in token.said()


@pytest.mark.parametrize("action", ["fork", "tcp", "unix", "code"])
def test_filter_is_as_narrow_at_the_change_as_at_a_login(action):
    with helper("C_SetPIN:" + action) as token:
        token.run(PIN)
        assert tried(token) == {action: "ENOSYS"}


def test_no_file_at_all_at_the_change_for_a_module_on_a_reader():
    with helper("C_SetPIN:read", way="reader") as token:
        token.run(PIN)
        assert set(tried(token).values()) == {"ENOSYS"}


def test_no_file_is_written_at_the_change():
    with helper("C_SetPIN:write") as token:
        token.run(PIN)
        assert len(tried(token)) == 4 and set(tried(token).values()) <= {"EROFS", "ENOENT"}
    for folder in ("/tmp", "/etc", "/usr", "/"):
        assert not pathlib.Path(folder, "hostile").exists()


def test_hanging_is_ended_from_outside():
    with helper("C_SetPIN:hang", timeout=300) as token:
        token.run(PIN)
        assert token.timed_out and token.end == ("killed", SIGKILL) and token.outcome is None


@pytest.mark.parametrize("action", ["hang", "crash", "exit"])
def test_the_answer_is_out_before_the_module_lets_the_card_go(action):
    with helper("C_Logout:" + action, timeout=500) as token:
        token.run(PIN)
        assert token.outcome == "ok"
