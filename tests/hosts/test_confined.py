# SPDX-License-Identifier: Apache-2.0
"""Programs that shut themselves in before they log somebody in, as sshd does: in a root
directory without the socket, behind a filter of system calls. They are refused at once, with
the code that lets another module try, and nothing crashes."""
import os
import signal
import subprocess
import sys
import time

import pytest
import station as st
from hosts import (ALL_IGNORED, AUTHINFO_UNAVAIL, SUCCESS, UNAVAILABLE, codes, run, said,
                   write_service)

sys.path[:0] = [str(st.ROOT / "tests" / "login"), str(st.ROOT / "tests" / "pam")]

from fake_hygied import FakeHygied, login  # noqa: E402
from sockets import being  # noqa: E402

PIN = st.PIN
STEPS = ("authenticate", "acct_mgmt", "setcred", "open_session", "close_session")
REFUSED = {"authenticate": AUTHINFO_UNAVAIL, **dict.fromkeys(STEPS[1:], ALL_IGNORED)}
LET_IN = {**REFUSED, **dict.fromkeys(("authenticate", "acct_mgmt", "setcred"), SUCCESS)}
AT_ONCE = 5  # seconds: far below any deadline


@pytest.fixture(autouse=True)
def service(station):
    return write_service()


@pytest.fixture
def jail(tmp_path):
    """An empty root directory."""
    folder = tmp_path / "jail"
    folder.mkdir(mode=0o755)
    return folder


def confined(service, *words, **options):
    began = time.monotonic()
    lines = run("host-confined", service, "alice", PIN, *words, **options)
    assert time.monotonic() - began < AT_ONCE
    return lines


def check_refused(lines, card):
    assert codes(lines) == REFUSED
    assert said(lines) == [UNAVAILABLE]
    assert card.verify_count() == 0


# In another root directory


def test_chroot_without_the_socket(card, service, jail):
    check_refused(confined(service, "chroot:%s" % jail, *STEPS), card)


def test_chroot_of_an_ordinary_user(card, service, jail):
    """sshd's unprivileged child: nothing of this can be undone."""
    check_refused(confined(service, "chroot:%s" % jail, "user:65534", *STEPS), card)


def test_chroot_without_character_sets(card, service, jail, tmp_path):
    """A locale whose conversion would be loaded only now, and cannot."""
    subprocess.run(["localedef", "-i", "ja_JP", "-f", "EUC-JP",
                    str(tmp_path / "ja_JP.EUC-JP")], check=False, capture_output=True)
    lines = confined(service, "chroot:%s" % jail, *STEPS,
                     env={"LOCPATH": str(tmp_path), "LC_ALL": "ja_JP.EUC-JP"})
    check_refused(lines, card)


@pytest.mark.parametrize("there", [True, False])
def test_chroot_with_the_socket_in_it(card, service, jail, there):
    """The control: it is the socket that is missed, nothing else."""
    (jail / "run" / "hygie").mkdir(parents=True)
    if there:
        subprocess.run(["mount", "--bind", "/run/hygie", str(jail / "run" / "hygie")], check=True)
    lines = confined(service, "chroot:%s" % jail, "authenticate", "acct_mgmt")
    if there:
        subprocess.run(["umount", str(jail / "run" / "hygie")], check=True)
        assert codes(lines) == {"authenticate": SUCCESS, "acct_mgmt": SUCCESS}
    else:
        assert codes(lines) == {"authenticate": AUTHINFO_UNAVAIL, "acct_mgmt": ALL_IGNORED}


@pytest.mark.parametrize("owner", ["mallory", "root"])
def test_chroot_with_somebodys_socket_in_it(card, service, jail, owner):
    """A socket where a user put it is told no PIN; root's, the control, is."""
    folder = jail / "run" / "hygie"
    folder.mkdir(parents=True)
    os.chown(folder, st.add_user(owner), -1)
    for parent in jail.parents:
        if parent.owner() == "root" and parent != parent.parent:
            parent.chmod(parent.stat().st_mode | 0o055)
    with being(owner):
        fake = FakeHygied(folder / "hygied.sock", login(PIN.encode(), "alice"))
        fake.__enter__()
    try:
        lines = confined(service, "chroot:%s" % jail, "authenticate")
    finally:
        fake.__exit__(None, None, None)
    assert codes(lines) == {"authenticate": SUCCESS if owner == "root" else AUTHINFO_UNAVAIL}
    assert [dialogue.received for dialogue in fake.dialogues if dialogue.received] == [] \
        or owner == "root"


def test_chroot_after_the_login(station, card, service, jail):
    """The session of who was let in opens, and ends; it is not bound to the card."""
    lines = confined(service, "authenticate", "chroot:%s" % jail, *STEPS[1:])
    assert codes(lines) == LET_IN
    station.wait_ready()


# Behind a filter of system calls


@pytest.mark.parametrize("error", ["EACCES", "EPERM", "ENOSYS", "EAFNOSUPPORT"])
def test_no_socket_to_be_had(card, service, error):
    """By a filter, or a unit's RestrictAddressFamilies= (EAFNOSUPPORT)."""
    check_refused(confined(service, "sockets:%s" % error, *STEPS), card)


@pytest.mark.parametrize("error", ["EACCES", "EPERM", "ENOSYS"])
@pytest.mark.parametrize("locale", ["C", "C.UTF-8"])
def test_nothing_but_computing_is_allowed(card, service, error, locale):
    """No socket, no file, no locked memory, as in sshd's child before authentication."""
    check_refused(confined(service, "filter:%s" % error, *STEPS, env={"LC_ALL": locale}), card)


def test_filter_that_kills_kills(card, service):
    """As any module that needs a socket. Nobody is let in by it."""
    lines = confined(service, "sockets:KILL", "authenticate", status=-signal.SIGSYS)
    assert codes(lines) == {} and card.verify_count() == 0


def test_sshds_child_in_full(card, service, jail):
    check_refused(confined(service, "chroot:%s" % jail, "user:65534", "filter:EACCES", *STEPS),
                  card)


def test_filter_after_the_login(station, card, service):
    lines = confined(service, "authenticate", "filter:EPERM", *STEPS[1:])
    assert codes(lines) == LET_IN
    station.wait_ready()
