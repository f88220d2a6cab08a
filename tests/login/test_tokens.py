# SPDX-License-Identifier: Apache-2.0
"""One list of scenarios, played on every token of tokens.py: what holds for a login holds
whatever the card and the PKCS#11 module are. A scenario that a token cannot play is skipped,
and says what the token lacks."""
import pathlib
import re

import pytest

import pamclient as pam
import pins
import pivcard
import processes
import station as st
from tokens import TOKENS

WRONG = "654321"
SCENARIOS = []


def scenario(*needs):
    """Adds a function to the list, with the capabilities that it needs."""
    def add(function):
        function.needs = needs
        SCENARIOS.append(function)
        return function
    return add


def loaded_modules():
    """Names of the PKCS#11 modules in the helpers that run."""
    maps = "".join(pathlib.Path("/proc", str(pid), "maps").read_text()
                   for pid in processes.find("hygie-token"))
    return set(re.findall(r"/(opensc-pkcs11\.so|libykcs11|libsofthsm2\.so)", maps))


@pytest.fixture(scope="module")
def keys(tmp_path_factory):
    return pivcard.KeyStore(tmp_path_factory.mktemp("keys"))


@pytest.fixture(scope="module", params=TOKENS, ids=lambda token: token.name)
def token(request, tmp_path_factory, keys):
    # Paths of a profile have no blanks and lines 196 bytes: short names.
    with request.param.start(tmp_path_factory.mktemp("t"), keys) as started:
        yield started


@scenario()
def right_pin_lets_the_holder_in(token):
    with token.person("alice"):
        result = token.station.login("alice", st.PIN)
        assert (result.code, result.user) == (pam.PAM_SUCCESS, "alice"), token.station.log()
        assert result.prompts() == ["PIN of Alice Specimen: "]


@scenario()
def without_a_user_name_the_token_says_who(token):
    with token.person("bob"):
        result = token.station.login(None, st.PIN)
        assert (result.code, result.user) == (pam.PAM_SUCCESS, "bob"), token.station.log()


@scenario()
def two_logins_in_a_row_are_served_by_a_successor(token):
    with token.person("alice"):
        for _ in range(2):
            assert token.station.login("alice", st.PIN).code == pam.PAM_SUCCESS


@scenario()
def wrong_pin_is_refused_and_asked_of_the_token_once(token):
    with token.person("alice") as held:
        result = token.station.login("alice", WRONG)
        assert (result.code, "Wrong PIN" in result.text) == (pam.PAM_AUTH_ERR, True)
        held.settle()
        assert held.attempts() == 1
        assert token.station.login("alice", st.PIN).code == pam.PAM_SUCCESS


@scenario("retry-counter")
def wrong_pin_spends_exactly_one_try_and_the_right_one_gives_it_back(token):
    with token.person("alice") as held:
        token.station.login("alice", WRONG)
        held.settle()
        assert held.card.tries() == 2
        token.station.login("alice", st.PIN)
        held.settle()
        assert held.card.tries() == 3


@scenario("retry-counter")
def blocked_card_is_told_without_a_prompt_and_without_an_attempt(token):
    with token.inserted(token.people["alice"], tries=0) as held:
        result = token.station.login("alice", st.PIN)
        assert (result.code, result.prompts()) == (pam.PAM_MAXTRIES, [])
        assert "blocked" in result.text
        assert held.attempts() == 0


@scenario("retry-counter")
def last_try_is_announced_in_the_prompt_and_never_risked_by_a_locker(token):
    st.write_service("i3lock")
    with token.inserted(token.people["alice"], tries=1) as held:
        result = token.station.login("alice", st.PIN, service="i3lock")
        assert (result.code, result.prompts()) == (pam.PAM_AUTH_ERR, [])
        assert held.attempts() == 0
        result = token.station.login("alice", WRONG)
        assert "last" in result.text.lower()
        held.settle()
        result = token.station.login("alice", st.PIN)
        assert (result.code, result.prompts()) == (pam.PAM_MAXTRIES, [])
        assert held.attempts() == 1


@scenario()
def what_cannot_be_a_pin_never_reaches_the_token(token):
    with token.person("alice") as held:
        for text in ("12345", "123456789", "12345a", "123 56", "12345\u0663", "a password", " ",
                     "1" * 64, "1" * 200):
            result = token.station.login("alice", text)
            assert result.code in (pam.PAM_AUTH_ERR, pam.PAM_SYSTEM_ERR), (text, result)
            assert "Wrong PIN" not in result.text, text
        assert token.station.login("alice", "").code == pam.PAM_CONV_ERR
        assert token.station.login("alice", None).code == pam.PAM_CONV_ERR
        held.settle()
        assert held.attempts() == 0
        token.station.login("alice", WRONG)
        held.settle()
        assert held.attempts() == 1  # the control: this counts what does reach it


@scenario()
def token_of_another_user_is_refused_without_an_attempt(token):
    with token.person("bob") as held:
        result = token.station.login("alice", WRONG)
        assert (result.code, result.prompts()) == (pam.PAM_AUTH_ERR, [])
        assert "another user" in result.text
        assert held.attempts() == 0


@scenario()
def token_that_nobody_enrolled_is_refused_without_an_attempt(token):
    with token.inserted(token.make("stranger")) as held:
        result = token.station.login("alice", WRONG)
        assert (result.code, result.prompts()) == (pam.PAM_AUTH_ERR, [])
        assert "not enrolled" in result.text
        assert held.attempts() == 0


@scenario()
def clone_with_the_certificate_but_another_key_is_refused(token):
    clone = token.make("clone", certificate=token.home / "alice.crt")
    with token.inserted(clone):
        result = token.station.login("alice", st.PIN)
        assert result.code in (pam.PAM_AUTH_ERR, pam.PAM_AUTHINFO_UNAVAIL), result
        assert "outcome=card-not-proven" in token.station.log() or \
            "could not prove" in result.text or "driver failed" in result.text
    with token.person("alice"):
        assert token.station.login("alice", st.PIN).code == pam.PAM_SUCCESS


@scenario("removal")
def token_pulled_at_the_prompt_ends_the_login_and_hears_no_pin(token):
    with token.person("alice") as held:
        def pull():
            held.pull()
            return st.PIN
        result = token.station.login("alice", pull)
        assert (result.code, "taken out" in result.text) == (pam.PAM_AUTH_ERR, True)
        assert held.attempts() == 0


@scenario("reader")
def no_verified_pin_is_left_on_the_card(token):
    with token.person("alice") as held:
        for pin in (st.PIN, WRONG):
            token.station.login("alice", pin)
            held.settle()
            assert not held.card.verified()


@scenario()
def status_says_whether_others_can_use_it_meanwhile(token):
    with token.person("alice"):
        ready = [reader for reader in token.station.wait_ready() if reader["state"] == "ready"]
        assert [reader["exclusive"] for reader in ready] == ["exclusive" in token.capabilities]


@scenario()
def its_own_module_alone_serves_it(token):
    with token.person("alice"):
        assert loaded_modules() == {token.module}


@scenario()
def enrolled_then_revoked_then_enrolled_again(token):
    carol = token.make("carol")
    with token.inserted(carol) as held:
        token.station.enrol("mallory")
        assert token.station.login("mallory", st.PIN).code == pam.PAM_SUCCESS
        token.station.run("revoke", "--user", "mallory")
        held.settle()
        held.forget()
        result = token.station.login("mallory", WRONG)
        assert (result.code, result.prompts()) in ((pam.PAM_AUTH_ERR, []),
                                                   (pam.PAM_USER_UNKNOWN, []))
        assert token.station.login(None, WRONG).prompts() == []
        assert held.attempts() == 0
        token.station.enrol("mallory")
        assert token.station.login("mallory", st.PIN).code == pam.PAM_SUCCESS
        token.station.run("revoke", "--user", "mallory")


@scenario()
def enrolment_needs_the_pin(token):
    st.add_user("dora")
    with token.inserted(token.make("dora")) as held:
        assert token.station.enrol("dora", WRONG, check=False)[0] == 4
        held.settle()
        assert held.attempts() == 1
        assert token.station.login("dora", st.PIN).code == pam.PAM_USER_UNKNOWN


@scenario("many-certificates")
def login_certificate_is_found_among_sixteen(token):
    with token.inserted(token.make("many", fillers=15)):
        token.station.enrol("mallory")
        assert token.station.login("mallory", st.PIN).code == pam.PAM_SUCCESS
        token.station.run("revoke", "--user", "mallory")


@scenario("gzip")
def compressed_certificate_is_read(token):
    with token.inserted(token.people["alice"], gzip=True):
        assert token.station.login("alice", st.PIN).code == pam.PAM_SUCCESS


@scenario("second-key")
def key_that_wants_the_pin_at_each_use_signs_for_one_answer(token):
    content = token.make("eve", slot="9c")
    with token.inserted(content) as held:
        token.station.enrol("mallory")
        held.settle()
        held.forget()
        result = token.station.login("mallory", st.PIN)
        assert result.code == pam.PAM_SUCCESS, token.station.log()
        assert len(result.prompts()) == 1
        held.settle()
        assert held.card.sign_count() == 1
        held.forget()
        token.station.login("mallory", WRONG)
        held.settle()
        assert (held.attempts(), held.card.tries()) == (1, 2)
        token.station.run("revoke", "--user", "mallory")


@scenario("flags")
def token_that_says_locked_is_told_without_a_prompt(token):
    with token.inserted(token.people["alice"], "locked") as held:
        result = token.station.login("alice", WRONG)
        assert (result.code, result.prompts()) == (pam.PAM_MAXTRIES, [])
        assert held.attempts() == 0


@scenario("flags")
def token_that_says_final_try_is_announced_and_not_risked_by_a_locker(token):
    st.write_service("i3lock")
    with token.inserted(token.people["alice"], "final") as held:
        result = token.station.login("alice", WRONG, service="i3lock")
        assert (result.code, result.prompts()) == (pam.PAM_AUTH_ERR, [])
        assert held.attempts() == 0
        result = token.station.login("alice", st.PIN)
        assert (result.code, "last" in result.text.lower()) == (pam.PAM_SUCCESS, True)


@scenario("flags")
def token_that_wants_a_new_pin_is_told_in_acct_mgmt(token):
    with token.inserted(token.people["alice"], "must-change"):
        handle = pam.Handle(st.SERVICE, "alice", [st.PIN])
        assert handle.call("pam_authenticate") == pam.PAM_SUCCESS
        assert handle.call("pam_acct_mgmt") == pam.PAM_NEW_AUTHTOK_REQD
        handle.end()


@scenario()
def pin_is_changed_and_the_new_one_alone_holds(token):
    with token.person("alice") as held:
        held.forget()
        assert pins.change(WRONG, pins.NEW, pins.NEW).outcome == "PIN_WRONG", token.station.log()
        held.settle()
        assert held.attempts() == 1
        assert pins.change(st.PIN, pins.NEW, pins.NEW).outcome == "OK", token.station.log()
        assert token.station.login("alice", pins.NEW).code == pam.PAM_SUCCESS
        assert token.station.login("alice", st.PIN).code == pam.PAM_AUTH_ERR


@scenario()
def new_pins_that_will_not_do_are_never_sent(token):
    with token.person("alice") as held:
        assert pins.change(st.PIN, "12345", "12345").outcome == "PIN_NEW_UNFIT"
        assert pins.change(st.PIN, pins.NEW, WRONG, pins.NEW, WRONG).outcome == "PINS_DIFFER"
        held.settle()
        assert held.attempts() == 0
        assert token.station.login("alice", st.PIN).code == pam.PAM_SUCCESS


@scenario()
def puk_sets_a_new_pin_and_a_wrong_one_spends_no_try_of_the_pin(token):
    with token.person("alice") as held:
        wrong = pins.unblock(pins.WRONG_PUK, pins.NEW, pins.NEW)
        assert wrong.outcome == "PUK_WRONG", token.station.log()
        held.settle()
        assert held.attempts() == 0
        assert token.station.login("alice", st.PIN).code == pam.PAM_SUCCESS
        assert pins.unblock(pins.PUK, pins.NEW, pins.NEW).outcome == "OK", token.station.log()
        assert token.station.login("alice", pins.NEW).code == pam.PAM_SUCCESS


@pytest.mark.parametrize("play", SCENARIOS, ids=lambda function: function.__name__)
def test(token, play):
    for need in play.needs:
        if need not in token.capabilities:
            pytest.skip("%s lacks %s" % (token.name, need))
    play(token)
