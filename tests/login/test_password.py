# SPDX-License-Identifier: Apache-2.0
"""PIN or password in one prompt, where the site wants it: what cannot be the card's PIN goes
on to pam_unix and never to the card; what may be a PIN goes on to nobody."""
import contextlib
import pathlib
import subprocess

import pytest

import pamclient as pam
import station as st

PASSWORD = "correct horse"
PHRASE = "a pass phrase of more bytes than any PIN of any card may have, seventy-odd"
CONSOLE, LOCKER, PLAIN = "console-or", "locker-or", "console-plain"
CONFIG = """[login]
card_wait = 1s
card_or_password = %s %s
pretyped = %s
""" % (CONSOLE, LOCKER, LOCKER)
LOOK = st.ROOT / "build" / "tests" / "pam_look_module.so"


@pytest.fixture(scope="module")
def station(tmp_path_factory):
    with st.Station(tmp_path_factory.mktemp("station"), CONFIG) as running:
        for service in (CONSOLE, LOCKER, PLAIN):
            st.write_service(service, (
                "auth [success=2 default=ignore] pam_hygie.so",
                "auth [success=1 default=ignore] pam_unix.so try_first_pass",
                "auth requisite pam_deny.so", "auth required pam_permit.so"))
            st.write_service(service + "-look", ("auth optional pam_hygie.so",
                                                 "auth required %s" % LOOK))
        set_password(PASSWORD)
        yield running


def set_password(password):
    subprocess.run(["chpasswd"], input="alice:" + password, text=True, check=True)


@pytest.fixture
def card(station, alice):
    with station.card(alice) as running:
        station.wait_ready()
        running.reset_count()
        yield running


@pytest.mark.parametrize("service", [CONSOLE, LOCKER])
def test_pin_and_password_open_by_the_same_prompt(station, card, service):
    for answer, verified in ((st.PIN, 1), (PASSWORD, 0)):
        station.wait_ready()
        card.reset_count()
        result = station.login("alice", answer, service=service)
        assert result.code == pam.PAM_SUCCESS
        (prompt,) = result.prompts()
        assert "Alice Specimen" in prompt and "password" in prompt
        assert card.verify_count() == verified


def test_long_pass_phrase_is_passed_on_whole(station, card):
    set_password(PHRASE)
    try:
        assert station.login("alice", PHRASE, service=LOCKER).code == pam.PAM_SUCCESS
        assert card.verify_count() == 0
    finally:
        set_password(PASSWORD)


def test_wrong_password_is_refused_and_costs_no_try(station, card):
    result = station.login("alice", "incorrect horse", service=LOCKER)
    assert result.code == pam.PAM_AUTH_ERR
    assert len(result.prompts()) == 1
    assert card.verify_count() == 0


def test_wrong_pin_is_not_tried_as_a_password(station, card):
    """Not even where it is the password: a PIN belongs to the card."""
    set_password("654321")
    try:
        result = station.login("alice", "654321", service=LOCKER)
        assert result.code == pam.PAM_AUTH_ERR or len(result.prompts()) > 1
        assert card.verify_count() == 1
    finally:
        set_password(PASSWORD)
        card.unblock()


def authtok(service, *answers):
    """PAM_AUTHTOK as the module after ours finds it."""
    handle = pam.Handle(service, "alice", answers)
    handle.call("pam_authenticate", 0)
    value = handle.getenv("LOOK_AUTHTOK")
    handle.end()
    return value


@pytest.mark.parametrize("typed,expected", [
    (PASSWORD, PASSWORD), (st.PIN, "unset"), ("654321", "unset"), ("", "unset"),
    ("1234", "unset"), ("123456789012", "unset"), ("1234567890123", "1234567890123"),
    ("123", "123"), ("12345x", "12345x")])
def test_what_is_handed_on_with_the_card_in(station, card, typed, expected):
    with settings_for_look(station):
        assert authtok(CONSOLE + "-look", typed) == expected
    card.unblock()


@pytest.mark.parametrize("typed,expected", [
    (PASSWORD, PASSWORD), (st.PIN, "unset"), ("1234", "unset"), ("123456789012", "unset"),
    ("12345x", "12345x"), ("", "unset")])
def test_what_is_handed_on_without_a_card(station, alice, typed, expected):
    with settings_for_look(station):
        assert authtok(CONSOLE + "-look", typed) == expected


def test_nothing_is_handed_on_where_the_site_did_not_ask_for_it(station, card):
    assert authtok(PLAIN + "-look", PASSWORD) == "unset"
    assert card.verify_count() == 0


def test_enter_goes_on_with_the_card_that_was_put_in_meanwhile(station, alice):
    with contextlib.ExitStack() as cards:
        def insert():
            cards.enter_context(station.card(alice))
            station.wait_ready()
            return ""
        result = station.login("alice", insert, st.PIN, service=CONSOLE)
        assert result.code == pam.PAM_SUCCESS
        assert "Insert the card of alice" in result.prompts()[0]
        assert "PIN of Alice Specimen" in result.prompts()[1]


def test_password_opens_without_a_card(station, alice):
    result = station.login("alice", PASSWORD, service=CONSOLE)
    assert (result.code, len(result.prompts())) == (pam.PAM_SUCCESS, 1)


def test_pin_typed_before_the_card_is_in_says_so(station, alice):
    result = station.login("alice", st.PIN, PASSWORD, service=CONSOLE)
    assert "looks like a PIN" in result.text


def test_enter_without_a_card_does_not_ask_for_ever(station, alice):
    result = station.login("alice", "", "", "", "", "", service=CONSOLE)
    assert result.code != pam.PAM_SUCCESS
    assert len(result.prompts()) <= 4
    assert result.seconds < 20


def test_locker_without_a_card_asks_nothing_itself(station, alice):
    result = station.login("alice", PASSWORD, service=LOCKER)
    assert (result.code, len(result.prompts())) == (pam.PAM_SUCCESS, 1)
    assert "PIN" not in result.prompts()[0]


@contextlib.contextmanager
def settings_for_look(station):
    """The service with the looking module takes passwords too."""
    drop_in = pathlib.Path("/etc/hygie/hygie.conf.d/look.conf")
    station.stop_hygied()
    drop_in.write_text("[login]\ncard_or_password = %s-look\n" % CONSOLE)
    station.log_path.unlink(missing_ok=True)
    station.start_hygied()
    station.wait_readers(lambda readers: all(one["state"] in ("ready", "empty") for one in readers)
                         and readers)
    try:
        yield
    finally:
        station.stop_hygied()
        drop_in.unlink()
        station.log_path.unlink(missing_ok=True)
        station.start_hygied()
