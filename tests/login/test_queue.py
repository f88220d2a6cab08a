# SPDX-License-Identifier: Apache-2.0
"""Several logins at once on one card: each PIN is sent once, in turn, who wants in before who
wants rights; and who waits long is told."""
import threading

import attack
import pamclient as pam
import pytest
import station as st

# The card answers slowly, as a real one: a login and the reading after it take seconds.
LATENCY = 60  # milliseconds a command
CONFIG = "[login]\ndeadline = 60s\n"
SERVICES = ("sudo", "su", "kde", "login")
WAITING = "Waiting for the card. Another login is using it."


@pytest.fixture(scope="module")
def station(tmp_path_factory):
    with st.Station(tmp_path_factory.mktemp("station"), config=CONFIG) as running:
        for service in SERVICES:
            st.write_service(service)
        yield running


class Person(attack.Aside):
    """Logs in at a service; the PIN is typed when type() is called."""

    def __init__(self, station, service, pin=st.PIN):
        self.service, self.pin = service, pin
        self.asked, self.typing = threading.Event(), threading.Event()
        super().__init__(lambda: station.login("alice", self.answer, service=service))

    def answer(self):
        self.asked.set()
        assert self.typing.wait(st.PATIENCE)
        return self.pin

    def type(self):
        self.typing.set()


def people(station, *services, **options):
    """They all see their prompt before anybody types."""
    found = [Person(station, service, **options) for service in services]
    for person in found:
        assert person.asked.wait(st.PATIENCE)
    return found


def queued(station, count, since):
    """Until so many PINs wait in hygied."""
    attack.eventually(lambda: station.log()[since:].count("waits for its turn") >= count,
                      "%d in the queue" % count)


def finished(station, since):
    """The services in the order in which hygied answered them."""
    return [line.partition("service=")[2].split(" ")[0]
            for line in station.log()[since:].splitlines() if "audit: authenticate: " in line]


def busy_card(station, card, *services, **options):
    """The first of `services` has the card, which is slow; the others type one after another
    while it works. Returns all, and where the log was."""
    everybody = people(station, *services, **options)
    since = len(station.log())
    card.reset_count()
    card.latency(LATENCY)
    everybody[0].type()
    card.wait_verify()
    for number, person in enumerate(everybody[1:], 1):
        person.type()
        queued(station, number, since)
    return everybody, since


def test_each_pin_is_sent_once_and_all_get_in(station, card):
    everybody, _ = busy_card(station, card, "sudo", "sudo", "kde")
    assert [person.result().code for person in everybody] == [pam.PAM_SUCCESS] * 3
    assert (card.verify_count(), card.tries()) == (3, 3)
    card.latency(0)


def test_who_wants_in_goes_before_who_wants_rights(station, card):
    everybody, since = busy_card(station, card, "su", "sudo", "login", "kde")
    for person in everybody:
        person.result()
    assert finished(station, since) == ["su", "login", "kde", "sudo"]
    card.latency(0)


def test_who_waits_long_is_told_and_who_is_served_is_not(station, card):
    everybody, _ = busy_card(station, card, "sudo", "su")
    assert WAITING not in everybody[0].result().text
    assert WAITING in everybody[1].result().text
    card.latency(0)


def test_wrong_pin_that_blocks_the_card_ends_the_queue_without_another_try(station, alice):
    with station.card(alice, tries=1) as card:
        station.wait_ready()
        everybody, _ = busy_card(station, card, "sudo", "su", "kde", pin="654321")
        assert [person.result().code for person in everybody] == [
            pam.PAM_AUTH_ERR, pam.PAM_MAXTRIES, pam.PAM_MAXTRIES]
        assert card.verify_count() == 1
        card.latency(0)
        card.unblock()
