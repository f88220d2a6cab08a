# SPDX-License-Identifier: Apache-2.0
"""One hygie-token from Python, by way of token-driver.

    with Helper(module, uri="pkcs11:token=Card", ...) as helper:
        helper.warm()                       # until it is ready, or has ended
        helper.login("123456")              # then helper.outcome, .signatures, .end ...

Signatures are checked here by the openssl command: what the helper says proves nothing.
"""
import os
import pathlib
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests"))

from wire import TAGS  # noqa: E402

BUILD = pathlib.Path(os.environ.get("HYGIE_BUILD", ROOT / "build"))
UID = GID = 54321
HASHES = {1: "sha256", 2: "sha256", 3: "sha256", 4: "sha384"}
PSS = ["-sigopt", "rsa_padding_mode:pss", "-sigopt", "rsa_pss_saltlen:32"]


def sign(object_id, data):
    return [("--u32", "TAG_OPERATION", "1"), ("--hex", "TAG_OBJECT_ID", object_id),
            ("--hex", "TAG_DATA", data.hex())]


def pin_order(operation, new, way=None):
    """ORDER_PIN, whose TAG_PIN login() brings: operation 3 changes, 4 unblocks, in the way
    that protocol.h numbers."""
    fields = [("--u32", "TAG_OPERATION", str(operation))]
    if way is not None:
        fields.append(("--u32", "TAG_UNBLOCK_BY", str(way)))
    return fields + ([("--field", "TAG_NEW_PIN", new)] if new is not None else [])


def decrypt(object_id, data, oaep=None):
    hashing = [("--u32", "TAG_OAEP_HASH", str(oaep))] if oaep else []
    return [("--u32", "TAG_OPERATION", "2"), ("--hex", "TAG_OBJECT_ID", object_id),
            ("--hex", "TAG_DATA", data.hex())] + hashing


def derive(object_id, point):
    return [("--u32", "TAG_OPERATION", "5"), ("--hex", "TAG_OBJECT_ID", object_id),
            ("--hex", "TAG_DATA", point.hex())]


class Helper:
    def __init__(self, module, reader=None, others=(), driver=None, uri=None, rw=(),
                 environment=(), pin=(4, 8, "digits"), operations=(), timeout=10000,
                 fields=(), options=(), uid=UID, gid=GID, order="--login"):
        start = [("--field", "TAG_MODULE", str(module)), ("--u32", "TAG_USER_ID", str(uid)),
                 ("--u32", "TAG_GROUP_ID", str(gid)), ("--u32", "TAG_PIN_MIN", str(pin[0])),
                 ("--u32", "TAG_PIN_MAX", str(pin[1])), ("--field", "TAG_PIN_CHARSET", pin[2])]
        for tag, value in (("TAG_READER_NAME", reader), ("TAG_DRIVER", driver),
                           ("TAG_TOKEN_URI", uri)):
            if value is not None:
                start.append(("--field", tag, value))
        start += [("--field", "TAG_OTHER_READER", name) for name in others]
        start += [("--field", "TAG_PATH_RW", str(path)) for path in rw]
        start += [("--field", "TAG_ENVIRONMENT", entry) for entry in environment]
        self.command = [str(BUILD / "tests" / "token-driver"), str(BUILD / "hygie-token"),
                        "--timeout", str(timeout), *options, *_words(start), *_words(fields)]
        if operations:
            self.command += [order, *_words(operations)]
        self.token, self.certificates, self.certificate_count = {}, {}, 0
        self.signatures, self.secrets = [], []
        self.pid = self.outcome = self.text = self.end = None
        self.flags, self.ready, self.timed_out = None, False, False
        self.process = self.stderr = None

    def __enter__(self):
        self._log = tempfile.TemporaryFile("w+")
        self.process = subprocess.Popen(self.command, stdin=subprocess.PIPE, stderr=self._log,
                                        stdout=subprocess.PIPE, text=True)
        return self

    def __exit__(self, *_):
        self.process.stdin.close()
        self.process.stdout.read()
        self.process.stdout.close()
        self.process.wait(30)

    def warm(self):
        """Reads until the helper is ready or has ended; returns self."""
        self._read(until="ready")
        return self

    def login(self, pin):
        """Sends ORDER_LOGIN with that PIN (None: without one); reads to the end."""
        self.process.stdin.write(("-" if pin is None else pin) + "\n")
        self.process.stdin.flush()
        self._read(until=None)
        return self

    def hang_up(self):
        self.process.stdin.close()
        self._read(until=None)
        self.process.stdin = open(os.devnull, "w")
        return self

    def run(self, pin="123456"):
        """warm and login; login only if it came to be ready."""
        self.warm()
        return self.login(pin) if self.ready else self

    def said(self):
        """What the helper and its module wrote to standard output and error."""
        self._log.seek(0)
        return self._log.read()

    def _read(self, until):
        for line in self.process.stdout:
            word, _, rest = line.rstrip("\n").partition(" ")
            self._take(word, rest)
            if word == until:
                return

    def _take(self, word, rest):
        if word == "started":
            self.pid = int(rest)
        elif word == "ready":
            self.ready = True
        elif word == "token":
            tag, _, text = rest.partition(" ")
            self.token[int(tag, 0)] = text
        elif word == "certificate":
            object_id, _, rest = rest.partition(" ")
            label, _, der = rest.rpartition(" ")
            self.certificates[object_id] = (label, bytes.fromhex(der))
            self.certificate_count += 1
        elif word == "signature":
            scheme, _, value = rest.partition(" ")
            self.signatures.append((int(scheme), bytes.fromhex(value.strip("-"))))
        elif word == "secret":
            self.secrets.append(bytes.fromhex(rest.strip("-")))
        elif word == "done":
            self.outcome = rest
        elif word == "failed":
            self.outcome, flags, self.text = rest.split(" ", 2)
            self.flags = None if flags == "-" else int(flags, 0)
        elif word == "timeout":
            self.timed_out = True
        elif word in ("exited", "killed"):
            self.end = (word, int(rest))
        else:
            raise AssertionError("token-driver said: %s %s" % (word, rest))

    def token_field(self, tag):
        return self.token[TAGS[tag]]


def _words(fields):
    return [word for option, tag, value in fields
            for word in (option, "%d:%s" % (TAGS[tag], value))]


def _integer(value):
    value = value.lstrip(b"\0") or b"\0"
    if value[0] & 0x80:
        value = b"\0" + value
    return bytes([2, len(value)]) + value


def _ecdsa_der(raw):
    half = len(raw) // 2
    body = _integer(raw[:half]) + _integer(raw[half:])
    return b"\x30" + (b"" if len(body) < 128 else b"\x81") + bytes([len(body)]) + body


def verifies(certificate, data, signature):
    """Whether (scheme, bytes) is a signature of `data` by the key in `certificate` (DER)."""
    scheme, value = signature
    with tempfile.TemporaryDirectory() as home:
        home = pathlib.Path(home)
        (home / "data").write_bytes(data)
        (home / "sig").write_bytes(_ecdsa_der(value) if scheme in (3, 4) else value)
        public = subprocess.run(["openssl", "x509", "-inform", "DER", "-pubkey", "-noout"],
                                input=certificate, capture_output=True, check=True).stdout
        (home / "key").write_bytes(public)
        done = subprocess.run(["openssl", "dgst", "-" + HASHES[scheme],
                               "-verify", home / "key", "-signature", home / "sig",
                               *(PSS if scheme == 2 else []), home / "data"],
                              capture_output=True, check=False)
    return done.returncode == 0


def encrypt(certificate, plain, *options):
    """`plain` for the RSA key in `certificate` (DER), by `openssl pkeyutl` with options."""
    with tempfile.NamedTemporaryFile(suffix=".crt") as file:
        pem = subprocess.run(["openssl", "x509", "-inform", "DER"], input=certificate,
                             capture_output=True, check=True).stdout
        file.write(pem)
        file.flush()
        return subprocess.run(["openssl", "pkeyutl", "-encrypt", "-certin", "-inkey", file.name,
                               *options], input=plain, capture_output=True, check=True).stdout
