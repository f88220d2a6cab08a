# SPDX-License-Identifier: Apache-2.0
"""The keys that open a record store, on the virtual PIV card (OpenSC) and in SoftHSM: an
envelope is sealed to the card's key, the helper does what the envelope says, and what it gave
opens the envelope, with hygied's own functions (envelope-tool)."""
import os
import subprocess

import pytest

from helper import BUILD, GID, UID, decrypt, derive, encrypt, sign, verifies
from test_cards import DATA, LOGIN, PIN, RSA, inserted, names, opensc, pcscd, reset, shop  # noqa: F401
from test_softhsm import MODULE, command, soft_helper, softhsm  # noqa: F401

TOOL = BUILD / "tests" / "envelope-tool"
STORE = ["records", "7"]
PIV = [("rsa2048", "oaep-sha256", None), ("rsa2048", "oaep-sha1", None), ("rsa2048", "pkcs1", None),
       ("p256", "ec", "yubikey"), ("p384", "ec", "yubikey")]
SOFT = [("01", "oaep-sha1"), ("01", "pkcs1"), ("04", "ec"), ("05", "ec")]
P256_POINT = bytes.fromhex(  # the base point, SEC 2
    "046b17d1f2e12c4247f8bce6e563a440f277037d812deb33a0f4a13945d898c296"
    "4fe342e2fe1a7f9b8ee7eb4a7c0f9e162bce33576b315ececbb6406837bf51f5")


@pytest.fixture(scope="module")
def agreeing(softhsm):  # noqa: F811
    """SoftHSM with keys that may derive: softhsm2-util imports them without that right."""
    environment = {"SOFTHSM2_CONF": str(softhsm / "conf")}
    for object_id, curve in (("04", "P-256"), ("05", "P-384")):
        key, der = softhsm / "key", softhsm / "der"
        command("openssl", "genpkey", "-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:" + curve,
                "-outform", "DER", "-out", key)
        command("openssl", "req", "-x509", "-new", "-key", key, "-subj", "/CN=" + object_id,
                "-outform", "DER", "-out", der)
        for kind, path, more in (("privkey", key, ["--usage-derive"]), ("cert", der, [])):
            command("pkcs11-tool", "--module", MODULE, "--token-label", "Card", "--login", "--pin",
                    PIN, "--write-object", path, "--type", kind, "--id", object_id, "--label",
                    object_id, *more, **environment)
    for path in (softhsm / "tokens").rglob("*"):
        os.chown(path, UID, GID)
    return softhsm


def tool(*words, data=b""):
    return subprocess.run([TOOL, *map(str, words)], input=data, capture_output=True, check=False)


class Envelope:
    """Sealed to the key of a certificate (DER), which is renewed before it opens."""

    def __init__(self, home, certificate, wrap):
        public = subprocess.run(["openssl", "x509", "-inform", "DER", "-pubkey", "-noout"],
                                input=certificate, capture_output=True, check=True).stdout
        (home / "public").write_bytes(public)
        subprocess.run(["openssl", "genpkey", "-algorithm", "EC", "-pkeyopt",
                        "ec_paramgen_curve:P-256", "-out", home / "ca"], check=True)
        subprocess.run(["openssl", "x509", "-new", "-force_pubkey", home / "public", "-subj",
                        "/CN=renewed", "-key", home / "ca", "-outform", "DER", "-out",
                        home / "renewed"], check=True, capture_output=True)
        self.certificate = home / "renewed"
        self.der = tool("seal", *STORE, "%s:%s" % (home / "public", wrap)).stdout

    def order(self, object_id):
        done = tool("task", self.certificate, data=self.der)
        assert done.returncode == 0, done.stderr
        operation, oaep, data = done.stdout.decode().split()
        if operation == "5":
            return derive(object_id, bytes.fromhex(data))
        return decrypt(object_id, bytes.fromhex(data), int(oaep) or None)

    def open(self, given):
        return tool("open-by", self.certificate, *STORE, given.hex(), data=self.der).stdout.decode()


@pytest.mark.parametrize("kind,wrap,atr", PIV)
def test_piv_card_opens_an_envelope_in_the_login(pcscd, shop, tmp_path, kind, wrap, atr):
    with inserted(shop(kind, ("9a", "9d")), atr) as card:
        with opensc() as helper:
            envelope = Envelope(tmp_path, helper.warm().certificates["03"][1], wrap)
        with opensc(sign("01", DATA) + envelope.order("03")) as helper:
            helper.warm()
            reset()
            card.reset_count()
            assert helper.login(PIN).outcome == "ok", helper.text
            assert envelope.open(helper.secrets[0]).startswith("open 7 named ")
            assert verifies(helper.certificates["01"][1], DATA, helper.signatures[0])
            one = RSA if kind == "rsa2048" else ["GENERAL-AUTHENTICATE"]
            assert names(card) == LOGIN + one * 2


@pytest.mark.parametrize("object_id,wrap", SOFT)
def test_softhsm_opens_an_envelope(agreeing, tmp_path, object_id, wrap):
    with soft_helper(agreeing) as helper:
        envelope = Envelope(tmp_path, helper.warm().certificates[object_id][1], wrap)
    with soft_helper(agreeing, envelope.order(object_id)) as helper:
        assert helper.run(PIN).outcome == "ok", helper.text
        assert envelope.open(helper.secrets[0]).startswith("open 7 named ")


def test_what_a_token_cannot_do_is_told(softhsm, tmp_path):
    """SoftHSM 2.6.1 has no OAEP with SHA-256: so enrolment can find out by trying."""
    with soft_helper(softhsm) as helper:
        envelope = Envelope(tmp_path, helper.warm().certificates["01"][1], "oaep-sha256")
    with soft_helper(softhsm, envelope.order("01")) as helper:
        assert helper.run(PIN).outcome == "card-broken" and not helper.secrets


def test_key_that_may_not_derive_is_told(softhsm):
    with soft_helper(softhsm, derive("02", P256_POINT)) as helper:
        assert helper.run(PIN).outcome == "card-broken" and "DeriveKey" in helper.text


def test_key_of_another_kind_is_told(softhsm):
    with soft_helper(softhsm, derive("01", P256_POINT)) as helper:
        assert helper.run(PIN).outcome == "card-broken" and not helper.secrets
    with soft_helper(softhsm, decrypt("02", bytes(256))) as helper:
        assert helper.run(PIN).outcome == "card-broken" and not helper.secrets


@pytest.mark.parametrize("oaep", [None, 1, 256])
def test_bad_padding_is_answered_like_a_good_one_by_a_card(pcscd, shop, oaep):
    """Bytes that no padding fits give a random key; the login goes on, in as many APDUs."""
    with inserted(shop("rsa2048", ("9a", "9d"))) as card:
        bad = b"\x01" + bytes(range(255))
        with opensc(decrypt("03", bad, oaep) + decrypt("03", bad, oaep) + sign("01", DATA)) as helper:
            helper.warm()
            reset()
            card.reset_count()
            assert helper.login(PIN).outcome == "ok", helper.text
            assert [len(secret) for secret in helper.secrets] == [32, 32]
            assert helper.secrets[0] != helper.secrets[1]
            assert verifies(helper.certificates["01"][1], DATA, helper.signatures[0])
            assert names(card) == LOGIN + RSA * 3


@pytest.mark.parametrize("oaep", [None, 1])
def test_bad_padding_is_answered_like_a_good_one_by_softhsm(softhsm, oaep):
    with soft_helper(softhsm, decrypt("01", b"\x01" + bytes(range(255)), oaep) + sign("02", DATA)) as helper:
        assert helper.run(PIN).outcome == "ok", helper.text
        assert [len(secret) for secret in helper.secrets] == [32] and helper.signatures


def test_good_padding_gives_what_was_encrypted(softhsm):
    """The control: the stand-in is not what always comes."""
    with soft_helper(softhsm) as helper:
        certificate = helper.warm().certificates["01"][1]
    with soft_helper(softhsm, decrypt("01", encrypt(certificate, b"k" * 32))) as helper:
        assert helper.run(PIN).secrets == [b"k" * 32]


@pytest.mark.parametrize("number", range(1, 10))
def test_card_pulled_at_each_apdu_ends_a_login_that_signs_last(pcscd, shop, number):
    """OpenSC tells no pulled card from bad padding at once; the signature's failure does."""
    with inserted(shop("rsa2048", ("9a", "9d"))) as card:
        with opensc() as helper:
            wrapped = encrypt(helper.warm().certificates["03"][1], b"k" * 32)
        with opensc(decrypt("03", wrapped) + sign("01", DATA), timeout=1500) as helper:
            helper.warm()
            reset()
            card.reset_count()
            card.remove_at(number)
            helper.login(PIN)
            assert helper.outcome != "ok" and not helper.secrets and not helper.signatures


OFF_CURVE = P256_POINT[:-1] + b"\xf6"


def test_card_is_not_asked_with_what_is_no_point(softhsm):
    for data in (P256_POINT[:-1], P256_POINT + b"\0", b"\x02" + P256_POINT[1:33],
                 b"\x06" + P256_POINT[1:], b"\x04" + bytes(132)):
        with soft_helper(softhsm, derive("02", data)) as helper:
            assert helper.run(PIN).outcome == "bad-request", data.hex()


def test_point_off_the_curve_gives_nothing(agreeing):
    with soft_helper(agreeing, derive("04", OFF_CURVE)) as helper:
        assert helper.run(PIN).outcome == "card-broken" and not helper.secrets
    with soft_helper(agreeing, derive("04", P256_POINT)) as helper:  # the control
        assert helper.run(PIN).outcome == "ok" and len(helper.secrets[0]) == 32
