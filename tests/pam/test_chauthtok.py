# SPDX-License-Identifier: Apache-2.0
"""pam_chauthtok on pam_hygie.so, against a hygied that does what the test says: when it is
ours, what is asked, and the code of every outcome in both of its calls."""
import os

import pytest
import wire
from conftest import codes, said
from fake_hygied import FakeHygied, answers

SUCCESS, PERM_DENIED, AUTHTOK_ERR, RECOVERY_ERR, TRY_AGAIN = 0, 6, 20, 21, 24
OUTCOMES = [name[len("HYGIE_"):] for name in wire.OUTCOMES]
CHECK = wire.REQUEST_FLAGS["REQUEST_CHECK"]
MUST_CHANGE = wire.RESULT_FLAGS["RESULT_PIN_MUST_CHANGE"]

# Where another module is to go on, since the card is not what this user has, or has here.
OTHERS = {"USER_UNKNOWN", "NO_CARD", "NO_READER", "CARD_UNKNOWN", "CARD_OTHER_USER",
          "CARD_REVOKED"}
CHECKED = {"OK": SUCCESS, "NOT_ALLOWED": PERM_DENIED, **dict.fromkeys(OTHERS, SUCCESS)}
CHANGED = {"OK": SUCCESS, "NOT_ALLOWED": PERM_DENIED, **dict.fromkeys(
    ["PIN_WRONG", "PIN_BLOCKED", "PIN_MALFORMED", "PIN_LAST_TRY", "PIN_NOT_SET"], RECOVERY_ERR)}


@pytest.fixture
def passwd(application):
    """A service in which another module changes a password after us, and looks at what we
    left."""
    application.stack(arguments="pin_change")
    with open(os.path.join(application.confdir, "test"), "a", encoding="ascii") as file:
        file.write("password required %s\n" % application.look)
    return application


def change(*pins, outcome="OK", **fields):
    """A script that asks for three PINs."""
    def script(dialogue):
        for prompt in ("Current PIN of Alice: ", "New PIN: ", "New PIN again: "):
            dialogue.prompt(prompt)
        dialogue.result(outcome, **fields)
    return script


def flags(request):
    return request.get("FLAGS")


@pytest.mark.parametrize("outcome", OUTCOMES)
def test_check_has_the_code_of_each_outcome_and_asks_nothing(passwd, socket_path, outcome):
    with FakeHygied(socket_path, answers(outcome, TEXT="Do this."), answers("REFUSED")) as daemon:
        lines = passwd.run("alice", "chauthtok")
    code = codes(lines)[0]
    assert (daemon.requests[0].type, flags(daemon.requests[0])) == ("REQUEST_PIN_CHANGE", CHECK)
    if outcome == "OK":
        assert (code, len(daemon.requests)) == (AUTHTOK_ERR, 2)  # the second was refused
        return
    assert (code, len(daemon.requests)) == (CHECKED.get(outcome, TRY_AGAIN), 1)
    assert said(lines) == ([] if outcome in OTHERS else [("error", "Do this.")])


@pytest.mark.parametrize("outcome", OUTCOMES)
def test_update_has_the_code_of_each_outcome(passwd, socket_path, outcome):
    with FakeHygied(socket_path, answers("OK"), answers(outcome, TEXT="So be it.")) as daemon:
        lines = passwd.run("alice", "chauthtok")
    assert codes(lines) == [CHANGED.get(outcome, AUTHTOK_ERR)]
    assert said(lines) == [("info" if outcome == "OK" else "error", "So be it.")]
    assert [flags(request) for request in daemon.requests] == [CHECK, 0]
    assert {request.get("USER") for request in daemon.requests} == {"alice"}


def test_daemon_that_is_down_is_tried_again_later(passwd):
    assert passwd.code("alice", "chauthtok") == TRY_AGAIN


def test_daemon_that_goes_between_the_calls_is_no_success(passwd, socket_path):
    with FakeHygied(socket_path, answers("OK"), lambda dialogue: dialogue.close()):
        assert passwd.code("alice", "chauthtok") == AUTHTOK_ERR


def test_without_the_argument_it_is_other_modules_business(application, socket_path):
    application.stack(after="")
    with open(os.path.join(application.confdir, "test"), "a", encoding="ascii") as file:
        file.write("password required %s\n" % application.look)
    with FakeHygied(socket_path, answers("OK")) as daemon:
        assert application.code("alice", "chauthtok") == SUCCESS
    assert not daemon.dialogues


@pytest.mark.parametrize("user", ["root", "a" * 300])
def test_root_and_names_that_are_none_are_other_modules_business(passwd, socket_path, user):
    with FakeHygied(socket_path, answers("OK")) as daemon:
        assert passwd.code(user, "chauthtok") == SUCCESS
    assert not daemon.dialogues


def test_pins_are_relayed_and_left_nowhere(passwd, socket_path):
    with FakeHygied(socket_path, answers("OK"), change(TEXT="The PIN is changed.")) as daemon:
        lines = passwd.run("alice", "chauthtok", "env",
                           options=["--answer", "1234", "--answer", "5678", "--answer", "5678"])
    assert codes(lines) == [SUCCESS]
    assert [message.get("ANSWER") for message in daemon.dialogues[1].received[1:]] == [
        b"1234", b"5678", b"5678"]
    assert "env LOOK_AUTHTOK=unset" in lines and "env LOOK_OLDAUTHTOK=unset" in lines


def test_conversation_that_fails_changes_nothing(passwd, socket_path):
    with FakeHygied(socket_path, answers("OK"), change()):
        assert passwd.code("alice", "chauthtok") == AUTHTOK_ERR


def test_silent_change_prompts_only(passwd, socket_path):
    with FakeHygied(socket_path, answers("OK"), change(TEXT="The PIN is changed.")):
        lines = passwd.run("alice", "chauthtok", options=["--answer", "1234", "--silent"])
    assert codes(lines) == [SUCCESS]
    assert [text for _, text in said(lines)] == ["Current PIN of Alice: ", "New PIN: ",
                                                 "New PIN again: "]


@pytest.mark.parametrize("login,asked", [(None, 0), ({}, 0), ({"FLAGS": MUST_CHANGE}, 2)])
def test_expired_means_what_the_card_said_at_this_login(passwd, socket_path, login, asked):
    steps = ["chauthtok_expired"] if login is None else ["authenticate", "chauthtok_expired"]
    scripts = [] if login is None else [answers("OK", USER="alice", **login)]
    with FakeHygied(socket_path, *scripts, answers("OK")) as daemon:
        assert passwd.code("alice", *steps) == SUCCESS
    assert [request.type for request in daemon.requests][len(scripts):] == \
        ["REQUEST_PIN_CHANGE"] * asked


def test_changed_pin_is_not_asked_for_again(passwd, socket_path):
    script = answers("OK", USER="alice", FLAGS=MUST_CHANGE)
    with FakeHygied(socket_path, script, answers("OK")):
        lines = passwd.run("alice", "authenticate", "acct_mgmt", "chauthtok_expired", "acct_mgmt")
    assert codes(lines) == [SUCCESS, 12, SUCCESS, SUCCESS]


def test_refused_change_is_asked_for_again(passwd, socket_path):
    script = answers("OK", USER="alice", FLAGS=MUST_CHANGE)
    with FakeHygied(socket_path, script, answers("OK"), answers("PIN_WRONG")):
        lines = passwd.run("alice", "authenticate", "chauthtok_expired", "acct_mgmt")
    assert codes(lines) == [SUCCESS, RECOVERY_ERR, 12]


def test_who_came_by_card_is_not_sent_to_a_password_when_it_is_out(passwd, socket_path):
    with FakeHygied(socket_path, answers("OK", USER="alice", FLAGS=MUST_CHANGE),
                    answers("NO_CARD")):
        assert passwd.code("alice", "authenticate", "chauthtok_expired") == TRY_AGAIN
