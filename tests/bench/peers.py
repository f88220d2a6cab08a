# SPDX-License-Identifier: Apache-2.0
"""What Hygie is measured against: the least that the card asks for, pam_pkcs11 and pam_p11.

The two modules are set up so that they accept the card for good reasons: pam_pkcs11 checks
the chain up to the site's root and a signature by the card, and maps the holder's name to
the user by a file; pam_p11 compares with the certificate in the user's home, and checks a
signature. Both use OpenSC as its package ships it.
"""
import hashlib
import pathlib
import pwd
import shutil
import subprocess
import time

import pivclient
import scard

PKCS11 = next(iter(sorted(pathlib.Path("/usr/lib").glob("*/opensc-pkcs11.so"))), None)
CONFIGURATION = """pam_pkcs11 {
  nullok = false;
  debug = false;
  use_first_pass = false;
  try_first_pass = false;
  use_pkcs11_module = opensc;
  pkcs11_module opensc {
    module = %s;
    slot_description = "none";
    ca_dir = /etc/pam_pkcs11/cacerts;
    crl_dir = /etc/pam_pkcs11/crls;
    support_threads = false;
    cert_policy = ca,signature;
  }
  use_mappers = cn;
  mapper cn {
    module = internal;
    ignorecase = false;
    mapfile = file:///etc/pam_pkcs11/cn_map;
  }
}
"""


def set_up_pam_pkcs11(user, holder, authorities):
    """authorities: PEM files of the CAs. Returns the name of the PAM service."""
    folder = pathlib.Path("/etc/pam_pkcs11")
    for name in ("cacerts", "crls"):
        (folder / name).mkdir(parents=True, exist_ok=True)
    for number, path in enumerate(authorities):
        shutil.copy(path, folder / "cacerts" / ("%d.pem" % number))
    subprocess.run(["openssl", "rehash", folder / "cacerts"], check=True)
    (folder / "cn_map").write_text("%s -> %s\n" % (holder, user))
    (folder / "pam_pkcs11.conf").write_text(CONFIGURATION % PKCS11)
    pathlib.Path("/etc/pam.d/bench-pam-pkcs11").write_text("auth required pam_pkcs11.so\n")
    return "bench-pam-pkcs11"


def set_up_pam_p11(user, certificate, home):
    """certificate: the card's, PEM; home: where the user's home may be put."""
    subprocess.run(["usermod", "--home", home, user], check=True)
    folder = pathlib.Path(home, ".eid")
    folder.mkdir(parents=True)
    shutil.copy(certificate, folder / "authorized_certificates")
    entry = pwd.getpwnam(user)
    for path in (pathlib.Path(home), folder, folder / "authorized_certificates"):
        shutil.chown(path, entry.pw_uid, entry.pw_gid)
        path.chmod(0o755 if path.is_dir() else 0o644)
    pathlib.Path("/etc/pam.d/bench-pam-p11").write_text("auth required pam_p11.so %s\n" % PKCS11)
    return "bench-pam-p11"


def floor_login(context, pin):
    """A signature by the key in 9A with what SP 800-73-4 asks for and nothing else: SELECT,
    VERIFY, GENERAL AUTHENTICATE in two parts and the rest of its answer. Returns seconds from
    before VERIFY to the signature."""
    block = pivclient.pkcs1_block(hashlib.sha256(b"benchmark").digest())
    with context.connect() as card:
        card.begin()
        if pivclient.select(card) != 0x9000:
            raise RuntimeError("SELECT failed")
        began = time.monotonic()
        verified = pivclient.verify(card, pin)
        signature, sw = pivclient.authenticate(card, "9a", "rsa2048", block)
        ended = time.monotonic()
        card.end(scard.RESET)
    if verified != 0x9000 or sw != 0x9000 or len(signature) != 256:
        raise RuntimeError("VERIFY %04X, GENERAL AUTHENTICATE %04X" % (verified, sw))
    return ended - began
