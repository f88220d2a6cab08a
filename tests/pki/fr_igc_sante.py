# SPDX-License-Identifier: Apache-2.0
"""Certificates for tests as French professional cards have them: the private extensions' bytes,
the multi-valued RDN, and what a card must not have. All holders are invented."""

import itertools

import certificates as c
import der

ARC = "1.2.250.1.71.1.2."
UPN = "1.3.6.1.4.1.311.20.2.3"

RPPS = "810000000009"
BAD_LUHN = "810000000008"
CARD_ID = "8025000001/2800000001"
HOLDER = [("CN", RPPS), ("SN", "SPECIMEN"), ("GN", "CAMILLE")]


def category_extension(value):
    return c.extension(ARC + "5", der.octets(bytes([value])))


def person(authority, spki, holder=None, title="Médecin", category=0x00, card_type=0,
           profession=10, card_id=CARD_ID, rdns=None, make_set=der.set_of,
           usage=c.DIGITAL_SIGNATURE, extended=(c.CLIENT_AUTH, c.SMARTCARD_LOGON), more=(),
           **signing):
    """A person's authentication certificate; each argument bends one thing, None drops it.

    category may be bytes: then they are the whole content of the extension.
    """
    if rdns is None:
        rdns = [("C", "FR"), ("title", title), list(holder or HOLDER)]
    extensions = list(more)
    if isinstance(category, bytes):
        extensions.append(c.extension(ARC + "5", category))
    elif category is not None:
        extensions.append(category_extension(category))
    if card_type is not None:
        extensions.append(c.extension(ARC + "2", der.integer(card_type)))
    if card_id is not None:
        extensions.append(c.extension(ARC + "3", der.printable(card_id)))
    if isinstance(profession, bytes):
        extensions.append(c.extension(ARC + "7", profession))
    elif profession is not None:
        extensions.append(c.extension(ARC + "7", der.integer(profession)))
    if usage is not None:
        extensions.append(c.key_usage(usage))
    if extended:
        extensions.append(c.extended_key_usage(*extended))
    return authority.issue(c.name(*rdns, make_set=make_set), spki, extensions, **signing)


def with_cn(value):
    return {"holder": [("CN", value), *HOLDER[1:]]}


def with_sn(value):
    return {"holder": [HOLDER[0], ("SN", value), HOLDER[2]]}


def legacy_latin1():
    holder = [("CN", der.printable("00B1058110")), ("SN", der.teletex("LEFÈVRE")),
              ("GN", der.teletex("HÉLÈNE"))]
    return {"rdns": [("C", "FR"), ("OU", der.teletex("Médecin")), holder]}


def cpe_pseudonym():
    return {"card_type": 2, "profession": None, "rdns": [
        ("C", "FR"), ("ST", "Rhône (69)"), ("O", "CLINIQUE SPECIMEN"), ("OU", "1760021832"),
        ("title", "Carte de service santé ou social"), ("pseudonym", "EMPLOYE000000018"),
        ("CN", "3760021832/000000018")]}


def organisation(category):
    return {"category": category, "card_type": None, "profession": None, "card_id": None,
            "rdns": [("C", "FR"), ("ST", "Rhône (69)"), ("O", "CABINET SPECIMEN"),
                     ("OU", "10B0152872"), ("CN", "messagerie")]}


HOLDERS = {
    "person": {},
    "rpps-nines": with_cn("899900000011"),
    "adeli": {**with_cn("00B6087510"), "title": "Infirmier", "profession": 60},
    "staff-cpa": {**with_cn("500000000029751/CPAT0001"), "card_type": 3, "profession": None},
    "cpe-named": {**with_cn("3760021832/000000018"), "card_type": 2, "profession": None},
    "cpf": {"card_type": 1, "profession": 10,
            "more": (c.extension(ARC + "8", der.integer(21)),)},
    "cpf-in-training": {"card_type": 1, "profession": None,
                        "more": (c.extension(ARC + "8", der.integer(21)),)},
    "unknown-profession": {"profession": 255},
    "latin1-teletex": legacy_latin1(),
    "bmp": with_sn(der.bmp("SPÉCIMEN")),
    "single-valued": {"rdns": [("C", "FR"), ("title", "Médecin"), *HOLDER]},
    "no-card-id": {"card_id": None},
    # Refused by what is written in them.
    "bad-luhn": with_cn(BAD_LUHN),
    "rpps-short": with_cn(RPPS[:-1]),
    "rpps-letter": with_cn("81000000000A"),
    "id-unknown-type": with_cn("910000000009"),
    "cn-missing": {"holder": HOLDER[1:]},
    "sn-missing": {"holder": [HOLDER[0], HOLDER[2]]},
    "gn-missing": {"holder": HOLDER[:2]},
    "cn-twice": {"holder": [*HOLDER, ("CN", "899700218896")]},
    "cn-nul": with_cn(der.utf8(RPPS + "\0")),
    "cn-newline": with_cn(RPPS + "\n"),
    "sn-nul": with_sn("SPECI\0MEN"),
    "sn-escape": with_sn("SPECIMEN\x1b[31m"),
    "sn-c1-control": with_sn(der.teletex(b"SPECIMEN\x9b31m")),
    "sn-overlong-utf8": with_sn(der.utf8(b"SPECIMEN\xe0\x80\x8a")),
    "sn-latin1-as-utf8": with_sn(der.utf8(b"SP\xc9CIMEN")),
    "sn-latin1-as-printable": with_sn(der.printable(b"SP\xc9CIMEN")),
    "sn-too-long": with_sn("S" * 300),
    "sn-empty": with_sn(""),
    "sn-integer": with_sn(der.integer(7)),
    "bmp-odd": with_sn(der.tlv(0x1E, b"\0S\0P\0")),
    "category-missing": {"category": None},
    "category-two-bytes": {"category": der.octets(b"\0\0")},
    "category-empty": {"category": der.octets(b"")},
    "category-trailing": {"category": der.octets(b"\0") + b"\0"},
    "category-twice": {"more": (category_extension(0x00),)},
    "profession-256": {"profession": 256},
    "profession-negative": {"profession": -1},
    "profession-not-minimal": {"profession": bytes.fromhex("0202000A")},
    "profession-ber-length": {"profession": bytes.fromhex("0281010A")},
    "profession-trailing": {"profession": bytes.fromhex("02010A00")},
    "card-id-malformed": {"card_id": "802500001/28"},
    # Well made, and no person's card for a real login.
    "test-category": {"category": 0x80},
    "cpe-pseudonym": cpe_pseudonym(),
    "organisation": organisation(0x03),
    "organisation-test": organisation(0x83),
    "organisation-as-card": organisation(0x00),
    "software-key": {"category": 0x03},
    "security-module": {"category": 0x02},
}

for number, order in enumerate(itertools.permutations(HOLDER)):
    HOLDERS[f"set-order-{number}"] = {"holder": list(order), "make_set": der.set_as_given}
