# SPDX-License-Identifier: Apache-2.0
"""What the attacks on a login share: rivals on the reader, OpenSC as others use it, and what
must hold after every attack."""
import contextlib
import ctypes
import os
import pathlib
import subprocess
import threading
import time

import pamclient as pam
import pivcard
import pivclient
import scard
import station as st

DIGEST = bytes(range(32))
DEADLINE = 3.0  # [login] deadline of these tests
MARGIN = 3.0  # for a loaded machine; far below any deadline that would otherwise end it
CONFIG = "[login]\ndeadline = 3s\nbusy_deadline = 1s\n"
RIVAL = os.environ.get("LOGIN_RIVAL") or str(st.ROOT / "build" / "tests" / "login-rival")
OPENSC = "/usr/lib/x86_64-linux-gnu/opensc-pkcs11.so"


def use_key(card):
    """9A without any VERIFY, RSA-2048. Returns the status word."""
    return pivclient.authenticate(card, "9a", "rsa2048", pivclient.pkcs1_block(DIGEST))[1]


def refused(result):
    """The one thing that no attack may bring about, in whatever way it ends."""
    return result.code not in (pam.PAM_SUCCESS, pam.PAM_IGNORE)


def audited(station, reason, since=0):
    """Whether hygied's log names the reason in an audit line after byte `since`."""
    return any(line for line in station.log()[since:].splitlines()
               if "audit: authenticate: " + reason in line)


def helpers():
    """The pids of the hygie-token processes that are alive."""
    found = []
    for entry in pathlib.Path("/proc").iterdir():
        with contextlib.suppress(OSError):
            if entry.name.isdigit() and (entry / "comm").read_text() == "hygie-token\n" and \
                    (entry / "stat").read_text().rsplit(") ", 1)[1][0] != "Z":
                found.append(int(entry.name))
    return found


def descriptors(pid):
    return len(list(pathlib.Path("/proc", str(pid), "fd").iterdir()))


def threads(pid):
    return len(list(pathlib.Path("/proc", str(pid), "task").iterdir()))


def eventually(condition, what, timeout=st.PATIENCE):
    """Until condition() holds; for what no event tells."""
    deadline = time.monotonic() + timeout
    while time.monotonic() < deadline:
        value = condition()
        if value:
            return value
        time.sleep(0.005)
    raise AssertionError("not in time: " + what)


def works_again(station, card):
    """The proof that an attack left nothing behind: the holder logs in with one VERIFY."""
    card.clear_faults()
    card.unblock()
    station.wait_ready()
    card.reset_count()
    result = station.login("alice", st.PIN)
    assert result.code == pam.PAM_SUCCESS, (result, station.log()[-1500:])
    assert (card.verify_count(), card.misdirected_count()) == (1, 0)


class Aside:
    """Runs a function in a thread; `result()` waits for it and gives what it returned."""

    def __init__(self, function, *arguments):
        self._value = self._error = None
        self._thread = threading.Thread(target=self._run, args=(function, arguments), daemon=True)
        self._thread.start()

    def _run(self, function, arguments):
        try:
            self._value = function(*arguments)
        except BaseException as error:  # pylint: disable=broad-except
            self._error = error

    def result(self, timeout=st.PATIENCE):
        self._thread.join(timeout)
        assert not self._thread.is_alive(), "it did not come back"
        if self._error:
            raise self._error
        return self._value


class Repeated:
    """Repeats a function in a thread while the block runs; PC/SC errors are part of it."""

    def __init__(self, function):
        self._function, self._stop = function, threading.Event()
        self.count = 0

    def stopping(self):
        return self._stop.is_set()

    def __enter__(self):
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()
        return self

    def _run(self):
        while not self._stop.is_set():
            with contextlib.suppress(scard.SCardError):
                self._function()
                self.count += 1

    def __exit__(self, *_):
        self._stop.set()
        self._thread.join(20)


class Rude:
    """login-rival: see rival.c."""

    def __init__(self, reader, connections, mode, apdu=b""):
        self._process = subprocess.Popen([RIVAL, reader, str(connections), mode, apdu.hex()],
                                         stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        assert self._process.stdout.readline() == "ready\n"

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self._process.stdin.close()
        self._process.stdout.close()
        self._process.wait(10)

    def counts(self):
        """(the card did it, the card refused, pcscd refused)"""
        self._process.stdin.write("?\n")
        self._process.stdin.flush()
        return tuple(map(int, self._process.stdout.readline().split()))


class OpenSC:
    """OpenSC's module with its own defaults, as any program loads it: the open set-up."""

    def __init__(self):
        self._lib = ctypes.CDLL(OPENSC)
        self._session = ctypes.c_ulong()

    def __enter__(self):
        self._call("C_Initialize", None)
        slots, count = (ctypes.c_ulong * 16)(), ctypes.c_ulong(16)
        self._call("C_GetSlotList", ctypes.c_ubyte(1), slots, ctypes.byref(count))
        self._call("C_OpenSession", ctypes.c_ulong(slots[0]), ctypes.c_ulong(4), None, None,
                   ctypes.byref(self._session))
        return self

    def __exit__(self, *_):
        self._lib.C_Finalize(None)

    def _call(self, name, *arguments):
        rv = getattr(self._lib, name)(*arguments)
        assert rv == 0, "%s: 0x%x" % (name, rv)

    def login(self, pin=st.PIN):
        """Returns the CK_RV."""
        return self._lib.C_Login(self._session, ctypes.c_ulong(1), pin.encode(),
                                 ctypes.c_ulong(len(pin)))


def open_card(station, content, atr=None):
    """A card whose reader hygied does not watch meanwhile, for controls on other set-ups."""
    @contextlib.contextmanager
    def block():
        station.stop_hygied()
        try:
            with pivcard.PivCard(content, atr=atr) as card, scard.Context() as pcsc:
                pcsc.wait_card()
                yield card
            with scard.Context() as pcsc:
                pcsc.wait_no_card()
        finally:
            station.log_path.unlink()
            station.start_hygied()
    return block()
