# SPDX-License-Identifier: Apache-2.0
"""The wire format for tests: encodes and decodes the messages between clients and hygied.

It mirrors tools/libhygie/wire.h, protocol.h and outcome.h; the numbers are read from those
headers, so that a test speaks the version of the tree it stands in.
"""

import os
import re
import struct

VERSION = 1
HEADER_SIZE = 8
MESSAGE_MAX = 65536

_LIBHYGIE = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "tools", "libhygie")


def _enum(header, name):
    """The members of one C enum, by name; an entry without a number follows the last."""
    with open(os.path.join(_LIBHYGIE, header), encoding="utf-8") as file:
        text = file.read()
    text = re.sub(r"/\*.*?\*/", "", text, flags=re.DOTALL)
    body = re.search(r"enum %s \{(.*?)\}" % name, text, re.DOTALL).group(1)
    members, value = {}, -1
    for entry in filter(None, (part.strip() for part in body.split(","))):
        key, _, number = (part.strip() for part in entry.partition("="))
        shift = re.fullmatch(r"1u << (\d+)", number)
        value = 1 << int(shift.group(1)) if shift else int(number, 0) if number else value + 1
        members[key] = value
    return members


TYPES = _enum("protocol.h", "wire_type")
TAGS = _enum("protocol.h", "wire_tag")
REQUEST_FLAGS = _enum("protocol.h", "request_flag")
RESULT_FLAGS = _enum("protocol.h", "result_flag")
KEEPER_FAILURES = _enum("protocol.h", "keeper_failure")
TEXTS = _enum("text.h", "hygie_text")
OUTCOMES = {
    name: number
    for name, number in _enum("outcome.h", "hygie_outcome").items()
    if name != "HYGIE_OUTCOME_COUNT"
}

_U32 = {"OUTCOME", "TEXT_ID", "FLAGS", "ECHO", "EXCLUSIVE", "PROCESS", "USER_ID", "FAILURE"}
_U64 = {"NOT_AFTER", "ENROLLED_AT", "REVOKED_AT", "SINCE"}
_BYTES = {"ANSWER", "NOTE"}
_TYPE_NAMES = {number: name[len("WIRE_"):] for name, number in TYPES.items()}
_TAG_NAMES = {number: name[len("TAG_"):] for name, number in TAGS.items()}


def _value_encode(name, value):
    if isinstance(value, bytes):
        return value
    if isinstance(value, str):
        return value.encode("utf-8")
    return struct.pack(">Q" if name in _U64 else ">I", value)


def _value_decode(name, value):
    if name in _U32 and len(value) == 4:
        return struct.unpack(">I", value)[0]
    if name in _U64 and len(value) == 8:
        return struct.unpack(">Q", value)[0]
    if name in _BYTES:
        return value
    try:
        return value.decode("utf-8")
    except UnicodeDecodeError:
        return value


def encode(type_name, fields=()):
    """The bytes of one message. `fields`: a dict, or pairs for repeated and ordered ones;
    names as in protocol.h without TAG_, values str, int or bytes (taken as they are)."""
    pairs = fields.items() if isinstance(fields, dict) else fields
    body = b""
    for name, value in pairs:
        data = _value_encode(name, value)
        body += struct.pack(">HH", TAGS["TAG_" + name], len(data)) + data
    return struct.pack(">BBHI", VERSION, 0, TYPES["WIRE_" + type_name], len(body)) + body


class Message:
    """A decoded message: its type's name, its fields as pairs in order."""

    def __init__(self, type_name, fields):
        self.type = type_name
        self.fields = fields

    def get(self, name, default=None):
        """The first field of that name."""
        return next((value for key, value in self.fields if key == name), default)

    def names(self):
        return [name for name, _ in self.fields]

    def __repr__(self):
        return "Message(%s, %r)" % (self.type, self.fields)


def decode(data):
    """One message from its bytes; ValueError when it has not the right shape."""
    if not HEADER_SIZE <= len(data) <= MESSAGE_MAX:
        raise ValueError("a message of %d bytes" % len(data))
    version, reserved, number, size = struct.unpack(">BBHI", data[:HEADER_SIZE])
    if version != VERSION or reserved != 0 or size != len(data) - HEADER_SIZE:
        raise ValueError("header %r" % data[:HEADER_SIZE])
    fields, at = [], HEADER_SIZE
    while at < len(data):
        if len(data) - at < 4:
            raise ValueError("half a field header")
        tag, length = struct.unpack(">HH", data[at:at + 4])
        at += 4
        if length > len(data) - at:
            raise ValueError("a field beyond the end")
        name = _TAG_NAMES.get(tag, "%#x" % tag)
        fields.append((name, _value_decode(name, data[at:at + length])))
        at += length
    return Message(_TYPE_NAMES.get(number, "%#x" % number), fields)


def readers(link):
    """Asks a connection to hygied for the status: what is said of the readers, a dict each, and
    the result's message."""
    found = []
    link.sendall(encode("REQUEST_STATUS"))
    while (message := decode(link.recv(MESSAGE_MAX))).type == "ITEM":
        if message.get("KIND") == "reader":
            found.append({name.lower(): value for name, value in message.fields})
            found[-1].update(problem=message.get("TEXT"), exclusive=message.get("EXCLUSIVE") == 1)
    link.recv(1)  # until hygied hangs up
    return found, message


def at_rest(readers):
    """Whether hygied is at work with no card."""
    return not any(reader["state"] in ("reading", "busy") for reader in readers)
