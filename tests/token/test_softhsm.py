# SPDX-License-Identifier: Apache-2.0
"""hygie-token with a token in files (SoftHSM), found by its URI. Needs root, no reader."""
import os
import pathlib
import subprocess

import pytest

from helper import GID, UID, Helper, decrypt, encrypt, sign, verifies

MODULE = "/usr/lib/softhsm/libsofthsm2.so"
PIN, DATA = "123456", b"hygie-auth-v1 and the rest of a challenge"
KEYS = {"01": ("RSA", ["rsa_keygen_bits:2048"]), "02": ("EC", ["ec_paramgen_curve:P-256"]),
        "03": ("EC", ["ec_paramgen_curve:P-384"])}


def command(*words, **environment):
    done = subprocess.run([str(word) for word in words], capture_output=True, text=True,
                          env={**os.environ, **environment}, check=False)
    assert done.returncode == 0, done.stderr + done.stdout
    return done.stdout


def key_import(home, environment, object_id, kind, options):
    options = [word for option in options for word in ("-pkeyopt", option)]
    command("openssl", "genpkey", "-algorithm", kind, *options, "-out", home / "key")
    command("openssl", "req", "-x509", "-new", "-key", home / "key", "-subj", "/CN=" + object_id,
            "-days", 30, "-outform", "DER", "-out", home / "der")
    command("softhsm2-util", "--import", home / "key", "--token", "Card", "--label", object_id,
            "--id", object_id, "--pin", PIN, **environment)
    command("pkcs11-tool", "--module", MODULE, "--token-label", "Card", "--login", "--pin", PIN,
            "--write-object", home / "der", "--type", "cert", "--id", object_id,
            "--label", object_id, **environment)


@pytest.fixture(scope="session")
def softhsm(tmp_path_factory):
    home = tmp_path_factory.mktemp("softhsm")
    (home / "tokens").mkdir()
    (home / "conf").write_text("directories.tokendir = %s\nobjectstore.backend = file\n"
                               % (home / "tokens"))
    environment = {"SOFTHSM2_CONF": str(home / "conf")}
    command("softhsm2-util", "--init-token", "--free", "--label", "Card", "--pin", PIN,
            "--so-pin", "12345678", **environment)
    for object_id, (kind, options) in KEYS.items():
        key_import(home, environment, object_id, kind, options)
    for path in [home / "conf", home / "tokens", *(home / "tokens").rglob("*")]:
        os.chown(path, UID, GID)
    return home


def soft_helper(softhsm, operations=None, **more):
    more = {"uri": "pkcs11:token=Card", "rw": [softhsm / "tokens"],
            "environment": ["SOFTHSM2_CONF=%s" % (softhsm / "conf")],
            "operations": operations or sign("01", DATA), **more}
    return Helper(MODULE, **more)


@pytest.mark.parametrize("object_id,scheme", [("01", 1), ("02", 3), ("03", 4)])
def test_each_kind_of_key_signs(softhsm, object_id, scheme):
    with soft_helper(softhsm, sign(object_id, DATA)) as helper:
        helper.run(PIN)
        assert helper.outcome == "ok" and helper.end == ("exited", 0)
        assert [kind for kind, _ in helper.signatures] == [scheme]
        assert verifies(helper.certificates[object_id][1], DATA, helper.signatures[0])


def test_token_tells_about_itself(softhsm):
    with soft_helper(softhsm) as helper:
        helper.warm()
        assert helper.token_field("TAG_LABEL") == "Card"
        assert helper.token_field("TAG_TOKEN_MODEL") == "SoftHSM v2"
        assert (helper.token_field("TAG_PIN_MIN"), helper.token_field("TAG_PIN_MAX")) == ("4", "8")
        assert sorted(helper.certificates) == ["01", "02", "03"]


def test_several_operations_in_one_login(softhsm):
    with soft_helper(softhsm) as helper:
        certificate = helper.warm().certificates["01"][1]
    v15 = encrypt(certificate, b"store key")
    oaep = encrypt(certificate, b"login secret", "-pkeyopt", "rsa_padding_mode:oaep")
    operations = [*decrypt("01", v15), *sign("02", DATA), *decrypt("01", oaep, oaep=1)]
    with soft_helper(softhsm, operations) as helper:
        helper.run(PIN)
        assert helper.outcome == "ok"
        assert helper.secrets == [b"store key", b"login secret"]
        assert verifies(helper.certificates["02"][1], DATA, helper.signatures[0])


def test_wrong_pin_ends_the_helper(softhsm):
    with soft_helper(softhsm) as helper:
        helper.run("999999")
        assert helper.outcome == "pin-wrong" and helper.flags is not None
        assert not helper.signatures and helper.end == ("exited", 1)


def test_hang_up_ends_a_warm_helper(softhsm):
    with soft_helper(softhsm) as helper:
        helper.warm().hang_up()
        assert helper.end == ("exited", 0) and helper.outcome is None


def test_works_without_namespaces_from_the_daemon(softhsm):
    with soft_helper(softhsm, options=["--no-pid-namespace"]) as helper:
        assert helper.run(PIN).outcome == "ok"


@pytest.mark.parametrize("uri", ["pkcs11:token=Other", "pkcs11:token=Card;serial=ffff"])
def test_another_token_is_not_taken(softhsm, uri):
    with soft_helper(softhsm, uri=uri) as helper:
        assert helper.warm().outcome == "card-unreadable" and not helper.certificates


@pytest.mark.parametrize("uri", ["token=Card", "pkcs11:token=%zz", "pkcs11:token=Card;x-y=1"])
def test_bad_uri_is_a_broken_setup(softhsm, uri):
    with soft_helper(softhsm, uri=uri) as helper:
        assert helper.warm().outcome == "broken-setup"


def test_missing_key_is_told(softhsm):
    with soft_helper(softhsm, sign("77", DATA)) as helper:
        assert helper.run(PIN).outcome == "card-broken"
        assert "no private key" in helper.text


def test_ciphertext_of_another_size_is_refused(softhsm):
    with soft_helper(softhsm, decrypt("01", b"x" * 2000)) as helper:
        assert helper.run(PIN).outcome == "bad-request"


def test_module_that_is_not_there(softhsm):
    for module, outcome in (("/usr/lib/nothing.so", "broken-setup"),
                            ("/usr/lib/x86_64-linux-gnu/libc.so.6", "broken-setup"),
                            ("/etc/passwd", "broken-setup")):
        if not pathlib.Path(module).exists() and module != "/usr/lib/nothing.so":
            continue
        with Helper(module, uri="pkcs11:token=Card") as helper:
            assert helper.warm().outcome == outcome and helper.end == ("exited", 1)
