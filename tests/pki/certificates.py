# SPDX-License-Identifier: Apache-2.0
"""Keys, names, extensions and signed certificates for tests, good and bad.

Keys and signatures are made by the openssl command; all the rest is written here, because the
command refuses to write most of what the tests need.
"""

import datetime
import hashlib
import os
import pathlib
import subprocess

import der

NOW = datetime.datetime.now(datetime.timezone.utc).replace(microsecond=0)
DAY = datetime.timedelta(days=1)

OIDS = {
    "C": "2.5.4.6", "O": "2.5.4.10", "OU": "2.5.4.11", "CN": "2.5.4.3", "SN": "2.5.4.4",
    "GN": "2.5.4.42", "ST": "2.5.4.8", "title": "2.5.4.12", "pseudonym": "2.5.4.65",
}
CLIENT_AUTH = "1.3.6.1.5.5.7.3.2"
SERVER_AUTH = "1.3.6.1.5.5.7.3.1"
SMARTCARD_LOGON = "1.3.6.1.4.1.311.20.2.2"
CARD_AUTH = "2.16.840.1.101.3.6.8"
EMAIL_PROTECTION = "1.3.6.1.5.5.7.3.4"

DIGITAL_SIGNATURE, NON_REPUDIATION = 0x80, 0x40
KEY_CERT_SIGN, CRL_SIGN = 0x04, 0x02


def openssl(*arguments, data=None):
    done = subprocess.run(["openssl", *arguments], input=data, check=True,
                          stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    return done.stdout


class Key:
    """A private key in a PEM file, made at first use: kind is rsa:BITS, a curve or ed25519."""

    def __init__(self, path, kind):
        self.path = pathlib.Path(path)
        self.kind = kind
        if not self.path.exists():
            self.path.parent.mkdir(parents=True, exist_ok=True)
            openssl("genpkey", "-out", str(self.path), *self.options())
        self.spki = self.public()

    def public(self):
        """The public half, kept beside the private one."""
        kept = self.path.with_suffix(".spki")
        if not kept.exists():
            content = openssl("pkey", "-in", str(self.path), "-pubout", "-outform", "DER")
            whole = self.path.with_suffix(".%d" % os.getpid())
            whole.write_bytes(content)
            whole.rename(kept)
        return kept.read_bytes()

    def options(self):
        if self.kind.startswith("rsa:"):
            return ["-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:" + self.kind[4:]]
        if self.kind == "ed25519":
            return ["-algorithm", "ED25519"]
        curve, _, encoding = self.kind.partition(":")
        return ["-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:" + curve,
                "-pkeyopt", "ec_param_enc:" + (encoding or "named_curve")]

    def sign(self, data, digest):
        return openssl("dgst", "-" + digest, "-sign", str(self.path), data=data)

    def algorithm(self, digest):
        rsa = {"md5": "1.2.840.113549.1.1.4", "sha1": "1.2.840.113549.1.1.5",
               "sha256": "1.2.840.113549.1.1.11"}
        ec = {"sha1": "1.2.840.10045.4.1", "sha256": "1.2.840.10045.4.3.2"}
        if self.kind.startswith("rsa:"):
            return der.sequence(der.oid(rsa[digest]), der.null())
        return der.sequence(der.oid(ec[digest]))


def public_key(path):
    """The SubjectPublicKeyInfo of a PEM or DER file with a public or a private key."""
    for public in ([], ["-pubin"]):
        try:
            return openssl("pkey", *public, "-in", str(path), "-pubout", "-outform", "DER")
        except subprocess.CalledProcessError:
            continue
    raise SystemExit(f"{path}: neither a public nor a private key")


def key_id(spki):
    """An identifier as RFC 7093 allows: any hash of the key that is always the same."""
    return hashlib.sha256(spki).digest()[:20]


def attribute(kind, value):
    """TYPE=value; text becomes UTF8String (C: PrintableString), bytes are taken as DER."""
    if isinstance(value, str):
        value = der.printable(value) if kind == "C" else der.utf8(value)
    return der.sequence(der.oid(OIDS[kind]), value)


def name(*rdns, make_set=der.set_of):
    """Each RDN is one (type, value) or a list of them: a multi-valued one."""
    encoded = b""
    for rdn in rdns:
        pairs = rdn if isinstance(rdn, list) else [rdn]
        encoded += make_set(*(attribute(kind, value) for kind, value in pairs))
    return der.sequence(encoded)


def extension(dotted, value, critical=False):
    flag = der.boolean(True) if critical else b""
    return der.sequence(der.oid(dotted), flag, der.octets(value))


def basic_constraints(ca, pathlen=None):
    inside = der.boolean(True) if ca else b""
    if pathlen is not None:
        inside += der.integer(pathlen)
    return extension("2.5.29.19", der.sequence(inside), critical=True)


def key_usage(flags):
    unused = (flags & -flags).bit_length() - 1
    return extension("2.5.29.15", der.bits(bytes([flags]), unused), critical=True)


def extended_key_usage(*usages):
    return extension("2.5.29.37", der.sequence(*(der.oid(usage) for usage in usages)))


def policies(*dotted):
    return extension("2.5.29.32", der.sequence(*(der.sequence(der.oid(p)) for p in dotted)))


def alternative_names(*general_names):
    return extension("2.5.29.17", der.sequence(*general_names))


def other_name(dotted, value):
    return der.explicit(0, der.oid(dotted), der.explicit(0, value))


def permitted_directory(directory_name):
    subtree = der.sequence(der.explicit(4, directory_name))
    return extension("2.5.29.30", der.sequence(der.explicit(0, subtree)), critical=True)


def key_identifiers(spki, issuer_key_id):
    ids = [extension("2.5.29.14", der.octets(key_id(spki)))]
    if issuer_key_id is not None:
        ids.append(extension("2.5.29.35", der.sequence(der.implicit(0, issuer_key_id))))
    return ids


def sign(issuer_name, issuer_key, subject, spki, extensions, serial, digest="sha256",
         not_before=NOW - DAY, not_after=NOW + 365 * DAY):
    algorithm = issuer_key.algorithm(digest)
    tbs = der.sequence(
        der.explicit(0, der.integer(2)), der.integer(serial), algorithm, issuer_name,
        der.sequence(der.time(not_before), der.time(not_after)), subject, spki,
        der.explicit(3, der.sequence(*extensions)))
    return der.sequence(tbs, algorithm, der.bits(issuer_key.sign(tbs, digest)))


class Authority:
    """A CA: its name, its key and its certificate; parent None makes it self-signed."""

    def __init__(self, subject, key, parent=None, pathlen=None, more=(), constraints=True,
                 akid=True, **signing):
        self.name, self.key = subject, key
        parent = parent or self
        extensions = [key_usage(KEY_CERT_SIGN | CRL_SIGN), *more]
        if constraints:
            extensions.append(basic_constraints(True, pathlen))
        extensions += key_identifiers(key.spki, key_id(parent.key.spki) if akid else None)
        signing.setdefault("not_after", NOW + 3650 * DAY)
        signing.setdefault("not_before", NOW - 3650 * DAY)
        self.der = sign(parent.name, parent.key, subject, key.spki, extensions,
                        Authority.new_serial(), **signing)

    @staticmethod
    def new_serial():
        return int.from_bytes(b"\x01" + os.urandom(11), "big")

    def issue(self, subject, spki, extensions, akid=None, **signing):
        """A leaf; akid overrides the issuer's key identifier, b"" leaves it out."""
        issuer_key_id = key_id(self.key.spki) if akid is None else akid or None
        extensions = [*extensions, *key_identifiers(spki, issuer_key_id)]
        return sign(self.name, self.key, subject, spki, extensions,
                    Authority.new_serial(), **signing)
