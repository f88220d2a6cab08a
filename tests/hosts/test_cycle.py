# SPDX-License-Identifier: Apache-2.0
"""A program that lives long: the module is loaded, asked and unloaded a thousand times, in
each way that a login may go, and nothing is left behind each time. Once under valgrind."""
import os
import re
import signal
import time

import pytest
import station as st
from hosts import (AUTH_ERR, AUTHINFO_UNAVAIL, BUILD, CONV_ERR, MODULE, SUCCESS, USER_UNKNOWN,
                   run, write_service)

PIN = st.PIN
WRONG = "x" + PIN  # asked for, answered, and not sent to the card
TIMES = 1000
LOGINS = 100  # fewer: the card works each time
FEW = 90  # under valgrind, which takes a minute and more for a thousand
WATCHED = TIMES if os.environ.get("SANITIZE_KIND") == "valgrind" else FEW
# Each byte then counts: nothing that was freed is kept for the next time.
NO_CACHES = {"GLIBC_TUNABLES": "glibc.malloc.tcache_count=0:glibc.malloc.mxfast=0"}
HEAP_MOST, PAGES_MOST = 0, 16  # as many as the kernel may hand out at once
MEMCHECK = ["valgrind", "--leak-check=full", "--show-leak-kinds=definite,possible",
            "--errors-for-leak-kinds=definite,possible", "--error-exitcode=99", "--vgdb=no",
            "--keep-debuginfo=yes", "--num-callers=20",
            "--suppressions=%s" % (st.ROOT / "tests" / "sanitize" / "foreign.supp")]
LEAKING = BUILD / "tests" / "host-leak.so"


@pytest.fixture(autouse=True)
def service(station):
    return write_service()


def cycle(times, *words, module=MODULE, **options):
    """({code: how often}, [growth of descriptors, mappings, heap, pages in the second half])."""
    lines = run("host-cycle", times, module, "hygie-host", *words, env=NO_CACHES, **options)
    seen = {int(code): int(count) for code, count in
            (line.split()[1:] for line in lines if line.startswith("code "))}
    grown, = [[int(word) for word in line.split()[1:]] for line in lines
              if line.startswith("grown ")]
    return seen, grown


def check_nothing_left(grown):
    descriptors, mappings, heap, pages = grown
    assert descriptors == 0 and mappings <= 0, grown
    assert heap <= HEAP_MOST and pages <= PAGES_MOST, grown


@pytest.mark.parametrize("user,answer,code", [
    ("alice", WRONG, AUTH_ERR), ("alice", "", CONV_ERR), ("mallory", PIN, USER_UNKNOWN)])
def test_thousand_refusals_leave_nothing(station, card, user, answer, code):
    seen, grown = cycle(TIMES, user, answer)
    assert seen == {code: TIMES}
    check_nothing_left(grown)
    assert card.verify_count() == 0


def test_logins_leave_nothing(station, card):
    seen, grown = cycle(LOGINS, "alice", PIN)
    assert seen == {SUCCESS: LOGINS}
    check_nothing_left(grown)


def test_thousand_calls_without_hygied_leave_nothing(station):
    station.stop_hygied(signal.SIGTERM)
    try:
        seen, grown = cycle(TIMES, "alice", PIN)
    finally:
        station.start_hygied()
    assert seen == {AUTHINFO_UNAVAIL: TIMES}
    check_nothing_left(grown)


def test_hygied_keeps_nothing_of_them_either(station, card):
    def look():
        station.wait_rest()
        return sorted(os.readlink("/proc/%d/fd/%s" % (station.hygied.pid, name)).split(":")[0]
                      for name in os.listdir("/proc/%d/fd" % station.hygied.pid))

    cycle(1, "alice", WRONG)  # with it come hygied's own, if it was started just now
    before = look()
    cycle(100, "alice", WRONG)
    deadline = time.monotonic() + 5
    while time.monotonic() < deadline and look() != before:
        pass
    assert look() == before


# What valgrind sees


def watched(tmp_path, times, *words, status=0, **options):
    log = tmp_path / "valgrind.log"
    seen, _ = cycle(times, *words, prefix=[*MEMCHECK, "--log-file=%s" % log], status=status,
                    timeout=1400, **options)
    return seen, log.read_text()


def test_valgrind_finds_no_leak_and_no_stray_byte(station, card, tmp_path):
    """In refusals after a prompt and before one, and in logins."""
    seen, report = watched(tmp_path, WATCHED, "alice", WRONG, "mallory", PIN, "alice", PIN)
    assert set(seen) == {AUTH_ERR, USER_UNKNOWN, SUCCESS} and min(seen.values()) == WATCHED // 3
    assert "ERROR SUMMARY: 0 errors" in report, report


def test_control_a_module_that_leaks_is_found_by_both(station, tmp_path):
    """A few bytes and a descriptor each time, as a slip would."""
    write_service(str(LEAKING))
    seen, grown = cycle(TIMES, "alice", PIN, module=str(LEAKING))
    assert seen == {AUTH_ERR: TIMES}
    assert grown[0] == TIMES // 2 and grown[2] > HEAP_MOST
    _, report = watched(tmp_path, FEW, "alice", PIN, status=99, module=str(LEAKING))
    assert re.search(r"definitely lost: [1-9]", report)
