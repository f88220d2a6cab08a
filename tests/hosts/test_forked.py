# SPDX-License-Identifier: Apache-2.0
"""Programs that do the parts of a login in several processes: what is in the PAM environment
goes along, what is on the handle goes where a copy of the handle goes, and the ticket opens
one session, whoever hands it in first."""
import pytest
import station as st
from hosts import (ALL_IGNORED, AUTH_ERR, SESSION_ERR, SUCCESS, codes, run, write_service)

PIN = st.PIN


@pytest.fixture(autouse=True)
def service(station):
    return write_service()


def audits(station, what, since):
    return [line for line in station.log()[since:].splitlines() if "audit: " + what in line]


def test_child_authenticates_and_the_parent_opens_the_session(station, card, service):
    """As sshd: the parent's handle knows nothing of the login but the environment."""
    since = len(station.log())
    lines = run("host-forked", "apart", service, "alice", PIN)
    assert codes(lines, "child: ") == {"authenticate": SUCCESS, "acct_mgmt": SUCCESS}
    assert codes(lines, "parent: ") == {"acct_mgmt": ALL_IGNORED, "setcred": SUCCESS,
                                        "open_session": SUCCESS, "close_session": SUCCESS}
    assert [line for line in lines if "ticket" in line] == ["parent: ticket yes",
                                                           "parent: ticket no"]
    assert "ended 0" in lines
    opened, = audits(station, "open-session: ok", since)
    assert "user=alice" in opened
    assert len(audits(station, "close-session: ok", since)) == 1


def test_child_that_is_refused_gives_the_parent_nothing(station, card, service):
    since = len(station.log())
    lines = run("host-forked", "apart", service, "alice", "x" + PIN)
    assert codes(lines, "child: ") == {"authenticate": AUTH_ERR, "acct_mgmt": ALL_IGNORED}
    assert codes(lines, "parent: ") == {"acct_mgmt": ALL_IGNORED, "setcred": SUCCESS,
                                        "open_session": ALL_IGNORED, "close_session": ALL_IGNORED}
    assert [line for line in lines if "ticket" in line] == ["parent: ticket no"] * 2
    assert not audits(station, "open-session", since)


def test_child_with_a_copy_of_the_handle_does_the_rest(station, card, service):
    """And the parent, which has a copy of the ticket too, opens nothing with it."""
    since = len(station.log())
    lines = run("host-forked", "worker", service, "alice", PIN)
    assert "authenticate 0" in lines and "ended 0" in lines
    assert codes(lines, "child: ") == dict.fromkeys(
        ("acct_mgmt", "setcred", "open_session", "close_session"), SUCCESS)
    assert codes(lines, "parent: ") == {"acct_mgmt": SUCCESS, "open_session": SESSION_ERR}
    assert "parent: ticket no" in lines
    assert len(audits(station, "open-session: ok", since)) == 1
    assert len(audits(station, "open-session: not-found", since)) == 1
