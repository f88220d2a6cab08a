# SPDX-License-Identifier: Apache-2.0
"""Writes DER, and on request what is not quite DER, byte by byte.

Only as much of X.690 as certificates for tests need. It reads nothing, and it does not stop
anybody from writing nonsense: nonsense is what many tests are about.
"""


def tlv(tag, *parts):
    """One element: tag (one byte), length, and the parts one after the other."""
    body = b"".join(parts)
    if len(body) < 0x80:
        return bytes([tag, len(body)]) + body
    size = len(body).to_bytes((len(body).bit_length() + 7) // 8, "big")
    return bytes([tag, 0x80 | len(size)]) + size + body


def sequence(*parts):
    return tlv(0x30, *parts)


def set_of(*parts):
    """A SET OF as DER wants it: sorted by encoding."""
    return tlv(0x31, *sorted(parts))


def set_as_given(*parts):
    """A SET in the order of the arguments, which DER may not allow."""
    return tlv(0x31, *parts)


def explicit(number, *parts):
    return tlv(0xA0 | number, *parts)


def implicit(number, content):
    return tlv(0x80 | number, content)


def integer(value):
    return tlv(0x02, value.to_bytes(value.bit_length() // 8 + 1, "big", signed=True))


def boolean(value):
    return tlv(0x01, b"\xff" if value else b"\x00")


def null():
    return tlv(0x05)


def octets(content):
    return tlv(0x04, content)


def bits(content, unused=0):
    return tlv(0x03, bytes([unused]), content)


def oid(dotted):
    first, second, *rest = (int(number) for number in dotted.split("."))
    body = b""
    for number in [40 * first + second, *rest]:
        septets = [number & 0x7F]
        while number > 0x7F:
            number >>= 7
            septets.append(0x80 | number & 0x7F)
        body += bytes(reversed(septets))
    return tlv(0x06, body)


def utf8(text):
    return tlv(0x0C, text if isinstance(text, bytes) else text.encode("utf-8"))


def printable(text):
    return tlv(0x13, text if isinstance(text, bytes) else text.encode("ascii"))


def teletex(text):
    """Latin-1 under the Teletex tag, as old cards have it."""
    return tlv(0x14, text if isinstance(text, bytes) else text.encode("latin-1"))


def ia5(text):
    return tlv(0x16, text.encode("ascii"))


def bmp(text):
    return tlv(0x1E, text.encode("utf-16-be"))


def time(moment):
    """UTCTime to 2049, GeneralizedTime after: RFC 5280, 4.1.2.5."""
    if moment.year < 2050:
        return tlv(0x17, moment.strftime("%y%m%d%H%M%SZ").encode("ascii"))
    return tlv(0x18, moment.strftime("%Y%m%d%H%M%SZ").encode("ascii"))
