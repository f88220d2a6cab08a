# SPDX-License-Identifier: Apache-2.0
"""PIV authentication certificates for tests: what FIPS 201 asks for, and what it does not."""

import certificates as c
import der

UPN = "1.3.6.1.4.1.311.20.2.3"
FASCN = "2.16.840.1.101.3.6.6"
FASCN_BYTES = bytes.fromhex("D0439458210C2C19A0846D83685A1082108CE73984108CA3FC")
AUTHENTICATION_POLICY = "2.16.840.1.101.3.2.1.3.13"
CARD_AUTH_POLICY = "2.16.840.1.101.3.2.1.3.17"
TEST_POLICY = "2.16.840.1.101.3.2.1.48.11"

SUBJECT = [("C", "US"), ("O", "Clinic of Tests")]


def upn(value):
    return c.other_name(UPN, der.utf8(value) if isinstance(value, (str, bytes)) else value[0])


def person(authority, spki, common_name="SPECIMEN.ALEX.0000000001", upns=("alex@clinic.test",),
           rdns=None, usage=c.DIGITAL_SIGNATURE, extended=(c.CLIENT_AUTH, c.SMARTCARD_LOGON),
           policy=AUTHENTICATION_POLICY, names=(), fascn=FASCN_BYTES, more=(), **signing):
    """A person's certificate; each argument bends one thing. None leaves a thing out."""
    subject = c.name(*SUBJECT, *(rdns if rdns is not None else [("CN", common_name)]))
    general = [upn(value) for value in upns] + list(names)
    if fascn is not None:
        general.append(c.other_name(FASCN, der.octets(fascn)))
    extensions = list(more)
    if usage is not None:
        extensions.append(c.key_usage(usage))
    if extended:
        extensions.append(c.extended_key_usage(*extended))
    if policy is not None:
        extensions.append(c.policies(policy))
    if general:
        extensions.append(c.alternative_names(*general))
    return authority.issue(subject, spki, extensions, **signing)


# Profiles that differ from a person's in what the holder's fields say.
HOLDERS = {
    "person": {},
    "cn-only": {"upns": ()},
    "names": {"rdns": [[("CN", "Alex Specimen"), ("SN", "Specimen"), ("GN", "Alex")]]},
    "no-name-at-all": {"upns": (), "rdns": []},
    "two-upns": {"upns": ("alex@clinic.test", "kim@clinic.test")},
    "upn-without-at": {"upns": ("alex",)},
    "upn-empty": {"upns": ("",)},
    "upn-nul": {"upns": (b"alex@clinic.test\0.example",)},
    "upn-overlong-utf8": {"upns": (b"alex@clinic.test\xc0\xaf",)},
    "upn-control": {"upns": ("alex\x1b[2J@clinic.test",)},
    "upn-not-utf8-type": {"upns": ([der.ia5("alex@clinic.test")],)},
    "upn-too-long": {"upns": ("a" * 120 + "@clinic.test",)},
    "cn-looks-like-upn": {"upns": (), "common_name": "kim@clinic.test"},
    "cn-nul": {"rdns": [("CN", der.utf8("ALEX\0EVIL"))]},
    "cn-escape": {"rdns": [("CN", "ALEX\x1b]0;root\x07")]},
    "cn-bidi": {"rdns": [("CN", "ALEX\u202eTOOR")]},
    "cn-twice": {"rdns": [("CN", "ALEX"), ("CN", "KIM")]},
    "cn-twice-in-one-set": {"rdns": [[("CN", "ALEX"), ("CN", "KIM")]]},
    "cn-overlong-utf8": {"rdns": [("CN", der.utf8(b"ALEX\xc0\xaf"))]},
    "cn-60k": {"rdns": [("CN", "A" * 60000)], "upns": ()},
    "subject-60k": {"rdns": [("CN", "ALEX"), ("OU", "B" * 60000)]},
    "subject-70k": {"rdns": [("CN", "ALEX"), ("OU", "B" * 70000)]},
    "fascn-short": {"fascn": FASCN_BYTES[:24]},
    "san-twice": {"more": (c.alternative_names(upn("kim@clinic.test")),)},
    "san-garbage": {"upns": (), "fascn": None,
                    "more": (c.extension("2.5.29.17", b"\x30\x05abc"),)},
    "test-policy": {"policy": TEST_POLICY},
    "card-auth": {"extended": (c.CARD_AUTH,), "policy": CARD_AUTH_POLICY, "upns": (),
                  "rdns": []},
    "card-auth-usage": {"extended": (c.CLIENT_AUTH, c.CARD_AUTH)},
    "card-auth-policy": {"policy": CARD_AUTH_POLICY},
    "server": {"names": (der.implicit(2, b"dc1.clinic.test"),), "upns": ()},
}
