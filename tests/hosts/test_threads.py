# SPDX-License-Identifier: Apache-2.0
"""Several handles at once: in threads, watched by ThreadSanitizer too, and in one thread, with
a card for each person or one for all. Each handle has its own outcome and its own ticket."""
import os
import subprocess

import pytest
import station as st
from hosts import (ALL_IGNORED, AUTH_ERR, BUILD, SUCCESS, USER_UNKNOWN, codes, program, run,
                   write_service)

PIN = st.PIN
WRONG = "x" + PIN  # not sent to the card
RACE = 66  # ThreadSanitizer's exit status
# Its memory must lie where it expects it.
WATCHED = {"folder": "tests/tsan", "prefix": ["setarch", "-R"],
           "env": {"TSAN_OPTIONS": "halt_on_error=0 exitcode=%d suppressions=%s" % (
               RACE, st.ROOT / "tests" / "hosts" / "foreign.tsan")}}
PLAIN = {"folder": "tests"}


@pytest.fixture(params=[PLAIN, WATCHED], ids=["plain", "watched"])
def built(request):
    """How to run a program with threads, and the module that it loads."""
    if request.param is WATCHED:
        write_service(str(BUILD / "tests" / "tsan" / "pam_hygie.so"))
    else:
        write_service()
    return request.param


def mine(lines, number):
    """What the thread of that number printed, without what was said."""
    prefix = "%d: " % number
    return [line[len(prefix):] for line in lines
            if line.startswith(prefix) and not line.startswith(prefix + "say")]


LET_IN = ["authenticate %d" % SUCCESS, "acct_mgmt %d" % SUCCESS, "ticket yes"]
KEPT_OUT = ["authenticate %d" % AUTH_ERR, "acct_mgmt %d" % ALL_IGNORED, "ticket no"]
UNKNOWN = ["authenticate %d" % USER_UNKNOWN, "acct_mgmt %d" % ALL_IGNORED, "ticket no"]


def test_two_people_with_a_card_each(cards, built):
    lines = run("host-threads", "hygie-host", 5, "alice:" + PIN, "bob:" + PIN, **built)
    assert mine(lines, 1) == LET_IN * 5 and mine(lines, 2) == LET_IN * 5
    for number, holder in ((1, "Alice"), (2, "Bob")):
        prompts = [line for line in lines if line.startswith("%d: say" % number)]
        assert prompts and all(holder in prompt for prompt in prompts)


def test_two_threads_and_one_card(card, built):
    """One after the other, each with its own PIN try."""
    lines = run("host-threads", "hygie-host", 3, "alice:" + PIN, "alice:" + PIN, **built)
    assert mine(lines, 1) == LET_IN * 3 and mine(lines, 2) == LET_IN * 3
    assert card.verify_count() == 6


def test_refusals_beside_successes(cards, built):
    """Four threads: nobody is let in or kept out by what another came to."""
    lines = run("host-threads", "hygie-host", 4, "alice:" + PIN, "alice:" + WRONG, "bob:" + WRONG,
                "mallory:" + PIN, **built)
    assert mine(lines, 1) == LET_IN * 4
    assert mine(lines, 2) == KEPT_OUT * 4
    assert mine(lines, 3) == KEPT_OUT * 4
    assert mine(lines, 4) == UNKNOWN * 4


def test_control_a_race_is_reported():
    done = subprocess.run(
        [*WATCHED["prefix"], program("host-threads", WATCHED["folder"]), "--race"],
        env={"PATH": os.environ["PATH"], **WATCHED["env"]}, capture_output=True, check=False)
    assert done.returncode == RACE and b"data race" in done.stderr


def test_control_the_watched_module_is_watched():
    """Its code calls ThreadSanitizer, and is the module's own, whole."""
    def symbols(path, which):
        out = subprocess.check_output(["nm", "-D", which, str(path)], text=True)
        return {line.split()[-1] for line in out.splitlines()}

    watched, plain = BUILD / "tests" / "tsan" / "pam_hygie.so", BUILD / "pam_hygie.so"
    assert "__tsan_func_entry" in symbols(watched, "--undefined-only")
    assert symbols(watched, "--defined-only") == symbols(plain, "--defined-only")


# One thread


def test_steps_of_two_handles_in_turn(station, cards):
    service = write_service()
    since = len(station.log())
    lines = run("host-interleaved", "alternate", service, "alice", PIN, "bob", PIN)
    whole = dict.fromkeys(("authenticate", "acct_mgmt", "open_session", "close_session"), SUCCESS)
    assert codes(lines, "1: ") == whole and codes(lines, "2: ") == whole
    opened = [line for line in station.log()[since:].splitlines() if "open-session: ok" in line]
    assert ["user=%s" % user in line for user, line in zip(("alice", "bob"), opened)] == [True] * 2


@pytest.mark.parametrize("first,second", [(PIN, WRONG), (WRONG, PIN)])
def test_outcome_of_one_handle_is_not_the_others(cards, first, second):
    lines = run("host-interleaved", "alternate", write_service(), "alice", first, "bob", second)
    for number, answer in ((1, first), (2, second)):
        found = codes(lines, "%d: " % number)
        assert found["authenticate"] == (SUCCESS if answer == PIN else AUTH_ERR)
        assert found["acct_mgmt"] == (SUCCESS if answer == PIN else ALL_IGNORED)
        assert found["open_session"] == (SUCCESS if answer == PIN else ALL_IGNORED)


@pytest.mark.parametrize("second", ["bob", "alice"])
@pytest.mark.parametrize("answer", [PIN, WRONG])
def test_login_within_the_prompt_of_another(cards, second, answer):
    """The second may even need the card that the first asks for: nobody holds it yet."""
    lines = run("host-interleaved", "nested", write_service(), "alice", PIN, second, answer)
    assert codes(lines, "1: ") == {"authenticate": SUCCESS, "acct_mgmt": SUCCESS}
    assert codes(lines, "2: ") == (
        {"authenticate": SUCCESS, "acct_mgmt": SUCCESS} if answer == PIN else
        {"authenticate": AUTH_ERR, "acct_mgmt": ALL_IGNORED})
    order = [line[:2] for line in lines if "authenticate" in line]
    assert order == ["2:", "1:"]
