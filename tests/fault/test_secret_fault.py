# SPDX-License-Identifier: Apache-2.0
"""The n-th allocation or system call of hygied fails while a login secret is made anew, and in a
login that seals it anew, or of pam_hygie.so in a login: the old envelope or the new one, and no
other secret is handed on."""
import pathlib
import sys

import pytest

TESTS = pathlib.Path(__file__).resolve().parents[1]
sys.path[:0] = [str(TESTS), str(TESTS / "login")]

import pamclient as pam  # noqa: E402
import station as st  # noqa: E402
from secretsite import GIVEN, SecretSite, file_of  # noqa: E402
from test_fault import NEVER, Fault, fault, make_ready  # noqa: E402, F401


@pytest.fixture(scope="module")
def site(fault, tmp_path_factory):  # noqa: F811
    made = SecretSite(tmp_path_factory.mktemp("site"), "deadline = 3s\nwarm_deadline = 10s\n")
    try:
        yield made.begin()
    finally:
        made.station.stop()


def enable_with(site, fault, turn):  # noqa: F811
    fault.arm("hygied", turn)
    status, _, _ = site.secret("enable", "alice", "--new", check=False)
    calls, name = fault.disarm()
    assert site.station.hygied.poll() is None, site.station.log()[-3000:]
    return status, calls, name


def test_nth_failure_of_a_new_secret_leaves_the_old_one_or_it(site, fault):  # noqa: F811
    site.clear()
    site.enable()
    status, total, _ = enable_with(site, fault, NEVER)
    assert status == 0 and total > 20
    failed = 0
    for turn in range(1, total + 1):
        before = site.opened("alice")[0]
        status, _, name = enable_with(site, fault, turn)
        after = site.opened("alice")
        assert after, (turn, name)
        if status == 0:
            assert after[0] != before, (turn, name)
            assert site.opened("alice", file_of("alice", "old"))[0] == before, (turn, name)
        failed += status != 0
    assert failed > total // 3
    assert enable_with(site, fault, NEVER)[0] == 0


def login_with(site, fault, turn, who="hygied"):  # noqa: F811
    make_ready(site.station)
    fault.arm(who, turn)
    code, found, _ = site.authenticate("alice", GIVEN, st.PIN)
    calls, name = fault.disarm()
    return code, found, calls, name


def test_nth_failure_of_a_login_that_seals_anew_hands_on_this_secret_or_none(site, fault):  # noqa: F811
    site.clear()
    site.enable()
    site.enrol("alice-two")
    first, secret = file_of("alice").read_bytes(), site.opened("alice")[0]
    given, sealed, total = 0, 0, 1
    with site.card():
        code, found, total, _ = login_with(site, fault, NEVER)
        assert (code, found) == (pam.PAM_SUCCESS, secret) and site.opened("alice-two")[0] == secret
        for turn in range(1, total + 1):
            file_of("alice").write_bytes(first)
            code, found, _, name = login_with(site, fault, turn)
            assert found in ("unset", secret), (turn, name)
            assert found == "unset" or code == pam.PAM_SUCCESS, (turn, name)
            assert site.opened("alice")[0] == secret, (turn, name)
            two = site.opened("alice-two")
            assert two is None or two[0] == secret, (turn, name)
            given, sealed = given + (found == secret), sealed + (two is not None)
    assert 0 < given < total and 0 < sealed < total


def test_nth_failure_of_the_module_hands_on_the_secret_or_nothing(site, fault):  # noqa: F811
    site.clear()
    site.enable()
    secret = site.opened("alice")[0]
    given, passed = 0, 0
    with site.card():
        code, found, total, _ = login_with(site, fault, NEVER, "pam_hygie")
        assert (code, found) == (pam.PAM_SUCCESS, secret)
        for turn in range(1, total + 1):
            code, found, _, name = login_with(site, fault, turn, "pam_hygie")
            assert found in ("unset", secret) and (found == "unset" or code == pam.PAM_SUCCESS), (turn, name)
            given, passed = given + (found == secret), passed + (code == pam.PAM_SUCCESS)
    # To hand it on may fail, and then the login is none the worse for it.
    assert given < passed < total
