# SPDX-License-Identifier: Apache-2.0
"""hygied dies in the middle of a dialogue with a program that left SIGPIPE as it is, which
would end it. The program lives on, is told, and logs in when hygied is back."""
import os
import signal

import pytest
import station as st
from hosts import (ALL_IGNORED, AUTHINFO_UNAVAIL, SUCCESS, UNAVAILABLE, application, codes,
                   finish, program, said, started, wait_for_reader, write_service, write_when_read)

PIN = st.PIN


@pytest.fixture(autouse=True)
def service(station):
    return write_service()


@pytest.fixture
def again(station):
    """hygied is back after the test, whatever became of it."""
    yield
    station.stop_hygied()
    station.start_hygied()


@pytest.fixture
def fifos(tmp_path):
    paths = [str(tmp_path / name) for name in ("told", "go")]
    for path in paths:
        os.mkfifo(path)
    return paths


def check_refused_alive(process):
    status, lines = finish(process)
    assert status == 0  # -13: SIGPIPE
    assert codes(lines) == {"authenticate": AUTHINFO_UNAVAIL}
    assert said(lines)[-1] == UNAVAILABLE


def logs_in(station):
    station.start_hygied()
    station.wait_ready()
    assert codes(application("authenticate", options=["--answer", PIN])) == {
        "authenticate": SUCCESS}


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGTERM])
def test_killed_while_the_person_types(station, card, fifos, again, how):
    with started("pam_application", "--answer", PIN, "--fifo", fifos[1], "/etc/pam.d",
                 "hygie-host", "alice", "authenticate") as process:
        writer = wait_for_reader(fifos[1])
        station.stop_hygied(how)
        os.write(writer, b"x")
        os.close(writer)
        check_refused_alive(process)
    assert card.verify_count() == 0
    logs_in(station)


@pytest.mark.parametrize("number,what", [(1, "the request"), (2, "the PIN")])
def test_killed_as_a_message_is_about_to_go(station, card, fifos, again, number, what):
    """When the module has looked for the last time and found all well."""
    told, go = fifos
    environment = {"LD_PRELOAD": program("host-gap.so"), "GAP_SEND": str(number),
                   "GAP_TOLD": told, "GAP_GO": go}
    with started("pam_application", "--answer", PIN, "/etc/pam.d", "hygie-host", "alice",
                 "authenticate", env=environment) as process:
        with open(told, "rb") as waiting:
            assert waiting.read() == b""
        station.stop_hygied(signal.SIGKILL)
        write_when_read(go)
        check_refused_alive(process)
    assert card.verify_count() == 0
    logs_in(station)


def test_killed_while_the_card_works(station, card, again):
    card.silent_at(3)
    with started("pam_application", "--answer", PIN, "/etc/pam.d", "hygie-host", "alice",
                 "authenticate") as process:
        card.wait_silent()
        station.stop_hygied(signal.SIGKILL)
        check_refused_alive(process)
    card.speak()
    logs_in(station)


def test_killed_as_the_session_is_about_to_open(station, card, fifos, again):
    """Passed over, as with a daemon that is down: who was let in is not kept out by it."""
    told, go = fifos
    environment = {"LD_PRELOAD": program("host-gap.so"), "GAP_SEND": "3", "GAP_TOLD": told,
                   "GAP_GO": go}
    with started("pam_application", "--answer", PIN, "/etc/pam.d", "hygie-host", "alice",
                 "authenticate", "open_session", "acct_mgmt", "close_session", "env",
                 env=environment) as process:
        with open(told, "rb") as waiting:
            assert waiting.read() == b""
        station.stop_hygied(signal.SIGKILL)
        write_when_read(go)
        status, lines = finish(process)
    assert status == 0
    assert codes(lines) == {"authenticate": SUCCESS, "open_session": ALL_IGNORED,
                            "acct_mgmt": SUCCESS, "close_session": ALL_IGNORED}
    assert not [line for line in lines if "TICKET" in line]
    logs_in(station)
