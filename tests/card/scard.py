# SPDX-License-Identifier: Apache-2.0
"""PC/SC from Python, straight on libpcsclite: the rival client of the tests.

What another program on the same machine can do to a reader, no more: connect, hold a
transaction, send APDUs, reset, watch. It hides nothing and repeats nothing.

    with Context() as pcsc:
        reader = pcsc.wait_card()
        with pcsc.connect(reader) as card:
            with card.transaction():
                data, sw = card.transmit("00A4040005A000000308")

Every failure is an SCardError with `code` and `name` ("SCARD_W_RESET_CARD").
"""
import contextlib
import ctypes
import time

SHARE_EXCLUSIVE, SHARE_SHARED, SHARE_DIRECT = 1, 2, 3
PROTOCOL_T0, PROTOCOL_T1, PROTOCOL_RAW = 1, 2, 4
PROTOCOL_ANY = PROTOCOL_T0 | PROTOCOL_T1
LEAVE, RESET, UNPOWER, EJECT = 0, 1, 2, 3
STATE_UNAWARE, STATE_CHANGED, STATE_EMPTY, STATE_PRESENT = 0x0, 0x2, 0x10, 0x20
STATE_EXCLUSIVE, STATE_INUSE, STATE_MUTE = 0x80, 0x100, 0x200
INFINITE = 0xFFFFFFFF

ERRORS = {
    0x80100001: "SCARD_F_INTERNAL_ERROR",
    0x80100002: "SCARD_E_CANCELLED",
    0x80100003: "SCARD_E_INVALID_HANDLE",
    0x80100004: "SCARD_E_INVALID_PARAMETER",
    0x80100006: "SCARD_E_NO_MEMORY",
    0x80100008: "SCARD_E_INSUFFICIENT_BUFFER",
    0x80100009: "SCARD_E_UNKNOWN_READER",
    0x8010000A: "SCARD_E_TIMEOUT",
    0x8010000B: "SCARD_E_SHARING_VIOLATION",
    0x8010000C: "SCARD_E_NO_SMARTCARD",
    0x8010000F: "SCARD_E_PROTO_MISMATCH",
    0x80100010: "SCARD_E_NOT_READY",
    0x80100011: "SCARD_E_INVALID_VALUE",
    0x80100013: "SCARD_F_COMM_ERROR",
    0x80100016: "SCARD_E_NOT_TRANSACTED",
    0x80100017: "SCARD_E_READER_UNAVAILABLE",
    0x8010001D: "SCARD_E_NO_SERVICE",
    0x8010001E: "SCARD_E_SERVICE_STOPPED",
    0x8010002E: "SCARD_E_NO_READERS_AVAILABLE",
    0x80100065: "SCARD_W_UNSUPPORTED_CARD",
    0x80100066: "SCARD_W_UNRESPONSIVE_CARD",
    0x80100067: "SCARD_W_UNPOWERED_CARD",
    0x80100068: "SCARD_W_RESET_CARD",
    0x80100069: "SCARD_W_REMOVED_CARD",
    0x8010006A: "SCARD_W_SECURITY_VIOLATION",
}

_DWORD, _LONG, _HANDLE = ctypes.c_ulong, ctypes.c_long, ctypes.c_long


class _ReaderState(ctypes.Structure):
    _fields_ = [
        ("reader", ctypes.c_char_p),
        ("user_data", ctypes.c_void_p),
        ("current", _DWORD),
        ("event", _DWORD),
        ("atr_len", _DWORD),
        ("atr", ctypes.c_ubyte * 33),
    ]


class _IoRequest(ctypes.Structure):
    _fields_ = [("protocol", ctypes.c_ulong), ("length", ctypes.c_ulong)]


def _load():
    lib = ctypes.CDLL("libpcsclite.so.1")
    pointer = ctypes.POINTER
    signatures = {
        "SCardEstablishContext": [_DWORD, ctypes.c_void_p, ctypes.c_void_p, pointer(_HANDLE)],
        "SCardReleaseContext": [_HANDLE],
        "SCardListReaders": [_HANDLE, ctypes.c_char_p, ctypes.c_char_p, pointer(_DWORD)],
        "SCardGetStatusChange": [_HANDLE, _DWORD, pointer(_ReaderState), _DWORD],
        "SCardCancel": [_HANDLE],
        "SCardConnect": [_HANDLE, ctypes.c_char_p, _DWORD, _DWORD, pointer(_HANDLE),
                         pointer(_DWORD)],
        "SCardReconnect": [_HANDLE, _DWORD, _DWORD, _DWORD, pointer(_DWORD)],
        "SCardDisconnect": [_HANDLE, _DWORD],
        "SCardBeginTransaction": [_HANDLE],
        "SCardEndTransaction": [_HANDLE, _DWORD],
        "SCardTransmit": [_HANDLE, pointer(_IoRequest), ctypes.c_char_p, _DWORD,
                          pointer(_IoRequest), ctypes.c_char_p, pointer(_DWORD)],
    }
    for name, arguments in signatures.items():
        function = getattr(lib, name)
        function.argtypes = arguments
        function.restype = _LONG
    return lib


_lib = _load()


class SCardError(Exception):
    """A call that pcscd refused. `code` is its number, `name` its name."""

    def __init__(self, call, code):
        self.code = code & 0xFFFFFFFF
        self.name = ERRORS.get(self.code, "0x%08X" % self.code)
        super().__init__("%s: %s" % (call, self.name))


def _call(name, *arguments):
    result = getattr(_lib, name)(*arguments)
    if result:
        raise SCardError(name, result)


class ReaderState:
    """What SCardGetStatusChange says of one reader; `events` counts its changes."""

    def __init__(self, raw):
        self.reader = raw.reader.decode()
        self.raw = raw.event
        self.present = bool(raw.event & STATE_PRESENT)
        self.empty = bool(raw.event & STATE_EMPTY)
        self.mute = bool(raw.event & STATE_MUTE)
        self.exclusive = bool(raw.event & STATE_EXCLUSIVE)
        self.in_use = bool(raw.event & STATE_INUSE)
        self.events = raw.event >> 16 & 0xFFFF
        self.atr = bytes(raw.atr[: raw.atr_len])


class Context:
    """A connection to pcscd. Leaving its `with` releases it, cards and locks included."""

    def __init__(self):
        self._handle = _HANDLE()
        _call("SCardEstablishContext", 2, None, None, ctypes.byref(self._handle))

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.release()

    def release(self):
        if self._handle is not None:
            _lib.SCardReleaseContext(self._handle)
            self._handle = None

    def readers(self):
        """The readers' names; an empty list if there is none."""
        size = _DWORD()
        try:
            _call("SCardListReaders", self._handle, None, None, ctypes.byref(size))
            names = ctypes.create_string_buffer(size.value)
            _call("SCardListReaders", self._handle, None, names, ctypes.byref(size))
        except SCardError as error:
            if error.name == "SCARD_E_NO_READERS_AVAILABLE":
                return []
            raise
        return [name.decode() for name in names.raw[: size.value].split(b"\0") if name]

    def status_change(self, reader, known=STATE_UNAWARE, timeout=30.0):
        """Blocks until the reader's state is another than `known`; returns a ReaderState.

        `known` is the `raw` of an earlier ReaderState; the default returns at once.
        Raises SCARD_E_TIMEOUT, or SCARD_E_CANCELLED after cancel().
        """
        state = _ReaderState(reader=reader.encode(), current=known)
        wait = INFINITE if timeout is None else max(0, int(timeout * 1000))
        _call("SCardGetStatusChange", self._handle, wait, ctypes.byref(state), 1)
        return ReaderState(state)

    def cancel(self):
        """Ends a status_change() that another thread waits in."""
        _call("SCardCancel", self._handle)

    def wait_until(self, reader, condition, timeout=30.0):
        """Blocks until condition(ReaderState) holds; returns that state."""
        deadline = time.monotonic() + timeout
        state = self.status_change(reader)
        while not condition(state):
            state = self.status_change(reader, state.raw, deadline - time.monotonic())
        return state

    def wait_card(self, reader=None, timeout=30.0):
        """Waits for a card; returns the reader's name (by default the first reader's)."""
        reader = reader or self.readers()[0]
        self.wait_until(reader, lambda state: state.present and not state.mute, timeout)
        return reader

    def wait_no_card(self, reader=None, timeout=30.0):
        reader = reader or self.readers()[0]
        self.wait_until(reader, lambda state: state.empty, timeout)
        return reader

    def connect(self, reader=None, share=SHARE_SHARED, protocol=PROTOCOL_ANY):
        """Connects to the card in the reader (by default the first reader)."""
        handle, active = _HANDLE(), _DWORD()
        reader = reader or self.readers()[0]
        _call("SCardConnect", self._handle, reader.encode(), share, protocol,
              ctypes.byref(handle), ctypes.byref(active))
        return Card(handle, active.value, share)


class Card:
    """A connection to a card. Leaving its `with` disconnects and leaves the card as it is."""

    def __init__(self, handle, protocol, share):
        self._handle, self.protocol, self._share = handle, protocol, share

    def __enter__(self):
        return self

    def __exit__(self, *_):
        with contextlib.suppress(SCardError):  # it may be gone, or closed by hand
            self.disconnect()

    def disconnect(self, disposition=LEAVE):
        """LEAVE, RESET or UNPOWER."""
        handle, self._handle = self._handle, _HANDLE(0)
        _call("SCardDisconnect", handle, disposition)

    def reconnect(self, disposition=LEAVE):
        """After SCARD_W_RESET_CARD, to go on; with RESET, to reset."""
        active = _DWORD()
        _call("SCardReconnect", self._handle, self._share, PROTOCOL_ANY, disposition,
              ctypes.byref(active))
        self.protocol = active.value

    def begin(self):
        """Begins a transaction; blocks while another client holds one."""
        _call("SCardBeginTransaction", self._handle)

    def end(self, disposition=LEAVE):
        _call("SCardEndTransaction", self._handle, disposition)

    @contextlib.contextmanager
    def transaction(self, disposition=LEAVE):
        """A transaction that ends with the block; a card that vanished ends it too."""
        self.begin()
        try:
            yield self
        finally:
            with contextlib.suppress(SCardError):
                self.end(disposition)

    def transmit(self, apdu):
        """Sends one APDU (bytes or hexadecimal), as it is. Returns (data, sw)."""
        apdu = bytes.fromhex(apdu) if isinstance(apdu, str) else bytes(apdu)
        answer = ctypes.create_string_buffer(65538)
        size = _DWORD(len(answer))
        request = _IoRequest(self.protocol, ctypes.sizeof(_IoRequest))
        _call("SCardTransmit", self._handle, ctypes.byref(request), apdu, len(apdu), None,
              answer, ctypes.byref(size))
        raw = answer.raw[: size.value]
        return raw[:-2], int.from_bytes(raw[-2:], "big")

    def command(self, ins, p1, p2, data=b"", le=256, cla=0):
        """One command with short APDUs: chains a long one, fetches a long answer."""
        data = bytes.fromhex(data) if isinstance(data, str) else bytes(data)
        while len(data) > 255:
            part, data = data[:255], data[255:]
            _, sw = self.transmit(bytes([cla | 0x10, ins, p1, p2, 255]) + part)
            if sw != 0x9000:
                return b"", sw
        header = bytes([cla, ins, p1, p2])
        body = bytes([len(data)]) + data if data else b""
        tail = bytes([le & 0xFF]) if le else b""
        answer, sw = self.transmit(header + body + tail)
        while sw >> 8 == 0x61:
            more, sw = self.transmit(bytes([cla, 0xC0, 0, 0, sw & 0xFF]))
            answer += more
        return answer, sw
