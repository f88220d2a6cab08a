# SPDX-License-Identifier: Apache-2.0
"""What the module directly after pam_hygie finds in PAM_AUTHTOK after every path of a login: no
PIN, nor anything that may be one, whatever the site lets a prompt take."""
import pytest

import dialogues
import pamclient as pam
import station as st

PLAIN, EITHER, LOCKER = "authtok-plain", "authtok-either", "authtok-locker"
CONFIG = """[login]
card_wait = 1s
deadline = 3s
card_or_password = %s %s
pretyped = %s
""" % (EITHER, LOCKER, LOCKER)
LOOK = st.ROOT / "build" / "tests" / "pam_look_module.so"


@pytest.fixture(scope="module")
def station(tmp_path_factory):
    with st.Station(tmp_path_factory.mktemp("station"), CONFIG) as running:
        for service in (PLAIN, EITHER, LOCKER):
            st.write_service(service, ("auth [default=ignore] pam_hygie.so",
                                       "auth required %s" % LOOK))
        yield running


@pytest.fixture(scope="module")
def bob(station):
    content = station.make_card("bob")
    with station.card(content):
        station.wait_ready()
        station.enrol("bob")
    return content


def authtok(service, *typed):
    """PAM_AUTHTOK after alice was asked, as the module after ours finds it."""
    handle = pam.Handle(service, "alice", typed)
    handle.call("pam_authenticate")
    found = handle.getenv("LOOK_AUTHTOK")
    handle.end()
    return found


def pulled(station, card):
    def pull():
        count = station.log().count("card removed")
        card.remove()
        station.wait_log("card removed", count=count + 1)
        return st.PIN
    return pull


def silent(_, card):
    return lambda: (card.silent_at(1), st.PIN)[1]


PATHS = {
    "right PIN": lambda station, card: st.PIN,
    "wrong PIN": lambda station, card: "654321",
    "four digits": lambda station, card: "1234",
    "twelve digits": lambda station, card: "123456789012",
    "nothing": lambda station, card: "",
    "conversation that ends": lambda station, card: None,
    "card pulled meanwhile": pulled,
    "card silent": silent,
}


@pytest.mark.parametrize("service", [PLAIN, EITHER, LOCKER])
@pytest.mark.parametrize("path", PATHS)
def test_no_pin_is_left_with_the_card_in(station, card, service, path):
    assert authtok(service, *[PATHS[path](station, card)] * 3) == "unset"
    card.speak()


@pytest.mark.parametrize("service", [PLAIN, EITHER, LOCKER])
def test_no_pin_is_left_by_a_blocked_card(station, alice, service):
    with station.card(alice, tries=0) as card:
        station.wait_ready()
        assert authtok(service, *[st.PIN] * 3) == "unset"
        card.unblock()


@pytest.mark.parametrize("service", [PLAIN, EITHER, LOCKER])
def test_no_pin_is_left_by_somebody_elses_card(station, alice, bob, service):
    with station.card(bob):
        station.wait_ready()
        assert authtok(service, *[st.PIN] * 3) == "unset"


@pytest.mark.parametrize("service", [PLAIN, EITHER, LOCKER])
@pytest.mark.parametrize("digits", ["1234", "123456", "12345678", "123456789012"])
def test_digits_go_no_further_without_a_card(station, alice, service, digits):
    assert authtok(service, *[digits] * 3) == "unset"


@pytest.mark.parametrize("service", [EITHER, LOCKER])
def test_digits_go_no_further_while_the_service_is_down(station, alice, service):
    station.stop_hygied()
    try:
        assert authtok(service, *[st.PIN] * 3) == "unset"
    finally:
        dialogues.restart(station)


def test_control_password_is_handed_on_where_the_site_wants_it(station, card):
    assert authtok(EITHER, "no PIN at all") == "no PIN at all"
