# SPDX-License-Identifier: Apache-2.0
"""Processes in a state that few expect, against a whole station: children ignored, thousands
of descriptors or none left, no standard streams, setuid. Each login is a real one."""
import shutil

import pytest
import station as st
from hosts import (ALL_IGNORED, AUTH_ERR, SUCCESS, SYSTEM_ERR, application, codes, program, run,
                   said, write_service)

PIN = st.PIN
WHOLE = {"authenticate": SUCCESS, "acct_mgmt": SUCCESS, "open_session": SUCCESS,
         "close_session": SUCCESS}


@pytest.fixture(autouse=True)
def service(station):
    return write_service()


@pytest.mark.parametrize("children", ["ignored", "counted"])
def test_login_leaves_the_process_as_it_was_and_no_child(card, service, children):
    """SIGCHLD, SIGPIPE and all other signals, limits, descriptors, threads, environment ..."""
    lines = run("host-kept", children, service, "alice", PIN)
    assert {step: codes(lines).get(step) for step in WHOLE} == WHOLE
    assert not [line for line in lines if line.startswith("changed")]
    assert "children 0" in lines


def test_four_thousand_open_descriptors(station, card):
    """More than select() can count."""
    for _ in range(3):
        station.wait_ready()
        lines = application("authenticate", "acct_mgmt",
                            options=["--descriptors", "4000", "--answer", PIN])
        assert codes(lines) == {"authenticate": SUCCESS, "acct_mgmt": SUCCESS}


@pytest.mark.parametrize("free", ["3999", "1,3999", "0,1,2,3999"])
def test_one_free_descriptor_above_the_standard_streams_is_enough(card, service, free):
    lines = run("host-tight", 4000, free, service, "alice", PIN)
    assert codes(lines)["authenticate"] == SUCCESS


@pytest.mark.parametrize("free", ["", "0", "0,1,2"])
def test_no_free_descriptor_is_a_refusal_that_is_told(card, service, free):
    """A standard stream's number does not count: the program may print there."""
    lines = run("host-tight", 4000, free, service, "alice", PIN)
    assert codes(lines)["authenticate"] == SYSTEM_ERR
    assert codes(lines)["acct_mgmt"] in (SYSTEM_ERR, ALL_IGNORED)  # libpam wants one for audit
    assert [style for style, _ in said(lines)] == ["error"]
    assert card.verify_count() == 0


def test_closed_standard_streams(card):
    """The program writes to 0, 1 and 2 at each prompt, open or not: hygied hears none of it."""
    lines = application("authenticate", "acct_mgmt", options=["--close-stdio", "--answer", PIN])
    assert codes(lines) == {"authenticate": SUCCESS, "acct_mgmt": SUCCESS}


def test_what_other_threads_print_never_reaches_hygied(card):
    """A thread that prints while the socket is connected, to a stream that was closed."""
    lines = application("authenticate", options=["--close-stdio", "--answer", PIN],
                        env={"LD_PRELOAD": program("host-gap.so"), "GAP_PRINT": "1"})
    assert codes(lines) == {"authenticate": SUCCESS}


@pytest.mark.parametrize("answer,code", [(PIN, SUCCESS), ("x" + PIN, AUTH_ERR),
                                         (PIN * 40, AUTH_ERR)])
def test_pin_goes_to_no_stream(station, card, service, tmp_path, answer, code):
    write_service("pam_hygie.so debug", name=service)
    with open(tmp_path / "stderr", "w+b") as stderr:
        lines = run("host-kept", "ignored", service, "alice", answer, stderr=stderr)
        stderr.seek(0)
        assert stderr.read() == b""
    assert codes(lines)["authenticate"] == code
    assert not [line for line in lines if PIN in line]


# A program that is root's whoever runs it


@pytest.fixture
def setuid(tmp_path):
    tmp_path.chmod(0o755)
    for parent in tmp_path.parents[:3]:
        parent.chmod(0o755)
    path = tmp_path / "setuid"
    shutil.copy(st.ROOT / "build" / "tests" / "pam_application", path)
    path.chmod(0o4755)
    return path


def poisoned(tmp_path):
    """An environment in which each entry would do harm if it were heeded."""
    return {"LD_PRELOAD": program("host-gap.so"), "GAP_PRINT": "1", "HYGIE_SOCKET": str(tmp_path),
            "LOCPATH": str(tmp_path), "LANGUAGE": "../../..%s" % tmp_path,
            "NLSPATH": str(tmp_path), "GCONV_PATH": str(tmp_path), "LC_ALL": "bogus",
            "TMPDIR": str(tmp_path / "nowhere"), "HOME": str(tmp_path)}


def test_setuid_program_is_roots_peer_whoever_runs_it(station, card, setuid, tmp_path):
    """Its real uid does not show to hygied, and its caller's environment does nothing."""
    mallory = st.add_user("mallory")
    words = ["--answer", PIN, "/etc/pam.d", "hygie-host", "alice", "authenticate", "acct_mgmt"]
    lines = run(setuid, *words, user=mallory, group=mallory, extra_groups=[],
                env=poisoned(tmp_path))
    assert codes(lines) == {"authenticate": SUCCESS, "acct_mgmt": SUCCESS}
    assert said(lines) == [("hidden", "PIN of Alice Specimen: ")]
    assert "user=alice" in station.log().rpartition("audit: authenticate: ok")[2]


def test_control_the_same_program_without_setuid_is_refused(station, card, setuid):
    mallory = st.add_user("mallory")
    setuid.chmod(0o755)
    lines = run(setuid, "--answer", PIN, "/etc/pam.d", "hygie-host", "alice", "authenticate",
                user=mallory, group=mallory, extra_groups=[])
    assert codes(lines) == {"authenticate": AUTH_ERR}
    assert card.verify_count() == 0
