# SPDX-License-Identifier: Apache-2.0
"""Every kind of token that Hygie is tried on, behind one shape: a station of its own, people's
tokens made and put in, and what can be seen of them from outside of Hygie.

    with CardToken("piv-rsa2048", "rsa2048").start(home) as token:
        alice = token.make("alice")
        with token.inserted(alice) as held:      # put in and read
            token.station.enrol("alice")
            held.attempts()                      # PINs that reached it since the last forget()

A token's `capabilities` say which scenarios can be played on it; see test_tokens.py. Not here:
what ought to happen, which the scenarios say.
"""
import contextlib
import os
import pathlib
import pwd
import shutil
import struct
import subprocess
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))

import pivcard  # noqa: E402
import pivclient  # noqa: E402
import station as st  # noqa: E402

YUBIKEY_ATR = "3bfd1300008131fe158073c021c057597562694b657940"
YKCS11_PROFILE = """[card ykcs11]
atr = %s
module = libykcs11.so.2
pin_min = 6
pin_max = 8
pin_charset = digits
unblock = ykcs11
exclusive = no
""" % YUBIKEY_ATR
SOFTHSM = "/usr/lib/softhsm/libsofthsm2.so"
SOFTHSM_PROFILE = """[card softhsm]
uri = pkcs11:token=Trial
module = libsofthsm2.so
pin_min = 6
pin_max = 8
pin_charset = digits
unblock = officer
paths_rw = %s
environment = SOFTHSM2_CONF=%s
"""
# NIST SP 800-73-4, part 1, table 3: what OpenSC asks before it looks for retired keys.
KEY_HISTORY, FIRST_RETIRED = 0x5FC10C, 0x5FC10D


def _certificate_object(der):
    return pivclient.tlv(0x53, pivclient.tlv(0x70, der) + bytes.fromhex("710100fe00"))


class Token:
    """What all have in common. `kind` as in pivcard.KINDS; `capabilities` a set of words."""

    reader = "Virtual PCD"
    module = "opensc-pkcs11.so"
    with_pcscd = True
    profile = None

    def __init__(self, name, kind, *capabilities):
        self.name, self.kind, self.capabilities = name, kind, set(capabilities)
        self.station = self.home = None

    @contextlib.contextmanager
    def start(self, home, keys, config=""):
        """Its workstation, with Alice's and Bob's tokens made and enrolled."""
        self.home = pathlib.Path(home)
        self.prepare()
        profiles = {"50-token.conf": self.profile} if self.profile else {}
        with st.Station(self.home, config, self.reader, keys, profiles,
                        self.with_pcscd) as self.station:
            try:
                self.people = {name: self.make(name) for name in ("alice", "bob")}
                for name, content in self.people.items():
                    with self.inserted(content):
                        self.station.enrol(name)
                yield self
            finally:
                for name in profiles:
                    (st.CARDS / name).unlink()

    def prepare(self):
        """What must be there before the station starts."""

    def person(self, name):
        """That person's enrolled token, put in."""
        return self.inserted(self.people[name])

    def certified(self, name, slot="9a", person=None, certificate=None):
        """(key, certificate) files: of that person, for a key of that name."""
        key = self.station.keys.key(self.kind, "%s-%s-%s" % (self.name, name, slot))
        if certificate is None:
            certificate = self.station.certificate(key, self.home / (name + ".crt"),
                                                   name=person or name.capitalize() + " Specimen")
        return key, pathlib.Path(certificate)

    def fillers(self, count):
        """So many other certificates, DER."""
        if count == 0:
            return []
        path = self.home / "filler.crt"
        pivcard.self_signed(self.station.keys.key("p256", "filler"), path, "/CN=filler")
        return [pivcard.openssl("x509", "-in", path, "-outform", "DER")] * count


class HeldCard:
    """A virtual card that is in a reader."""

    def __init__(self, station, card):
        self.station, self.card = station, card

    def attempts(self):
        return self.card.verify_count()

    def forget(self):
        self.card.reset_count()

    def settle(self):
        """Until it can serve the next login, so that nothing more reaches it by itself."""
        self.station.wait_ready()

    def pull(self):
        count = self.station.log().count("card removed") + 1
        self.card.remove()
        self.station.wait_log("card removed", count=count)


class CardToken(Token):
    """The virtual PIV card, by OpenSC, or by ykcs11 in a reader that it takes."""

    def __init__(self, name, kind, *capabilities, atr=None, ykcs11=False):
        super().__init__(name, kind, "reader", "removal", "retry-counter", *capabilities)
        self.atr = "yubikey" if ykcs11 else atr
        if ykcs11:
            self.reader, self.profile = "Yubico YubiKey CCID", YKCS11_PROFILE
            self.module = "libykcs11"

    def make(self, name, slot="9a", fillers=0, **who):
        key, certificate = self.certified(name, slot, **who)
        objects = {}
        for number, der in enumerate(self.fillers(fillers)):
            objects[FIRST_RETIRED + number] = _certificate_object(der)
        if fillers:
            objects[KEY_HISTORY] = pivclient.tlv(0x53, bytes([0xC1, 1, fillers, 0xC2, 1, 0,
                                                              0xF3, 0, 0xFE, 0]))
        return pivcard.make_card(self.home / "cards" / name, {slot: key}, self.station.keys,
                                 certificates={slot: certificate}, pin=st.PIN, objects=objects)

    @contextlib.contextmanager
    def inserted(self, content, tries=None, gzip=False):
        with self.station.card(content, atr=self.atr, gzip=gzip, absent=True) as card:
            if tries is not None:
                card.set_tries(tries)
            card.insert()
            self.station.wait_ready()
            held = HeldCard(self.station, card)
            held.forget()
            yield held


class HeldFiles:
    """SoftHSM's token, in place. It counts nothing, but notes that a PIN was wrong."""

    FLAGS = struct.pack(">QQ", 0x8000534B, 2)  # CKA_OS_TOKENFLAGS, an unsigned long
    WRONG = 0x10000  # CKF_USER_PIN_COUNT_LOW
    WORDS = {"final": 0x20000, "locked": 0x40000, "must-change": 0x80000}

    def __init__(self, station, place):
        self.station, self.place = station, place

    def _object(self):
        return next(self.place.rglob("token.object"))

    def flags(self):
        content = self._object().read_bytes()
        at = content.index(self.FLAGS) + len(self.FLAGS)
        return struct.unpack(">Q", content[at:at + 8])[0]

    def set_flags(self, flags):
        content = self._object().read_bytes()
        at = content.index(self.FLAGS) + len(self.FLAGS)
        content = content[:at] + struct.pack(">Q", flags) + content[at + 8:]
        self._object().write_bytes(content)

    def attempts(self):
        return 1 if self.flags() & self.WRONG else 0

    def forget(self):
        self.set_flags(self.flags() & ~self.WRONG)

    def settle(self):
        self.station.wait_ready()


class SoftToken(Token):
    """SoftHSM: a token by URI, in files, without a reader. Being put in is being there when
    hygied starts."""

    with_pcscd = False
    module = "libsofthsm2.so"
    CKA_ID = "0a"

    def prepare(self):
        self.place, self.conf = self.home / "place", self.home / "softhsm2.conf"
        self.place.mkdir()
        self.write_conf(self.place)
        self.profile = SOFTHSM_PROFILE % (self.place, self.conf)

    def write_conf(self, tokens):
        self.conf.write_text("directories.tokendir = %s\nobjectstore.backend = file\n"
                             "log.level = ERROR\n" % tokens)

    def run(self, *words):
        subprocess.run([str(word) for word in words], check=True, stdout=subprocess.DEVNULL,
                       env={**os.environ, "SOFTHSM2_CONF": str(self.conf)})

    def add_certificate(self, path, object_id):
        self.run("pkcs11-tool", "--module", SOFTHSM, "--token-label", "Trial", "--login",
                 "--pin", st.PIN, "--write-object", path, "--type", "cert", "--id", object_id)

    def make(self, name, fillers=0, **who):
        """A folder as SoftHSM keeps it, with one key and its certificate."""
        key, certificate = self.certified(name, **who)
        content = self.home / "contents" / name
        content.mkdir(parents=True)
        self.write_conf(content)
        self.run("softhsm2-util", "--init-token", "--free", "--label", "Trial", "--pin", st.PIN,
                 "--so-pin", "12345678")
        der = self.home / "certificate.der"
        for number, filler in enumerate(self.fillers(fillers)):
            der.write_bytes(filler)
            self.add_certificate(der, "%02x" % (0x80 + number))
        self.run("softhsm2-util", "--import", key, "--token", "Trial", "--label", name,
                 "--id", self.CKA_ID, "--pin", st.PIN)
        der.write_bytes(pivcard.openssl("x509", "-in", certificate, "-outform", "DER"))
        self.add_certificate(der, self.CKA_ID)
        self.write_conf(self.place)
        return content

    def fill_place(self, content):
        owner = pwd.getpwnam("hygie-token")
        for path in self.place.iterdir():
            shutil.rmtree(path)
        shutil.copytree(content, self.place, dirs_exist_ok=True)
        for path in [self.conf, self.place, *self.place.rglob("*")]:
            os.chown(path, owner.pw_uid, owner.pw_gid)

    @contextlib.contextmanager
    def inserted(self, content, word=None):
        self.station.stop_hygied()
        self.fill_place(content)
        held = HeldFiles(self.station, self.place)
        if word:
            held.set_flags(held.flags() | held.WORDS[word])
        self.start_hygied()
        self.station.wait_ready()
        yield held

    def start_hygied(self):
        """Started anew each time: wait_log looks for what was said since then."""
        self.station.log_path.unlink(missing_ok=True)
        self.station.start_hygied()


OPENSC = ("exclusive", "second-key", "many-certificates", "gzip")
TOKENS = [
    CardToken("piv-rsa2048", "rsa2048", *OPENSC),
    CardToken("piv-rsa3072", "rsa3072", *OPENSC),
    CardToken("piv-p256", "p256", *OPENSC, atr="yubikey"),
    CardToken("piv-p384", "p384", *OPENSC, atr="yubikey"),
    CardToken("ykcs11-rsa2048", "rsa2048", "second-key", "many-certificates",
              ykcs11=True),
    CardToken("ykcs11-p256", "p256", "second-key", "many-certificates", ykcs11=True),
    SoftToken("softhsm-rsa2048", "rsa2048", "flags", "many-certificates"),
    SoftToken("softhsm-p256", "p256", "flags", "many-certificates"),
    SoftToken("softhsm-p384", "p384", "flags", "many-certificates"),
]
