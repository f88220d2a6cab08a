# SPDX-License-Identifier: Apache-2.0
"""The n-th allocation or system call of our own code fails, for every n of a login, in the
daemon, in the helper and in the PAM module: never a success that is none, never a hang.

Two cards at each n: the right one, whose login may only succeed where what failed does not
matter for it (those calls are listed), and a clone, which must never get in.
"""
import mmap
import os
import pathlib
import shutil
import struct
import sys

import pytest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))

import station as st  # noqa: E402

import pamclient as pam  # noqa: E402
import pivcard  # noqa: E402

PAGE = pathlib.Path("/run/hygie-fault")
LAYOUT = struct.Struct("=IIIII64s")
BUILT = st.ROOT / os.environ.get("BUILD", "build") / "fault"
WHO = {"hygied": 1, "hygie-token": 2, "pam_hygie": 3}
NEVER = 1 << 30
DEADLINE = 3  # seconds after the PIN, by configuration

# A login may well succeed when one of these fails: nothing rests on them.
HARMLESS = {
    "hygied": {
        "accept4",  # the connection stays in the queue, and is taken the next time round
        "poll", "write",  # a log line
        "sqlite3_reset",  # it tells of the step before, which was checked
        "pidfd_send_signal",  # the helper ends by itself as well
    },
    "hygie-token": set(),
    "pam_hygie": set(),
}


class Fault:
    """The page that the programs look at; see fault.c."""

    def __init__(self):
        PAGE.write_bytes(bytes(4096))
        PAGE.chmod(0o600)
        with open(PAGE, "r+b") as file:
            self.page = mmap.mmap(file.fileno(), 4096)

    def arm(self, who, turn):
        LAYOUT.pack_into(self.page, 0, 0, WHO[who], turn, 0, 0, b"")
        struct.pack_into("=I", self.page, 0, 1)

    def disarm(self):
        """Returns (calls that were counted, the name of the one that failed or None)."""
        struct.pack_into("=I", self.page, 0, 0)
        _, _, _, calls, fired, name = LAYOUT.unpack_from(self.page, 0)
        return calls, name.rstrip(b"\0").decode() if fired else None


@pytest.fixture(scope="module")
def fault():
    page = Fault()
    shutil.copy(BUILT / "hygied", "/usr/sbin/hygied")
    shutil.copy(BUILT / "hygie-token", "/usr/libexec/hygie/hygie-token")
    (module,) = pathlib.Path("/usr/lib").glob("*/security/pam_hygie.so")
    shutil.copy(BUILT / "pam_hygie.so", module)
    return page


@pytest.fixture(scope="module")
def station(fault, tmp_path_factory):
    config = "[login]\ndeadline = %ds\nwarm_deadline = 10s\nbusy_deadline = 2s\ncard_wait = 1s\n"
    with st.Station(tmp_path_factory.mktemp("fault"), config % DEADLINE) as running:
        yield running


@pytest.fixture(scope="module")
def cards(station):
    """The directories of the right card, enrolled, and of its clone."""
    right = station.make_card("alice")
    with station.card(right):
        station.wait_ready()
        station.enrol("alice")
    clone = pivcard.make_card(station.home / "clone", {"9a": station.keys.key("rsa2048", "thief")},
                              station.keys, pin=st.PIN,
                              certificates={"9a": right / "9a.crt"})
    return {"right": right, "clone": clone}


def make_ready(station):
    """The next login starts from a daemon that lives and a card that is read."""
    if station.hygied.poll() is not None:
        raise AssertionError("hygied ended with %s: %s" % (station.hygied.returncode,
                                                           station.log()[-3000:]))
    for reader in station.wait_readers(lambda readers: any(
            reader["state"] in ("ready", "unreadable") for reader in readers)):
        if reader["state"] == "unreadable":
            # Whoever waits for a card makes it read again: so does this, which gives up.
            station.login("alice", None)
    station.wait_ready()


def one_login(station, fault, who, turn):
    make_ready(station)
    fault.arm(who, turn)
    result = station.login("alice", st.PIN)
    calls, name = fault.disarm()
    return result, calls, name


@pytest.mark.parametrize("who", WHO)
@pytest.mark.parametrize("kind", ["right", "clone"])
def test_nth_failure_never_lets_anybody_in_and_never_hangs(station, cards, fault, who, kind):
    outcomes, slowest = [], 0.0
    with station.card(cards[kind]):
        result, total, _ = one_login(station, fault, who, NEVER)
        assert (result.code == pam.PAM_SUCCESS) == (kind == "right")
        assert total > 10
        for turn in range(1, total + 4):
            result, _, name = one_login(station, fault, who, turn)
            outcomes.append((turn, name, result.code))
            slowest = max(slowest, result.seconds)
        assert slowest < DEADLINE + 4
        make_ready(station)
        assert (station.login("alice", st.PIN).code == pam.PAM_SUCCESS) == (kind == "right")
    assert pam.PAM_IGNORE not in [code for _, _, code in outcomes]
    successes = [(turn, name) for turn, name, code in outcomes if code == pam.PAM_SUCCESS]
    if kind == "clone":
        assert not successes
    # A login that made fewer calls than the first had none fail: it has no name.
    # What fails after the last call that mattered, the sending of the result, is too late.
    last = max(turn for turn, name, code in outcomes if name and code != pam.PAM_SUCCESS)
    assert not [(turn, name) for turn, name in successes
                if name and turn < last and name not in HARMLESS[who]]
