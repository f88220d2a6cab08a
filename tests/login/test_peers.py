# SPDX-License-Identifier: Apache-2.0
"""[peers]: a service that runs PAM under an account of its own, as PostgreSQL does, names
users of one group and is believed for them alone."""
import grp
import pathlib
import pwd
import subprocess
import sys

import pytest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))

import pamclient as pam  # noqa: E402
import station as st  # noqa: E402

SERVICE_USER, OTHER_SERVICE, GROUP = "records-db", "other-db", "records-users"
CONFIG = "[peers]\n%s = %s\n%s = no-such-group\n" % (SERVICE_USER, GROUP, OTHER_SERVICE)


@pytest.fixture(scope="module")
def station(tmp_path_factory):
    """Alice is a member of the group, Bob is not, and both have a card."""
    subprocess.run(["groupadd", GROUP], check=True)
    for name in (SERVICE_USER, OTHER_SERVICE, "alice", "bob"):
        st.add_user(name)
    subprocess.run(["usermod", "-aG", GROUP, "alice"], check=True)
    with st.Station(tmp_path_factory.mktemp("station"), CONFIG) as running:
        running.contents = {name: running.make_card(name) for name in ("alice", "bob")}
        for name, content in running.contents.items():
            with running.card(content):
                running.wait_ready()
                running.enrol(name)
        yield running


def uid_of(name):
    return pwd.getpwnam(name).pw_uid


@pytest.fixture
def alices(station):
    with station.card(station.contents["alice"]) as card:
        station.wait_ready()
        card.reset_count()
        yield card


def test_service_authenticates_a_member_of_its_group(station, alices):
    result = station.login("alice", st.PIN, uid=uid_of(SERVICE_USER))
    assert result.code == pam.PAM_SUCCESS
    station.wait_ready()
    result = station.login("alice", "654321", uid=uid_of(SERVICE_USER))
    assert result.code == pam.PAM_AUTH_ERR and "Wrong PIN" in result.text


def test_service_may_not_ask_for_others_than_its_group(station):
    with station.card(station.contents["bob"]) as card:
        station.wait_ready()
        card.reset_count()
        for user in ("bob", "root", "nobody-of-that-name"):
            result = station.login(user, "654321", uid=uid_of(SERVICE_USER))
            assert (result.code, result.prompts()) == (pam.PAM_AUTH_ERR, []), (user, result)
            assert "not allowed" in result.text
        assert (card.verify_count(), card.tries()) == (0, 3)


def test_member_whose_card_is_not_in_cannot_be_named_with_anothers(station):
    with station.card(station.contents["bob"]) as card:
        station.wait_ready()
        card.reset_count()
        result = station.login("alice", "654321", uid=uid_of(SERVICE_USER))
        assert (result.code, result.prompts()) == (pam.PAM_AUTH_ERR, [])
        assert "another user" in result.text
        assert card.verify_count() == 0


def test_service_must_name_the_user(station, alices):
    """Without a name a peer means itself, and has no card."""
    result = station.login(None, "654321", uid=uid_of(SERVICE_USER))
    assert result.code in (pam.PAM_USER_UNKNOWN, pam.PAM_AUTH_ERR)
    assert (result.prompts(), alices.verify_count()) == ([], 0)


@pytest.mark.parametrize("peer", [OTHER_SERVICE, "mallory", "hygie-token", "nobody"])
def test_other_accounts_are_not_believed(station, alices, peer):
    result = station.login("alice", "654321", uid=uid_of(peer))
    assert (result.code, result.prompts()) == (pam.PAM_AUTH_ERR, [])
    assert alices.verify_count() == 0


def test_peer_may_do_nothing_else(station, alices):
    for words in (("enroll", "alice", "--pin-stdin"), ("revoke", "--user", "alice")):
        status, _, _ = station.run(*words, uid=uid_of(SERVICE_USER), pin="654321", check=False)
        assert status == 6
    assert alices.verify_count() == 0
    assert station.login("alice", st.PIN).code == pam.PAM_SUCCESS


def test_who_leaves_the_group_is_refused_at_once(station, alices):
    subprocess.run(["gpasswd", "-d", "alice", GROUP], check=True, stdout=subprocess.DEVNULL)
    try:
        assert "alice" not in grp.getgrnam(GROUP).gr_mem
        result = station.login("alice", "654321", uid=uid_of(SERVICE_USER))
        assert (result.code, result.prompts()) == (pam.PAM_AUTH_ERR, [])
    finally:
        subprocess.run(["usermod", "-aG", GROUP, "alice"], check=True)
    assert station.login("alice", st.PIN, uid=uid_of(SERVICE_USER)).code == pam.PAM_SUCCESS


def test_roots_group_membership_lends_root_to_nobody(station, alices):
    subprocess.run(["usermod", "-aG", GROUP, "root"], check=True)
    try:
        result = station.login("root", "654321", uid=uid_of(SERVICE_USER))
        assert (result.code, result.prompts()) == (pam.PAM_AUTH_ERR, [])
        assert "not allowed" in result.text
    finally:
        subprocess.run(["gpasswd", "-d", "root", GROUP], check=True, stdout=subprocess.DEVNULL)
