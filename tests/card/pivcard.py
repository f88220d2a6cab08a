# SPDX-License-Identifier: Apache-2.0
"""The virtual PIV card from Python: make its content, put it in, spoil it, look at it.

    keys = KeyStore(tmp)                               # once a run: keys are slow to make
    content = make_card(tmp / "alice", {"9a": "rsa2048", "9d": "p256"}, keys, name="alice")
    with PivCard(content) as card:
        card.reset_count()
        ...                                            # let something use the card
        assert card.verify_count() == 1
        card.remove_at(3)                              # vanish upon the third APDU from now

Kinds of keys: rsa2048, rsa3072, p256, p384. The binary is $PIV_CARD, or the one that
`make` puts under build/tests.
"""
import collections
import contextlib
import os
import pathlib
import shutil
import signal
import socket
import subprocess
import tempfile

ROOT = pathlib.Path(__file__).resolve().parents[2]
PIV_CARD = os.environ.get("PIV_CARD") or str(ROOT / "build" / "tests" / "piv-card")
KINDS = {
    "rsa2048": ["RSA", "-pkeyopt", "rsa_keygen_bits:2048"],
    "rsa3072": ["RSA", "-pkeyopt", "rsa_keygen_bits:3072"],
    "p256": ["EC", "-pkeyopt", "ec_paramgen_curve:P-256"],
    "p384": ["EC", "-pkeyopt", "ec_paramgen_curve:P-384"],
}

Apdu = collections.namedtuple("Apdu", "number name cla ins p1 p2 lc sw applet micros resets pin")
Apdu.__doc__ = """One APDU of the log. `sw` is None where the card gave no answer; `applet` the
one selected on arrival; `resets` counts those of the card before it, power-ups included;
`pin` "pin[8]=01234567" (length, start of SHA-256) or ""."""


def openssl(*arguments, **kwargs):
    """Runs openssl; returns its standard output; an exception with its words if it fails."""
    done = subprocess.run(["openssl", *map(str, arguments)], capture_output=True, **kwargs)
    if done.returncode:
        raise RuntimeError("openssl %s: %s" % (arguments[0], done.stderr.decode()))
    return done.stdout


class KeyStore:
    """Keys by kind and name, made once and kept in a directory for the run: in the one that
    HYGIE_TEST_KEYS names, if it does, which several programs may share."""

    def __init__(self, directory):
        self.directory = pathlib.Path(os.environ.get("HYGIE_TEST_KEYS") or directory)
        self.directory.mkdir(parents=True, exist_ok=True)

    def key(self, kind, name="a"):
        """The path of that key (PEM); the same kind and name give the same key."""
        path = self.directory / ("%s-%s.key" % (kind, name))
        if not path.exists():
            with tempfile.TemporaryDirectory(dir=self.directory) as own:
                made = pathlib.Path(own, "key")
                openssl("genpkey", "-algorithm", *KINDS[kind], "-out", made)
                with contextlib.suppress(FileExistsError):  # another made it meanwhile
                    os.link(made, path)
        return path


def self_signed(key, path, subject="/CN=test", days=30, extensions=()):
    """A self-signed certificate for the key at `key`; extensions as `openssl req -addext`."""
    added = [word for text in extensions for word in ("-addext", text)]
    openssl("req", "-x509", "-new", "-key", key, "-out", path, "-days", days, "-subj", subject,
            *added)
    return pathlib.Path(path)


def make_card(directory, slots, keys, name=None, certificates=None, pin=None, puk=None, tries=None,
              guid=None, objects=None):
    """Makes a card's directory and returns its path.

    slots: {"9a": kind, or the path of a key}. Keys of a kind come from `keys`, under `name`
    and the slot, so that two names share none.
    certificates: {"9a": path}; a slot that is not in it gets a self-signed one, a slot of
    None gets none. They need not fit the keys: so a clone is made.
    objects: {0x5FC102: bytes}: what GET DATA answers, byte for byte.
    """
    directory = pathlib.Path(directory)
    directory.mkdir(parents=True, exist_ok=True)
    name = name or directory.name
    certificates = certificates or {}
    for slot, kind in slots.items():
        key = keys.key(kind, "%s-%s" % (name, slot)) if kind in KINDS else kind
        shutil.copy(key, directory / (slot + ".key"))
        if slot not in certificates:
            self_signed(key, directory / (slot + ".crt"), "/CN=%s %s" % (name, slot))
    for slot, path in certificates.items():
        if path is not None:
            shutil.copy(path, directory / (slot + ".crt"))
    for setting, value in (("pin", pin), ("puk", puk), ("tries", tries), ("guid", guid)):
        if value is not None:
            (directory / setting).write_text(str(value))
    for tag, content in (objects or {}).items():
        (directory / ("%x.obj" % tag)).write_bytes(content)
    return directory


class CardError(Exception):
    """The card's control socket said no."""


class PivCard:
    """A running card. Leaving its `with` pulls it and ends the process."""

    def __init__(self, content, atr=None, gzip=False, pin=None, tries=None, absent=False,
                 port=35963, host=None, binary=None, prefix=(), verbose=False, vscard=False):
        """content: a directory (make_card). atr: None, "yubikey", "bare" (no historical
        bytes: OpenSC then offers no EC) or hexadecimal.
        prefix: a command to run it by, such as nsenter with its options.
        vscard: in a reader of QEMU's instead of vpcd's."""
        self._home = pathlib.Path(tempfile.mkdtemp(prefix="piv-card-"))
        self.control = self._home / "control"
        self.binary = str(binary or PIV_CARD)
        options = {"atr": atr, "pin": pin, "tries": tries, "port": port, "host": host}
        command = [*prefix, self.binary, "--dir", str(content), "--control", str(self.control)]
        for option, value in options.items():
            if value is not None:
                command += ["--" + option, str(value)]
        for option, wanted in (("gzip", gzip), ("absent", absent), ("verbose", verbose),
                               ("vscard", vscard)):
            if wanted:
                command.append("--" + option)
        self.process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE)
        if self.process.stdout.readline() != b"ready\n":
            with contextlib.suppress(CardError):
                self.stop()
            raise CardError("piv-card did not start: " + " ".join(command))

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stop()

    def stop(self):
        if self.process:
            self.process.send_signal(signal.SIGTERM)
            self.process.stdout.close()
            status = self.process.wait(10)
            self.process = None
            shutil.rmtree(self._home, ignore_errors=True)
            if status:
                raise CardError("piv-card ended with status %d" % status)

    def order(self, *words):
        """Sends one order. Returns (lines before the verdict, what follows "ok")."""
        with socket.socket(socket.AF_UNIX) as link:
            link.connect(str(self.control))
            link.sendall((" ".join(map(str, words)) + "\n").encode())
            lines = []
            with link.makefile() as answers:
                for line in answers:
                    line = line.rstrip("\n")
                    if line == "ok" or line.startswith("ok "):
                        return lines, line[3:]
                    if line.startswith("error"):
                        raise CardError("%s: %s" % (" ".join(map(str, words)), line[6:]))
                    lines.append(line)
        raise CardError("%s: the card hung up" % words[0])

    def _number(self, *words):
        return int(self.order(*words)[1])

    # In and out. pcscd takes up to 400 ms to see either: wait for it on its side.
    def insert(self):
        self.order("insert")

    def remove(self):
        """Pulls the card; it is out when this returns."""
        self.order("remove")

    def reinsert(self, content=None):
        """Pulls, becomes the card of that directory, puts in, all within a millisecond.

        pcscd sees it by its event count, unless it is just about to power off a card that
        nobody uses: hold a connection, or remove, wait for the loss, and insert.
        """
        self.order("reinsert", *([content] if content else []))

    def swap(self, content):
        """Becomes another card in the reader, which notices nothing. The PIN is unverified."""
        self.order("swap", content)

    def swap_key(self, slot, path):
        self.order("swap-key", slot, path)

    def swap_cert(self, slot, path):
        self.order("swap-cert", slot, path)

    def restore(self, content):
        """In the reader as it is: an honest card of that directory again, nothing counted."""
        self.swap(content)
        self.clear_faults()
        self.reselect("keeps")
        self.pin_always("normal")
        self.reset_count()

    # Counting.
    def count(self):
        """Command APDUs since reset_count, of all clients, parts and GET RESPONSE included."""
        return self._number("count")

    def reset_count(self):
        self.order("reset-count")

    def log(self):
        """The APDUs since reset_count, a list of Apdu."""
        return [_parse_apdu(line) for line in self.order("log")[0]]

    def verify_count(self):
        """VERIFYs that carried a PIN, at any applet."""
        return self._number("verify-count")

    def empty_verify_count(self):
        return self._number("empty-verify-count")

    def misdirected_count(self):
        """PINs that arrived while PIV was not the selected applet."""
        return self._number("misdirected-count")

    def sign_count(self):
        """Uses of a private key, of any slot."""
        return self._number("sign-count")

    # The PIN.
    def tries(self):
        return self._number("tries")

    def set_tries(self, tries):
        self.order("set-tries", tries)

    def puk_tries(self):
        return self._number("puk-tries")

    def set_puk_tries(self, tries):
        self.order("puk-tries", tries)

    def unblock(self):
        self.order("unblock")

    def set_pin(self, pin):
        self.order("set-pin", pin)

    def verified(self):
        return self.order("verified")[1] == "yes"

    def state(self):
        """{"inserted", "powered", "selected", "verified", "tries", "puk-tries", ...} of words."""
        return dict(line.split(" ", 1) for line in self.order("state")[0])

    # Faults. Numbers count APDUs from now, the next one being 1.
    def remove_at(self, number):
        self.order("remove-at", number)

    def remove_after(self, number):
        self.order("remove-after", number)

    def reset_at(self, number):
        """As by a reset that pcscd lets into another program's transaction."""
        self.order("reset-at", number)

    def silent_at(self, number):
        """No answer from that APDU on, until speak(); the ATR is still there."""
        self.order("silent-at", number)

    def speak(self):
        self.order("speak")

    def garbage_at(self, number, length=0):
        self.order("garbage-at", number, length)

    def sw_at(self, number, sw):
        self.order("sw-at", number, "%04x" % sw)

    def refuse_new(self, sw):
        """Every new PIN gets that status word, the old one right or by the PUK."""
        self.order("refuse-new", "%04x" % sw)

    def latency(self, milliseconds):
        self.order("latency", milliseconds)

    def sig_mode(self, mode):
        """normal, empty, short, zero, other (a good signature of another challenge)."""
        self.order("sig-mode", mode)

    def replay(self, wanted=True):
        self.order("replay", "on" if wanted else "off")

    def reselect(self, mode):
        """keeps, drops: the verified PIN upon SELECT of PIV again."""
        self.order("reselect", mode)

    def pin_always(self, mode):
        """normal: 9C stays open until a key is used; strict: until any other command."""
        self.order("pin-always", mode)

    def clear_faults(self):
        self.order("clear-faults")

    # Events. Each raises CardError("... timeout") when the time is over.
    def wait_apdu(self, number, timeout=30.0):
        """Until so many APDUs came since reset_count."""
        self.order("wait-apdu", number, int(timeout * 1000))

    def wait_verify(self, number=1, timeout=30.0):
        self.order("wait-verify", number, int(timeout * 1000))

    def wait_selected(self, applet="piv", timeout=30.0):
        self.order("wait-selected", applet, int(timeout * 1000))

    def wait_powered(self, timeout=30.0):
        """Until pcscd has seen and powered the card."""
        self.order("wait-powered", int(timeout * 1000))

    def wait_absent(self, timeout=30.0):
        self.order("wait-absent", int(timeout * 1000))

    def wait_silent(self, timeout=30.0):
        """Until an APDU is held unanswered."""
        self.order("wait-silent", int(timeout * 1000))

    def wait_atr_polls(self, number, timeout=30.0):
        """Until pcscd has asked so many times more whether the card is still there."""
        self.order("wait-atr-polls", number, int(timeout * 1000))


def _parse_apdu(line):
    words = line.split(" ")
    number, name = int(words[0]), words[1]
    cla, ins, p1, p2 = (int(word, 16) for word in words[2:6])
    sw = None if words[7] == "----" else int(words[7], 16)
    pin = words[11] if len(words) > 11 else ""
    return Apdu(number, name, cla, ins, p1, p2, int(words[6]), sw, words[8], int(words[9]),
                int(words[10]), pin)
