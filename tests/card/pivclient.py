# SPDX-License-Identifier: Apache-2.0
"""The few PIV commands of a rival program, on a scard.Card. Each returns what the card said.

No judgement here: a status word is returned, not raised, for tests compare it.
"""
PIV_AID = bytes.fromhex("A000000308000010000100")
PIV_AID_SHORT = PIV_AID[:5]
OTHER_AID = bytes.fromhex("A0000000010203")

CHUID, CCC, DISCOVERY, KEY_HISTORY = 0x5FC102, 0x5FC107, 0x7E, 0x5FC10C
CERTIFICATE = {"9a": 0x5FC105, "9c": 0x5FC10A, "9d": 0x5FC10B, "9e": 0x5FC101}
ALGORITHM = {"rsa2048": 0x07, "rsa3072": 0x05, "p256": 0x11, "p384": 0x14}


def tlv(tag, value=b""):
    """BER-TLV with a tag of as many bytes as it needs."""
    head = tag.to_bytes((tag.bit_length() + 7) // 8, "big")
    size = len(value)
    if size < 0x80:
        return head + bytes([size]) + value
    octets = size.to_bytes((size.bit_length() + 7) // 8, "big")
    return head + bytes([0x80 | len(octets)]) + octets + value


def tlv_value(data, tag):
    """The value of the first TLV of that one-byte tag at the top of `data`, or None."""
    at = 0
    while at + 2 <= len(data):
        found, size, at = data[at], data[at + 1], at + 2
        if size & 0x80:
            octets = size & 0x7F
            size, at = int.from_bytes(data[at:at + octets], "big"), at + octets
        if found == tag:
            return data[at:at + size]
        at += size
    return None


def select(card, aid=PIV_AID):
    """Returns the status word."""
    return card.command(0xA4, 0x04, 0x00, aid)[1]


def get_data(card, tag):
    """Returns (data, sw)."""
    octets = tag.to_bytes((tag.bit_length() + 7) // 8, "big")
    return card.command(0xCB, 0x3F, 0xFF, tlv(0x5C, octets))


def certificate(card, slot):
    """Returns (the certificate's bytes as stored, compressed or not; sw)."""
    data, sw = get_data(card, CERTIFICATE[slot])
    return (tlv_value(tlv_value(data, 0x53), 0x70) if sw == 0x9000 else b""), sw


def pad_pin(pin):
    return pin.encode().ljust(8, b"\xff")


def verify(card, pin):
    """VERIFY with the padded PIN. Returns the status word."""
    return card.command(0x20, 0x00, 0x80, pad_pin(pin), le=0)[1]


def pin_state(card):
    """The empty VERIFY: 0x9000 verified, 0x63Cx tries left, 0x6983 blocked."""
    return card.command(0x20, 0x00, 0x80, le=0)[1]


def change_pin(card, old, new):
    return card.command(0x24, 0x00, 0x80, pad_pin(old) + pad_pin(new), le=0)[1]


def change_puk(card, old, new):
    return card.command(0x24, 0x00, 0x81, pad_pin(old) + pad_pin(new), le=0)[1]


def unblock_pin(card, puk, new):
    return card.command(0x2C, 0x00, 0x80, pad_pin(puk) + pad_pin(new), le=0)[1]


def authenticate(card, slot, kind, value, tag=0x81):
    """GENERAL AUTHENTICATE: `kind` as in ALGORITHM; tag 0x81 signs or deciphers a block,
    0x85 agrees on a key with a point. Returns (result, sw)."""
    template = tlv(0x7C, tlv(0x82) + tlv(tag, value))
    data, sw = card.command(0x87, ALGORITHM[kind], int(slot, 16), template)
    return (tlv_value(tlv_value(data, 0x7C), 0x82) if sw == 0x9000 else b""), sw


def pkcs1_block(digest, size=256):
    """A SHA-256 digest, padded for an RSA signature of `size` bytes."""
    info = bytes.fromhex("3031300d060960864801650304020105000420") + digest
    return b"\0\1" + b"\xff" * (size - len(info) - 3) + b"\0" + info
