# SPDX-License-Identifier: Apache-2.0
"""PINs typed at the reader, and tokens that want a new PIN at login: Bob's token, served by
tests/login/evil_module.c. Nothing is asked on the screen that is typed on the pad, the module
gets NULL and 0 there and nowhere else, and a pad that nobody touches is given up in time."""
import json
import pwd
import re
import subprocess
import sys

import pytest

import pamclient as pam
import pins
import pivcard
import station as st
from test_hostile_module import EvilToken

PATIENT = 5.0  # seconds: [login] pinpad_deadline, at its shortest
SPARE = 10.0
SECRET = "hygie-secret"
CONFIG = "[login]\npinpad_deadline = 5s\ndeadline = 2s\n[secret]\nservices = %s\n" % SECRET
LOOK = st.ROOT / "build" / "tests" / "pam_look_module.so"
URI = "pkcs11:token=Trial"
SERVICE = "hygie-passwd"
EXPIRED, RECOVERY_ERR = 0x20, 21  # a flag and a code of pam_chauthtok
PROMPTS = ["Current PIN of Bob Specimen: ", "New PIN of Bob Specimen: ",
           "New PIN of Bob Specimen again: "]


class Token(EvilToken):
    unblock, pin_pad = "officer", "yes"

    def profile_of(self, words):
        return super().profile_of(words) + "unblock = %s\npin_pad = %s\n" % (
            self.unblock, self.pin_pad)

    def behave(self, words):
        """Anew, with the first PIN; until it was read."""
        self.station.stop_hygied()
        (self.place / "calls").unlink(missing_ok=True)
        self.fill_place(self.content)
        super().behave(words)
        self.wait_token("ready")

    def calls(self):
        """What the module was called with: C_Login USER PIN, in bytes, "NULL/0" for none."""
        path = self.place / "calls"
        return path.read_text().splitlines() if path.exists() else []


@pytest.fixture(scope="module")
def token(tmp_path_factory):
    home = tmp_path_factory.mktemp("t")
    token = Token("evil", "rsa2048")
    token.home = home
    token.prepare()
    st.write_service(SERVICE, ("auth required pam_hygie.so", "account required pam_hygie.so",
                               "password required pam_hygie.so pin_change"))
    with st.Station(home, CONFIG, keys=pivcard.KeyStore(home / "keys"), with_pcscd=False,
                    profiles={"50-token.conf": token.profile}) as token.station:
        token.content = token.make("bob")
        token.behave("honest")
        token.station.enrol("bob")
        yield token


def test_pad_login_asks_nothing_on_the_screen_and_names_the_holder(token):
    token.behave("pin-pad,pad,calls")
    result = token.station.login("bob", st.PIN)
    assert (result.code, result.prompts()) == (pam.PAM_SUCCESS, [])
    assert "Bob Specimen: type your PIN on the reader's keys." in result.text
    assert token.calls() == ["C_Login 1 NULL/0 NULL/0"]


def test_pad_login_is_given_the_login_secret(token):
    """The card decrypts in the PIN entry that was made on the pad."""
    token.behave("honest")  # the enrolment tries the key, by a PIN that is typed here
    st.write_service(SECRET, ("auth required pam_hygie.so", "auth required %s" % LOOK))
    token.station.run("secret", "enable", "bob")
    token.behave("pin-pad,pad,calls")
    handle = pam.Handle(SECRET, "bob")
    assert handle.call("pam_authenticate") == pam.PAM_SUCCESS
    assert re.fullmatch("[A-Za-z0-9+/]{43}=", handle.getenv("LOOK_AUTHTOK"))
    handle.end()
    assert token.calls() == ["C_Login 1 NULL/0 NULL/0"]


@pytest.mark.parametrize("words", ["calls", "pad,calls"])
def test_without_a_pad_the_module_always_gets_a_pin(token, words):
    """Even one that would take none."""
    token.behave(words)
    for answer in (st.PIN, "", pins.WRONG):
        token.station.login("bob", answer)
        token.station.wait_ready()
    assert pins.change("").outcome == "GAVE_UP"
    assert pins.change(st.PIN, pins.NEW, pins.NEW).outcome == "OK"
    token.station.wait_ready()
    assert token.calls() == ["C_Login 1 6 NULL/0"] * 3 + ["C_SetPIN 0 6 6"]


def test_pad_that_the_profile_rules_out_is_not_used(token):
    token.pin_pad = "no"
    try:
        token.behave("pin-pad,calls")
        result = token.station.login("bob", st.PIN)
    finally:
        token.pin_pad = "yes"
    assert result.code == pam.PAM_SUCCESS and len(result.prompts()) == 1
    assert token.calls() == ["C_Login 1 6 NULL/0"]


def test_pad_that_nobody_touches_is_given_up_in_its_own_time(token):
    token.behave("pin-pad,C_Login:hang")
    result = token.station.login("bob")
    assert (result.code, result.prompts()) == (pam.PAM_AUTHINFO_UNAVAIL, [])
    assert "stopped answering" in result.text
    assert PATIENT - 0.5 < result.seconds < PATIENT + SPARE


def test_pad_of_a_token_without_a_pin_lets_nobody_in(token):
    token.behave("pin-pad,calls")  # it says that it has a pad, and SoftHSM takes no NULL
    result = token.station.login("bob", st.PIN)
    assert (result.code == pam.PAM_SUCCESS, result.prompts()) == (False, [])
    assert token.calls() == ["C_Login 1 NULL/0 NULL/0"]


def test_pin_is_changed_at_the_pad(token):
    token.behave("pin-pad,pad,calls")
    told = pins.change()
    assert (told.outcome, told.prompts) == ("OK", [])
    assert any("Bob Specimen: type on the reader's keys" in text for text in told.sentences)
    assert token.calls() == ["C_SetPIN 0 NULL/0 NULL/0"]
    token.station.stop_hygied()
    (st.CARDS / "50-token.conf").write_text(token.profile_of("honest"))
    token.start_hygied()
    token.wait_token("ready")
    assert token.station.login("bob", "246810").code == pam.PAM_SUCCESS


def test_pad_change_that_nobody_types_is_told_in_time(token):
    token.behave("pin-pad,C_SetPIN:hang")
    told = pins.change()
    assert (told.outcome, told.prompts) == ("CARD_SILENT", [])


def test_puk_is_the_officers_pin_and_goes_once(token):
    token.behave("locked,calls")
    assert pins.unblock(pins.WRONG_PUK, pins.NEW, pins.NEW).outcome == "PUK_WRONG"
    token.station.wait_ready()
    assert pins.unblock(pins.PUK, pins.NEW, pins.NEW).outcome == "OK"
    assert token.calls() == ["C_Login 0 8 NULL/0", "C_Login 0 8 NULL/0", "C_InitPIN 0 NULL/0 6"]


@pytest.mark.parametrize("way", ["no", "auto"])
def test_module_whose_way_with_a_puk_is_not_known_gets_none(token, way):
    token.unblock = way
    token.behave("locked,calls")
    told = pins.unblock(pins.PUK, pins.NEW, pins.NEW)
    assert (told.outcome, told.prompts, token.calls()) == ("PIN_FIXED", [], [])
    assert "issuer's tool" in told.text
    token.unblock = "officer"


def test_expired_pin_is_refused_at_login_and_good_for_its_change(token):
    token.behave("login-says-expired")
    result = token.station.login("bob", st.PIN)
    assert result.code == pam.PAM_AUTH_ERR and "hygie pin change" in result.text
    assert pins.change(st.PIN, pins.NEW, pins.NEW).outcome == "OK"


def log_in_and_change(token, *answers):
    handle = pam.Handle(SERVICE, "bob", [st.PIN, *answers])
    codes = [handle.call("pam_authenticate"), handle.call("pam_acct_mgmt")]
    token.station.wait_ready()
    codes.append(handle.call("pam_chauthtok", EXPIRED))
    codes.append(handle.call("pam_acct_mgmt"))
    handle.end()
    return codes, handle.messages


def test_pin_that_must_be_changed_is_changed_at_login(token):
    token.behave("must-change,calls")
    codes, messages = log_in_and_change(token, st.PIN, pins.NEW, pins.NEW)
    assert codes == [pam.PAM_SUCCESS, pam.PAM_NEW_AUTHTOK_REQD, pam.PAM_SUCCESS, pam.PAM_SUCCESS]
    assert [text for style, text in messages if style == pam.PROMPT_ECHO_OFF] == [
        "PIN of Bob Specimen: ", *PROMPTS]
    assert messages[-1] == (pam.TEXT_INFO, "The PIN is changed.")
    assert token.calls() == ["C_Login 1 6 NULL/0"] * 2 + ["C_SetPIN 0 6 6"]
    token.station.wait_ready()
    assert token.station.login("bob", pins.NEW).code == pam.PAM_SUCCESS


def test_wrong_old_pin_at_login_is_a_refusal_and_still_to_be_changed(token):
    token.behave("must-change,calls")
    codes, messages = log_in_and_change(token, pins.WRONG, pins.NEW, pins.NEW)
    assert codes[2:] == [RECOVERY_ERR, pam.PAM_NEW_AUTHTOK_REQD]
    assert "Wrong PIN." in messages[-1][1]
    assert [call for call in token.calls() if "SetPIN" in call] == []


def test_user_changes_his_own_pin_as_himself(token):
    """As a program that is not root's does; and nobody else's."""
    token.behave("honest")
    told = as_user("bob", "bob", st.PIN, pins.NEW, pins.NEW)
    assert told == [0, PROMPTS]
    assert as_user("alice", "bob", st.PIN)[1] == []
    token.station.wait_ready()
    assert token.station.login("bob", pins.NEW).code == pam.PAM_SUCCESS


def as_user(peer, user, *answers):
    """chauthtok in a process of that peer: [code, prompts]."""
    program = ("import sys, json; sys.path.insert(0, sys.argv[1]); import pamclient as p;"
               "h = p.Handle('%s', sys.argv[2], sys.argv[3:]); c = h.call('pam_chauthtok');"
               "print(json.dumps([c, [t for s, t in h.messages if s == 1]]))" % SERVICE)
    uid = pwd.getpwnam(peer).pw_uid
    done = subprocess.run([sys.executable, "-B", "-c", program, str(st.ROOT / "tests"), user,
                           *answers], user=uid, group=uid, extra_groups=[], capture_output=True,
                          text=True, check=False)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_no_pin_is_in_the_log(token):
    token.behave("must-change")
    log_in_and_change(token, pins.WRONG, pins.NEW, pins.NEW)
    token.station.wait_ready()
    pins.unblock(pins.WRONG_PUK, pins.NEW, pins.NEW)
    token.station.wait_ready()
    pins.unblock(pins.PUK, pins.NEW, pins.NEW)
    pins.change(pins.NEW, pins.OTHER, pins.OTHER)
    log = token.station.log()
    assert "audit: " in log
    assert not re.search("|".join((st.PIN, pins.NEW, pins.WRONG, pins.PUK, pins.OTHER,
                                   pins.WRONG_PUK)), log)
