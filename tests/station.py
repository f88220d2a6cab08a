# SPDX-License-Identifier: Apache-2.0
"""A workstation with card login, whole and private: pcscd, hygied, CAs, users, a PAM service.

Runs inside tests/enclave, where /etc, /usr, /var and /run are throw-away and Hygie is
installed as `make install` does it. Everything real but the card.

    with Station(tmp) as station:
        alice = station.make_card("alice")              # a directory for piv-card
        with station.card(alice) as card:
            station.enrol("alice", "123456")
            result = station.login("alice", "123456")
"""
import contextlib
import json
import os
import pathlib
import pwd
import signal
import socket
import subprocess
import sys
import time

ROOT = pathlib.Path(__file__).resolve().parents[1]
for folder in ("tests", "tests/card", "tests/pki"):
    sys.path.insert(0, str(ROOT / folder))

import certificates  # noqa: E402
import pamclient  # noqa: E402
import pcscd  # noqa: E402
import pivcard  # noqa: E402
import pki  # noqa: E402
import scard  # noqa: E402
import wire  # noqa: E402

CONFIG = pathlib.Path("/etc/hygie/hygie.conf")
CARDS = pathlib.Path("/etc/hygie/cards.d")
SOCKET = pathlib.Path("/run/hygie/hygied.sock")
REGISTRY = pathlib.Path("/var/lib/hygie/registry.db")
SERVICE = "hygie-test"
PIN = "123456"
PATIENCE = 30.0  # seconds; events end the waiting, this only a test that fails


def add_user(name):
    """Makes the user where there is none; returns the uid."""
    try:
        return pwd.getpwnam(name).pw_uid
    except KeyError:
        subprocess.run(["useradd", "--no-create-home", name], check=True)
        return pwd.getpwnam(name).pw_uid


def write_service(name, lines=("auth required pam_hygie.so", "account required pam_hygie.so")):
    pathlib.Path("/etc/pam.d", name).write_text("\n".join(lines) + "\n")


class Station:
    """See above. `config` is added to hygie.conf; `log` collects what hygied says."""

    def __init__(self, home, config="", reader="Virtual PCD", keys=None, profiles=None,
                 with_pcscd=True, hygied=("/usr/sbin/hygied",)):
        self.home = pathlib.Path(home)
        self.home.mkdir(parents=True, exist_ok=True)
        self.config, self.profiles = config, profiles or {}
        self.keys = keys or pivcard.KeyStore(self.home / "keys")
        self.pcscd = pcscd.Pcscd(reader) if with_pcscd else None
        self.pki = None
        self.hygied_command = list(hygied)
        self.hygied = None
        self.log_path = self.home / "hygied.log"

    # Up and down.
    def __enter__(self):
        try:
            return self.start()
        except BaseException:
            self.stop()
            raise

    def __exit__(self, *_):
        self.stop()

    def start(self):
        for user in ("alice", "bob", "mallory"):
            add_user(user)
        self.pki = pki.Pki(self.keys.directory / "pki", unfit=False)
        self.write_anchors()
        CONFIG.write_text("[log]\ntarget = stderr\nlevel = debug\n" + self.config)
        for name, text in self.profiles.items():
            (CARDS / name).write_text(text)
        write_service(SERVICE)
        if REGISTRY.exists():
            for path in REGISTRY.parent.iterdir():
                path.unlink()
        if self.pcscd:
            self.pcscd.start()
        self.start_hygied()
        return self

    def write_anchors(self):
        """The root and issuing CAs of each scheme, as an administrator would put them."""
        for scheme, authorities in self.pki.ca.items():
            folder = pathlib.Path("/etc/hygie/ca", scheme)
            folder.mkdir(parents=True, exist_ok=True)
            for name in ("root", "issuing"):
                (folder / (name + ".pem")).write_text(pki.pem(authorities[name].der))

    def start_hygied(self, environment=None):
        starts = self.log().count(" serves")
        with open(self.log_path, "ab") as log:
            self.hygied = subprocess.Popen(self.hygied_command, stdin=subprocess.DEVNULL,
                                           stdout=log, stderr=log, start_new_session=True,
                                           env={"PATH": os.environ["PATH"], **(environment or {})})
        self.wait_log(" serves", count=starts + 1)

    def stop_hygied(self, how=signal.SIGTERM):
        """Ends hygied; returns its exit status."""
        process, self.hygied = self.hygied, None
        if process is None:
            return None
        process.send_signal(how)
        return process.wait(PATIENCE)

    def kill_hygied(self):
        """Whether it lives or not, and starts it anew, once nobody listens: a helper that was
        about to be started when hygied died holds its socket until it is."""
        self.stop_hygied(signal.SIGKILL)
        deadline = time.monotonic() + PATIENCE
        while is_served():
            assert time.monotonic() < deadline, "hygied's socket is served"
            time.sleep(0.001)
        self.start_hygied()

    def stop(self):
        self.stop_hygied()
        if self.pcscd:
            self.pcscd.stop()

    def log(self):
        return self.log_path.read_text(errors="replace") if self.log_path.exists() else ""

    def wait_log(self, text, timeout=PATIENCE, count=1):
        """Until hygied has written `text` so many times since it was started last."""
        deadline = time.monotonic() + timeout
        while time.monotonic() < deadline:
            if self.log().count(text) >= count:
                return
            if self.hygied.poll() is not None:
                break
            time.sleep(0.005)
        raise AssertionError("hygied did not say %r:\n%s" % (text, self.log()))

    # Cards.
    def certificate(self, key, path, scheme="us-piv", name="Alice Specimen", **changes):
        """Writes a certificate (PEM) for the key at `key` from the site's issuing CA."""
        spki = certificates.public_key(key)
        if scheme == "us-piv":
            upn = name.lower().replace(" ", ".") + "@clinic.test"
            changes = {"common_name": name, "upns": (upn,), **changes}
        content = self.pki.issue(scheme, "person", spki, **changes)
        path = pathlib.Path(path)
        path.write_text(pki.pem(content))
        return path

    def make_card(self, name, kind="rsa2048", person=None, slots=None, **changes):
        """A directory for piv-card whose 9A names `person`, trusted by this station."""
        slots = slots or {"9a": kind}
        key = self.keys.key(slots["9a"], name + "-9a")
        person = person or name.capitalize() + " Specimen"
        certificate = self.certificate(key, self.home / (name + ".crt"), name=person, **changes)
        return pivcard.make_card(self.home / "cards" / name, slots, self.keys, name=name,
                                 certificates={"9a": certificate}, pin=PIN)

    @contextlib.contextmanager
    def card(self, content, **options):
        """The running card; inserted unless absent=True. Out for everybody when it ends."""
        with pivcard.PivCard(content, **options) as card:
            yield card
            self.wait_idle(card)
        self.wait_empty()

    def wait_idle(self, card):
        """Until hygied, which may just have been started, knows of the reader and does nothing
        with the card. pcscd 1.9.9 that fails to reset a card just as it goes may take the reader
        for empty with the next card in it, or for full without."""
        if self.pcscd.process and self.hygied:
            card.clear_faults()
            self.wait_readers(lambda readers: readers and wire.at_rest(readers))

    def wait_empty(self, timeout=PATIENCE):
        """Until pcscd and hygied know of no card: the next one is then no surprise."""
        if self.pcscd.process and self.hygied:
            self.wait_readers(lambda readers: all(reader["state"] == "empty"
                                                   for reader in readers), timeout)
            wait_looked_at(timeout)

    # Through the front door.
    def run(self, *words, uid=0, pin=None, check=True):
        """The hygie command, --json. Returns (exit status, parsed output, stderr)."""
        done = subprocess.run(["hygie", *map(str, words), "--json"], text=True,
                              input=None if pin is None else pin + "\n",
                              stdin=subprocess.DEVNULL if pin is None else None,
                              capture_output=True, user=uid, group=uid)
        parsed = json.loads(done.stdout) if done.stdout.strip() else None
        if check and done.returncode != 0:
            raise AssertionError("hygie %s: %d %s %s\n%s" % (
                " ".join(map(str, words)), done.returncode, done.stdout, done.stderr, self.log()))
        return done.returncode, parsed, done.stderr

    def enrol(self, user, pin=PIN, *options, check=True):
        return self.run("enroll", user, "--pin-stdin", *options, pin=pin, check=check)

    def login(self, user, *answers, service=SERVICE, uid=0):
        if uid:
            return pamclient.as_uid(uid, user, answers, service)
        return pamclient.authenticate(user, answers, service)

    def status(self):
        return self.run("status")[1]

    def readers(self):
        """What `hygie status` says of the readers, without a process: for asking often."""
        with connect() as link:
            link.settimeout(PATIENCE)
            readers, message = wire.readers(link)
        self.wait_rest()
        if message.get("OUTCOME") != wire.OUTCOMES["HYGIE_OK"]:
            raise AssertionError("no status: %s\n%s" % (message, self.log()))
        return readers

    def wait_rest(self):
        """Until hygied sleeps: then it has done all that follows upon what was seen of it."""
        stat = pathlib.Path("/proc", str(self.hygied.pid), "stat")
        deadline = time.monotonic() + PATIENCE
        while stat.read_text().rpartition(") ")[2][0] in "RD":
            if time.monotonic() > deadline:
                raise AssertionError("hygied never rests:\n" + self.log())

    def wait_ready(self, state="ready", timeout=PATIENCE):
        """Until hygied reports a reader in that state; by its own words, not by time."""
        return self.wait_readers(lambda readers: any(reader["state"] == state
                                                      for reader in readers), timeout)

    def wait_readers(self, condition, timeout=PATIENCE):
        """Until that holds of what readers() says; returns it."""
        deadline = time.monotonic() + timeout
        while time.monotonic() < deadline:
            readers = self.readers()
            if condition(readers):
                return readers
            time.sleep(0.01)
        raise AssertionError("%s\nthe readers did not come to it: %s\npcscd says: %s" % (
            self.log(), readers, self.pcscd_view()))

    def pcscd_view(self):
        """What pcscd itself says of the readers, and what it does, for messages."""
        try:
            with rival() as context:
                said = {reader: hex(context.status_change(reader).raw)
                        for reader in context.readers()}
        except scard.SCardError as error:
            said = str(error)
        return "%s\n%s" % (said, self.pcscd.view())


def rival():
    """A PC/SC context of another program on the same readers."""
    return scard.Context()


def wait_looked_at(timeout):
    """Until pcscd's own look at its readers, each 0.4 s, found no card. pcscd 1.9.9 that fails to
    reset a card as it goes says "empty" before that look; a card that comes in between is seen by
    nobody. It counts what it sees come and go."""
    with rival() as context:
        for reader in context.readers():
            context.wait_until(reader, lambda state: state.empty and state.events % 2 == 0, timeout)


def is_served():
    try:
        connect().close()
    except OSError:
        return False
    return True


def connect(path=SOCKET):
    link = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    link.connect(str(path))
    return link
