#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""A throw-away PKI for tests: for each scheme a root and an issuing CA, people's certificates,
and for each way of going wrong one certificate that goes wrong in this way only.

    pki.py DIR                       makes the whole set
    pki.py DIR issue SCHEME PROFILE KEYFILE OUT
                                     makes one certificate (DER) for a card's key (PEM or DER,
                                     public or private) from the CAs that DIR holds

DIR/ca/SCHEME/*.pem      as /etc/hygie/ca; also CAs that were given no right to do what they do
DIR/ca-twin/SCHEME/      CAs of the same names with other keys, which nobody configured
DIR/leaf/SCHEME/*.der    certificates; the names are the profiles
DIR/keys/*.pem           private keys: rsa2048.pem and p256.pem belong to the leaves

As a module: Pki(DIR).issue(scheme, profile, spki). Worth nothing outside of tests.
"""

import base64
import os
import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))

import certificates as c  # noqa: E402
import der  # noqa: E402
import fr_igc_sante  # noqa: E402
import us_piv  # noqa: E402

SCHEMES = {"us-piv": us_piv, "fr-igc-sante": fr_igc_sante}

US_ROOT = c.name(("C", "US"), ("O", "Hygie Tests"), ("CN", "PIV Test Root"))
US_ISSUING = c.name(("C", "US"), ("O", "Hygie Tests"), ("CN", "PIV Test Issuing"))
FR_END = [("OU", "IGC-SPECIMEN"), ("OU", "0002 000000000"), ("O", "SPECIMEN"), ("C", "FR")]


def fr_name(common_name):
    return c.name(("CN", common_name), *FR_END)


def pem(content):
    text = base64.encodebytes(content).decode("ascii")
    return f"-----BEGIN CERTIFICATE-----\n{text}-----END CERTIFICATE-----\n"


class Pki:
    """The CAs in a directory; made from the keys there, which are made at first use.
    unfit=False: only those that issue good certificates, and their twins."""

    def __init__(self, directory, unfit=True):
        self.directory = pathlib.Path(directory)
        self.rsa, self.p256 = self.key("rsa2048", "rsa:2048"), self.key("p256", "P-256")
        self.ca = {"us-piv": {}, "fr-igc-sante": {}}
        self.twin = {"us-piv": {}, "fr-igc-sante": {}}
        self.make_us(self.ca["us-piv"], "ca-us-root", "ca-us-issuing")
        self.make_us(self.twin["us-piv"], "twin-us-root", "twin-us-issuing")
        self.make_fr(self.ca["fr-igc-sante"], "ca-fr-root", "ca-fr-issuing")
        self.make_fr(self.twin["fr-igc-sante"], "twin-fr-root", "twin-fr-issuing")
        if unfit:
            self.make_us_unfit(self.ca["us-piv"])
            self.make_fr_others(self.ca["fr-igc-sante"])

    def key(self, name, kind):
        return c.Key(self.directory / "keys" / f"{name}.pem", kind)

    def make_us(self, ca, root_key, issuing_key):
        ca["root"] = c.Authority(US_ROOT, self.key(root_key, "P-256"))
        ca["issuing"] = c.Authority(US_ISSUING, self.key(issuing_key, "P-256"), ca["root"],
                                    pathlen=0)

    def make_fr(self, ca, root_key, issuing_key):
        ca["root"] = c.Authority(fr_name("AC RACINE IGC-SPECIMEN FORT"),
                                 self.key(root_key, "rsa:2048"))
        ca["issuing"] = c.Authority(fr_name("AC IGC-SPECIMEN FORT PERSONNES"),
                                    self.key(issuing_key, "rsa:2048"), ca["root"], pathlen=0)

    def make_us_unfit(self, ca):
        """Intermediates below the good root, each unfit in one way."""
        other = self.key("ca-us-unfit", "P-256")

        def below(parent, common_name, key=other, **changes):
            subject = c.name(("C", "US"), ("O", "Hygie Tests"), ("CN", common_name))
            return c.Authority(subject, key, ca[parent], **changes)

        ca["beyond-pathlen"] = below("issuing", "PIV Test Beyond Path Length")
        ca["expired"] = below("root", "PIV Test Expired", not_after=c.NOW - c.DAY)
        ca["future"] = below("root", "PIV Test Future", not_before=c.NOW + 2 * c.DAY)
        ca["sha1"] = below("root", "PIV Test SHA-1", digest="sha1")
        ca["weak"] = below("root", "PIV Test Weak", key=self.key("ca-us-weak", "rsa:1024"))
        ca["weak-curve"] = below("root", "PIV Test Weak Curve",
                                 key=self.key("ca-us-weak-curve", "P-224"))
        ca["server"] = below("root", "PIV Test Server",
                             more=(c.extended_key_usage(c.SERVER_AUTH),))
        ca["logon"] = below("root", "PIV Test Logon",
                            more=(c.extended_key_usage(c.SMARTCARD_LOGON),))
        ca["constrained"] = below("root", "PIV Test Constrained", more=(
            c.permitted_directory(c.name(*us_piv.SUBJECT)),))
        ca["policy"] = below("root", "PIV Test Policy", more=(
            c.policies("2.16.840.1.101.3.2.1.3.13"),
            c.extension("2.5.29.36", der.sequence(der.implicit(0, b"\0")), critical=True)))

    def make_fr_others(self, ca):
        other = self.key("ca-fr-others", "rsa:2048")
        for name, common_name in {
                "test": "TEST AC IGC-SPECIMEN FORT PERSONNES",
                "organisations": "AC IGC-SPECIMEN FORT ORGANISATIONS",
                "elementary": "AC IGC-SPECIMEN ELEMENTAIRE PERSONNES"}.items():
            ca[name] = c.Authority(fr_name(common_name), other, ca["root"], pathlen=0)
        ca["sha1-root"] = c.Authority(fr_name("AC RACINE IGC-SPECIMEN ANCIENNE"),
                                      self.key("ca-fr-old", "rsa:2048"), digest="sha1")
        ca["below-sha1-root"] = c.Authority(fr_name("AC IGC-SPECIMEN ANCIENNE PERSONNES"),
                                            other, ca["sha1-root"], pathlen=0)

    def issue(self, scheme, profile, spki, authority="issuing", **changes):
        """One certificate in DER; changes override what the profile says."""
        module = SCHEMES[scheme]
        wanted = {**module.HOLDERS[profile], **changes}
        return module.person(self.ca[scheme][authority], spki, **wanted)

    def leaves(self):
        """Everything that the set holds: (scheme, name, DER)."""
        for scheme, module in SCHEMES.items():
            for profile in module.HOLDERS:
                yield scheme, profile, self.issue(scheme, profile, self.rsa.spki)
            for name, content in self.unfit(scheme, module):
                yield scheme, name, content
        yield from self.us_chains()
        yield from self.fr_chains()

    def unfit(self, scheme, module):
        """What no scheme accepts, whoever the holder is."""
        rsa, twin = self.rsa.spki, self.twin[scheme]["issuing"]
        issuing = self.ca[scheme]["issuing"]

        def person(spki=rsa, authority=issuing, **changes):
            return module.person(authority, spki, **changes)

        yield "p256", person(self.p256.spki)
        yield "twin-ca", person(authority=twin)
        yield "twin-ca-akid", person(authority=twin, akid=c.key_id(issuing.key.spki))
        yield "no-akid", person(akid=b"")
        yield "expired", person(not_before=c.NOW - 9 * c.DAY, not_after=c.NOW - c.DAY)
        yield "future", person(not_before=c.NOW + 2 * c.DAY)
        yield "usage-missing", person(usage=None)
        yield "usage-non-repudiation", person(usage=c.NON_REPUDIATION)
        yield "eku-missing", person(extended=())
        yield "eku-email", person(extended=(c.EMAIL_PROTECTION,))
        yield "eku-client", person(extended=(c.CLIENT_AUTH,))
        yield "eku-logon", person(extended=(c.SMARTCARD_LOGON,))
        yield "eku-any", person(extended=("2.5.29.37.0",))
        yield "ca-true", person(more=(c.basic_constraints(True),))
        yield "ca-false", person(more=(c.basic_constraints(False),))
        yield "cert-sign", person(usage=c.DIGITAL_SIGNATURE | c.KEY_CERT_SIGN)
        yield "critical-unknown", person(
            more=(c.extension("1.3.6.1.4.1.55555.1", der.null(), critical=True),))
        yield "unknown-not-critical", person(
            more=(c.extension("1.3.6.1.4.1.55555.1", der.null()),))
        yield "rsa1024", person(self.key("rsa1024", "rsa:1024").spki)
        for name, kind in {"p384": "P-384", "p521": "P-521", "bp256": "brainpoolP256r1",
                           "bp384": "brainpoolP384r1", "p224": "P-224", "k256": "secp256k1",
                           "p256-explicit": "P-256:explicit", "ed25519": "ed25519"}.items():
            yield name, person(self.key(name, kind).spki)

    def us_chains(self):
        spki = self.rsa.spki
        for name in ("beyond-pathlen", "expired", "future", "sha1", "weak", "weak-curve",
                     "server", "logon", "constrained", "policy"):
            yield "us-piv", "below-" + name, self.issue("us-piv", "person", spki, name)
        outside = c.name(("C", "US"), ("O", "Elsewhere"), ("CN", "ALEX"))
        yield "us-piv", "below-constrained-outside", self.ca["us-piv"]["constrained"].issue(
            outside, spki, [c.key_usage(c.DIGITAL_SIGNATURE),
                            c.extended_key_usage(c.CLIENT_AUTH)])
        yield "us-piv", "below-policy-other", self.issue(
            "us-piv", "person", spki, "policy", policy="1.3.6.1.4.1.55555.2")
        yield "us-piv", "sha1-signed", self.issue("us-piv", "person", spki, digest="sha1")
        yield from self.leaf_as_ca()
        alone = c.Authority(c.name(*us_piv.SUBJECT, ("CN", "ALEX")), self.rsa)
        yield "us-piv", "self-signed", us_piv.person(alone, spki)
        yield "us-piv", "self-signed-ca", alone.der

    def leaf_as_ca(self):
        """A person's key signs another certificate, in the name of its own."""
        leaf = c.Authority(c.name(*us_piv.SUBJECT, ("CN", "LEAF")), self.p256,
                           self.ca["us-piv"]["issuing"], constraints=False)
        yield "us-piv", "leaf-that-signs", leaf.der
        yield "us-piv", "below-leaf", us_piv.person(leaf, self.rsa.spki)

    def fr_chains(self):
        spki = self.rsa.spki
        for name in ("test", "organisations", "elementary", "below-sha1-root"):
            label = name if name.startswith("below") else "below-" + name
            yield "fr-igc-sante", label, self.issue("fr-igc-sante", "person", spki, name)
        for digest in ("md5", "sha1"):
            yield "fr-igc-sante", digest + "-signed", self.issue(
                "fr-igc-sante", "person", spki, digest=digest)

    def write_authorities(self):
        for folder, kinds in {"ca": self.ca, "ca-twin": self.twin}.items():
            for scheme, authorities in kinds.items():
                path = self.directory / folder / scheme
                path.mkdir(parents=True, exist_ok=True)
                for name, authority in authorities.items():
                    (path / f"{name}.pem").write_text(pem(authority.der), encoding="ascii")

    def write_leaves(self):
        for scheme, name, content in self.leaves():
            path = self.directory / "leaf" / scheme
            path.mkdir(parents=True, exist_ok=True)
            (path / f"{name}.der").write_bytes(content)


def main(arguments):
    os.umask(0o022)  # CAs that others may write are refused, and these must not be
    if len(arguments) == 1:
        pki = Pki(arguments[0])
        pki.write_authorities()
        pki.write_leaves()
    elif len(arguments) == 6 and arguments[1] == "issue":
        directory, _, scheme, profile, key_file, out = arguments
        pki = Pki(directory)
        pki.write_authorities()
        pathlib.Path(out).write_bytes(pki.issue(scheme, profile, c.public_key(key_file)))
    else:
        print(__doc__, file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
