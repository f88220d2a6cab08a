# SPDX-License-Identifier: Apache-2.0
"""`hygie pin change` and `hygie pin unblock` against a hygied that does what the test says:
what is asked of it, how answers are read, what is printed. What a card makes of it is in
tests/login/test_pin.py."""
import json
import subprocess

import pytest
import wire
from conftest import built
from fake_hygied import FakeHygied, answers

HYGIE = built("hygie/hygie", "hygie")
COMMANDS = {"change": "REQUEST_PIN_CHANGE", "unblock": "REQUEST_PIN_UNBLOCK"}


@pytest.fixture
def pin(socket_path):
    def run(*arguments, typed=""):
        return subprocess.run([HYGIE, "--socket", socket_path, "pin", *arguments], input=typed,
                              text=True, capture_output=True, timeout=60, check=False)
    return run


def three(dialogue):
    dialogue.info("Card of Alice in Reader 1.")
    for prompt in ("Current PIN of Alice: ", "New PIN: ", "New PIN again: "):
        dialogue.prompt(prompt)
    dialogue.result("OK", TEXT="The PIN is changed.", HOLDER="Alice\x1b[2J")


@pytest.mark.parametrize("word,request_type", COMMANDS.items())
def test_each_is_one_request_that_names_no_user(pin, socket_path, word, request_type):
    with FakeHygied(socket_path, answers("OK")) as daemon:
        assert pin(word).returncode == 0
        assert pin(word, "--reader", "Reader 1").returncode == 0
    assert [(request.type, request.fields) for request in daemon.requests] == [
        (request_type, []), (request_type, [("READER", "Reader 1")])]


def test_three_lines_of_a_script_are_three_answers(pin, socket_path):
    with FakeHygied(socket_path, three) as daemon:
        done = pin("change", "--pin-stdin", typed="123456\n246810\n246810\n999999\n")
    assert [message.get("ANSWER") for message in daemon.dialogues[0].received[1:]] == [
        b"123456", b"246810", b"246810"]
    assert (done.returncode, done.stdout, done.stderr) == (
        0, "The PIN is changed.\n", "Card of Alice in Reader 1.\n")


def test_json_names_outcome_and_holder_printably(pin, socket_path):
    with FakeHygied(socket_path, three):
        done = pin("change", "--pin-stdin", "--json", typed="1\n2\n2\n")
    assert json.loads(done.stdout) == {"outcome": "ok", "text": "The PIN is changed.",
                                       "holder": "Alice\\x1B[2J"}


def test_script_that_ends_early_gives_up(pin, socket_path):
    with FakeHygied(socket_path, three) as daemon:
        done = pin("change", "--pin-stdin", typed="123456\n246810\n")
    assert done.returncode == 8
    assert daemon.dialogues[0].received[-1].type == "CANCEL"


@pytest.mark.parametrize("outcome", [name[len("HYGIE_"):] for name in wire.OUTCOMES])
@pytest.mark.parametrize("word", COMMANDS)
def test_refusal_is_told_and_is_no_success(pin, socket_path, word, outcome):
    with FakeHygied(socket_path, answers(outcome, TEXT="Do this.")):
        done, as_json = pin(word), pin(word, "--json")
    assert (done.returncode == 0, as_json.returncode == 0) == (outcome == "OK",) * 2
    assert json.loads(as_json.stdout)["outcome"] == outcome.lower().replace("_", "-")
    assert "Do this." in (done.stdout if outcome == "OK" else done.stderr)


@pytest.mark.parametrize("arguments", [(), ("change", "alice"), ("change", "--user", "alice"),
                                       ("reset",), ("change", "--pin", "123456")])
def test_what_makes_no_sense_is_usage(pin, arguments):
    assert pin(*arguments).returncode == 2


def test_daemon_that_is_down_is_told(pin):
    assert pin("change").returncode == 7
