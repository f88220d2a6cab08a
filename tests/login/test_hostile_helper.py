# SPDX-License-Identifier: Apache-2.0
"""A helper that says what it likes when it likes: hygied takes nothing from it but what it
checks, answers in time, and serves the next, honest one.

The hostile helper is a Python program in hygie-token's place that plays a few lines of
Python; it tells the truth about Alice's certificate and, where the lines say so, signs."""
import pathlib
import subprocess
import time

import pytest

import pamclient as pam
import processes
import scard
import station as st
import wire
from dialogues import ask, hear, outcome, restart, settings

HELPER = pathlib.Path("/usr/libexec/hygie/hostile-helper")
ADMITTED = (pam.PAM_SUCCESS, pam.PAM_IGNORE, pam.PAM_USER_UNKNOWN)  # the stack goes on

PROGRAM = """#!/usr/bin/python3 -B
import os, pathlib, socket, subprocess, sys, time
sys.path.insert(0, %(tests)r)
import wire

link = socket.socket(fileno=3)
link.setblocking(True)
outcomes = {name[6:]: number for name, number in wire.OUTCOMES.items()}

def say(kind, *fields):
    link.send(wire.encode(kind, fields))

def token(flags=0, *more):
    say("REPORT_TOKEN", ("TOKEN_FLAGS", flags), ("PIN_MIN", 6), ("PIN_MAX", 8), *more)

def certificate():
    say("REPORT_CERTIFICATE", ("OBJECT_ID", b"\\1"),
        ("CERTIFICATE", pathlib.Path(%(der)r).read_bytes()))

def warm():
    token(), certificate(), say("REPORT_READY")

def order():
    return wire.decode(link.recv(65536))

def failed(outcome, kind="REPORT_FAILED"):
    say(kind, ("OUTCOME", outcomes[outcome]))

def done(message, *more):
    signature = subprocess.run(["/usr/bin/openssl", "dgst", "-sha256", "-sign", %(key)r],
                               input=value(message), capture_output=True, check=True).stdout
    say("REPORT_DONE", ("OUTCOME", 1), ("SIGNATURE_SCHEME", 1), ("DATA", signature), *more)

def value(message):
    data = message.get("DATA")
    return data if isinstance(data, bytes) else data.encode()

def linger():
    time.sleep(600)

exec(pathlib.Path(%(play)r).read_text())
"""
HONEST = "order(); warm(); done(order())"


class Hostile:
    def __init__(self, station, home, alice):
        self.station, self.play = station, home / "play"
        der = home / "alice.der"
        der.write_bytes(subprocess.run(["openssl", "x509", "-in", alice / "9a.crt", "-outform",
                                        "DER"], capture_output=True, check=True).stdout)
        HELPER.write_text(PROGRAM % {"tests": str(st.ROOT / "tests"), "der": str(der),
                                     "key": str(alice / "9a.key"), "play": str(self.play)})
        HELPER.chmod(0o755)
        self.play.write_text(HONEST)

    def behave(self, lines):
        """From now on, in a new hygied."""
        self.play.write_text(lines)
        self.station.stop_hygied()
        restart(self.station)

    def login(self, pin=st.PIN):
        result = self.station.login("alice", pin)
        assert self.station.hygied.poll() is None, self.station.log()
        return result


@pytest.fixture(scope="module")
def hostile_world(station, alice, tmp_path_factory):
    helper = Hostile(station, tmp_path_factory.mktemp("hostile"), alice)
    with station.card(alice), settings(station, "[login]\ndeadline = 6s\nwarm_deadline = 6s\n"
                                       "[paths]\nhelper = %s\n" % HELPER):
        yield helper


@pytest.fixture
def hostile(hostile_world):
    yield hostile_world
    hostile_world.behave(HONEST)
    hostile_world.station.wait_ready()
    assert hostile_world.login().code == pam.PAM_SUCCESS, hostile_world.station.log()


SAYS_WHAT_IS_NOT_ITS_TO_SAY = ("USER_UNKNOWN", "NOT_FOUND", "NOT_ALLOWED", "CARD_REVOKED")


@pytest.mark.parametrize("word", SAYS_WHAT_IS_NOT_ITS_TO_SAY)
def test_helper_cannot_make_the_user_unknown_while_reading(hostile, word):
    """Where PAM_USER_UNKNOWN lets the stack go on, a hostile token would switch us off."""
    hostile.behave("order(); failed(%r)" % word)
    result = hostile.login()
    assert result.code not in ADMITTED, result
    assert "driver failed" in result.text


@pytest.mark.parametrize("kind", ["REPORT_FAILED", "REPORT_DONE"])
@pytest.mark.parametrize("word", SAYS_WHAT_IS_NOT_ITS_TO_SAY)
def test_helper_cannot_make_the_user_unknown_at_the_login(hostile, word, kind):
    hostile.behave("order(); warm(); order(); failed(%r, %r)" % (word, kind))
    hostile.station.wait_ready()
    result = hostile.login()
    assert result.code not in ADMITTED, result
    assert "driver failed" in result.text


# What it says before READY: the login ends without a prompt, in time.
WARMING = {
    "nothing and ends": "order()",
    "nothing and waits": "order(); linger()",
    "ready at once": "say('REPORT_READY'); linger()",
    "ready and ends": "order(); warm()",
    "ready twice": "order(); warm(); say('REPORT_READY'); linger()",
    "done before the order": "order(); token(); certificate(); failed('OK', 'REPORT_DONE')",
    "failed that says ok": "order(); failed('OK')",
    "an order": "order(); say('ORDER_LOGIN'); linger()",
    "a result": "order(); say('RESULT', ('OUTCOME', 1)); linger()",
    "token a hundred times": "order()\nfor _ in range(100): token()\nlinger()",
    "seventeen certificates": "order(); token()\nfor _ in range(17): certificate()\nwarm()",
    "certificates of 64 KiB": "order(); token(); big = ('CERTIFICATE', b'x' * 65000)\n"
                              "for _ in range(9): say('REPORT_CERTIFICATE', ('OBJECT_ID', b'1'), big)"
                              "\nsay('REPORT_READY'); linger()",
    "label not UTF-8": "order(); token(0, ('LABEL', b'\\xff\\xfe')); linger()",
    "label of 128 bytes": "order(); token(0, ('LABEL', b'x' * 128)); linger()",
    "text not UTF-8": "order(); say('REPORT_FAILED', ('OUTCOME', 17), ('TEXT', b'\\xff'))",
    "message too long": "link.setsockopt(1, 7, 400000); order()\nlink.send(b'x' * 70000); linger()",
    "empty message": "order(); link.send(b''); linger()",
    "shut socket": "order(); token(); link.shutdown(2); linger()",
}


@pytest.mark.parametrize("what", WARMING)
def test_nonsense_while_reading_ends_in_a_refusal_in_time(hostile, what):
    hostile.behave(WARMING[what])
    result = hostile.login()
    assert result.code not in ADMITTED and result.seconds < 12, result
    # One that was ready for a moment may have been asked for already.
    assert "ready" in what or result.prompts() == []


# What it says to the order with the PIN.
WORKING = {
    "ends": "",
    "waits": "linger()",
    "ready": "say('REPORT_READY'); linger()",
    "token": "token(); linger()",
    "done without fields": "say('REPORT_DONE'); linger()",
    "ok without a signature": "failed('OK', 'REPORT_DONE'); linger()",
    "empty signature": "say('REPORT_DONE', ('OUTCOME', 1), ('SIGNATURE_SCHEME', 1), ('DATA', b''))",
    "signature of 64 KiB": "say('REPORT_DONE', ('OUTCOME', 1), ('SIGNATURE_SCHEME', 1), "
                           "('DATA', b'x' * 65000)); linger()",
    "unknown scheme": "say('REPORT_DONE', ('OUTCOME', 1), ('SIGNATURE_SCHEME', 77), "
                      "('DATA', b'x' * 256)); linger()",
    "scheme of another kind": "say('REPORT_DONE', ('OUTCOME', 1), ('SIGNATURE_SCHEME', 3), "
                              "('DATA', b'x' * 64)); linger()",
    "failed that says ok": "failed('OK'); linger()",
    "wrong, then right": "failed('PIN_WRONG', 'REPORT_DONE'); done(message); linger()",
    "garbage, then right": "link.send(b'garbage'); done(message); linger()",
    "ready, then right": "say('REPORT_READY'); done(message); linger()",
}


@pytest.mark.parametrize("what", WORKING)
def test_nonsense_at_the_login_is_refused_in_time(hostile, what):
    hostile.behave("order(); warm(); message = order()\n" + WORKING[what])
    hostile.station.wait_ready()
    result = hostile.login()
    assert len(result.prompts()) == 1
    assert result.code not in ADMITTED and result.after_answer < 12, result


def test_end_of_hygied_during_a_login_ends_the_helper_and_tells_the_client(hostile):
    hostile.behave("order(); warm(); order(); linger()")
    hostile.station.wait_ready()
    with ask(USER="alice") as link:
        assert outcome(hear(link)) == "PROMPT"
        link.sendall(wire.encode("ANSWER", {"ANSWER": st.PIN.encode()}))
        hostile.station.wait_ready("busy")
        assert hostile.station.stop_hygied() == 0
        assert link.recv(wire.MESSAGE_MAX) == b""
    assert processes.find("hostile-helper") == []


@pytest.mark.parametrize("flags,warned", [("PIN_PAD", None), ("PIN_COUNT_LOW", "Few tries"),
                                          ("PIN_FINAL_TRY", "One try is left")])
def test_pin_pad_is_asked_once_whatever_tries_are_left(hostile, flags, warned):
    bits = {"PIN_PAD": 32, "PIN_COUNT_LOW": 33, "PIN_FINAL_TRY": 34}[flags]
    hostile.behave("order(); token(%d); certificate(); say('REPORT_READY'); done(order())" % bits)
    hostile.station.wait_ready()
    result = hostile.login()
    assert (result.code, result.prompts()) == (pam.PAM_SUCCESS, []), result
    assert result.text.count("on the reader's keys") == 1
    assert warned is None or warned in result.text


@pytest.mark.parametrize("service, flags, said", [
    ("lightdm", 0, "PIN of Alice Specimen: "),
    ("lightdm", 1, "Few tries are left. PIN of Alice Specimen: "),
    ("lightdm", 2, "Last try. PIN of Alice Specimen, or nothing to stop: "),
    ("hygie-test", 1, None)], ids=["lightdm", "lightdm-few", "lightdm-last", "other"])
def test_prompt_is_said_before_it_where_it_is_hidden(hostile, service, flags, said):
    st.write_service("lightdm")
    hostile.behave("order(); token(%d); certificate(); say('REPORT_READY'); done(order())" % flags)
    hostile.station.wait_ready()
    result = pam.authenticate("alice", [st.PIN], service=service)
    assert (result.code, len(result.prompts())) == (pam.PAM_SUCCESS, 1), result
    infos = [text for style, text in result.messages if style == pam.TEXT_INFO]
    assert infos == ([said] if said else []), result
    if said:
        assert result.messages.index((pam.TEXT_INFO, said)) == len(result.messages) - 2, result


def test_helper_that_stays_after_a_right_answer_keeps_the_next_login_waiting_only(hostile):
    hostile.behave("order(); warm(); done(order()); linger()")
    hostile.station.wait_ready()
    assert hostile.login().code == pam.PAM_SUCCESS
    assert hostile.login().code == pam.PAM_SUCCESS
    hostile.station.wait_ready()
    assert len(processes.find("hostile-helper")) <= 1


def test_program_that_takes_the_reader_after_a_login_is_named_in_time(hostile):
    """The reset between two helpers waits for it; the person need not."""
    hostile.behave("order(); warm(); done(order()); link.recv(1); linger()")
    hostile.station.wait_ready()
    assert hostile.login().code == pam.PAM_SUCCESS
    with scard.Context() as rival, rival.connect(hostile.station.pcscd.readers[0]) as held, \
            held.transaction():
        hostile.station.wait_ready("unreadable")
        began = time.monotonic()
        result = hostile.login()
        assert (result.code, result.prompts()) == (pam.PAM_AUTHINFO_UNAVAIL, [])
        assert "Another program" in result.text, result
        assert time.monotonic() - began < 5
    hostile.station.wait_ready()
