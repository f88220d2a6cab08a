# SPDX-License-Identifier: Apache-2.0
"""A workstation where login secrets are given: cards of Alice and Bob, the module that looks
after ours, and what openssl and the card's keys alone get out of the envelopes."""
import base64
import contextlib
import json
import os
import pathlib
import pwd
import re
import subprocess
import sys

import pamclient as pam
import station as st

FOLDER = pathlib.Path("/var/lib/hygie/secret")
GIVEN, NOT_GIVEN = "secret-given", "secret-not-given"
CONFIG = "[secret]\nservices = %s\n[login]\ncard_wait = 1s\n" % GIVEN
LOOK = st.ROOT / "build" / "tests" / "pam_look_module.so"
TOOL = st.ROOT / "build" / "tests" / "envelope-tool"
SHAPE = re.compile(r"[A-Za-z0-9+/]{43}=")
CODE = """import sys, json; sys.path.insert(0, sys.argv[1]); import dialogues, wire
link = dialogues.ask(sys.argv[2], **json.loads(sys.argv[3]))
message = dialogues.hear(link)
if message.type == "PROMPT":
    link.sendall(wire.encode("ANSWER", {"ANSWER": b"%s"}))
    message = dialogues.hear(link, "RESULT")
print(json.dumps([dialogues.outcome(message), message.names()]))
""" % st.PIN


def file_of(user, suffix="cms"):
    return FOLDER / ("%s.%s" % (user, suffix))


class SecretSite:
    """A station whose cards are known by name: {"alice", "alice-two", "bob"}."""

    def __init__(self, home, config=""):
        self.station = st.Station(home, CONFIG + config)
        self.cards, self.home = {}, pathlib.Path(home)

    def begin(self):
        self.clear()
        self.station.start()
        for service in (GIVEN, NOT_GIVEN):
            st.write_service(service, ("auth [default=ignore] pam_hygie.so", "auth required %s" % LOOK,
                                       "auth required pam_permit.so"))
        for name, person in (("alice", "Alice Specimen"), ("alice-two", "Alice Specimen"),
                             ("bob", "Bob Specimen")):
            self.cards[name] = self.station.make_card(name, person=person)
        for name in ("alice", "bob"):
            self.enrol(name)
        return self

    @staticmethod
    def clear():
        subprocess.run(["rm", "-rf", str(FOLDER)], check=True)

    def key(self, name):
        return self.station.keys.key("rsa2048", name + "-9a")

    @contextlib.contextmanager
    def card(self, name="alice", **options):
        with self.station.card(self.cards[name], **options) as card:
            self.station.wait_ready()
            yield card

    def enrol(self, name):
        with self.card(name):
            self.station.enrol(name.partition("-")[0])

    def card_id(self, name):
        """As the registry has it: SHA-256 of the key's SPKI."""
        der = subprocess.run(["openssl", "pkey", "-in", self.key(name), "-pubout", "-outform", "DER"],
                             capture_output=True, check=True).stdout
        return subprocess.run(["sha256sum"], input=der, capture_output=True,
                              check=True).stdout.decode()[:64]

    def secret(self, *words, check=True, **options):
        """hygie secret ...; (exit status, JSON, stderr)."""
        return self.station.run("secret", *words, check=check, **options)

    def enable(self, user="alice", *options):
        return self.secret("enable", user, *options)[1]

    def show(self, user="alice", pin=st.PIN, check=True):
        status, said, _ = self.secret("show", "--pin-stdin", uid=uid_of(user), pin=pin, check=check)
        return said["secret"] if status == 0 else said

    def login(self, user="alice", service=GIVEN, pin=st.PIN):
        """(code of pam_authenticate, None where it was not ours; PAM_AUTHTOK as the next module
        found it; all that was said)."""
        self.station.wait_ready()
        return self.authenticate(user, service, pin)

    @staticmethod
    def authenticate(user, service, pin):
        """The same at once."""
        handle = pam.Handle(service, user, [pin] * 3)
        code = handle.call("pam_authenticate")
        found = handle.getenv("LOOK_AUTHTOK")
        marked = handle.getenv("HYGIE_TICKET")
        handle.end()
        return code if marked else None, found, "\n".join(text for _, text in handle.messages)

    def ask(self, request, uid, **fields):
        """A dialogue by a program of that uid: (outcome, names of the result's fields)."""
        self.station.wait_ready()
        done = subprocess.run([sys.executable, "-c", CODE, str(st.ROOT / "tests/login"), request,
                               json.dumps(fields)], user=uid, group=uid, extra_groups=[], text=True,
                              capture_output=True, check=False,
                              env={"PATH": os.environ["PATH"],
                                   "PYTHONPATH": str(st.ROOT / "tests") + ":" + str(st.ROOT / "tests/card")
                                   + ":" + str(st.ROOT / "tests/pki")})
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)

    def cards_of(self, user="alice"):
        """{card's name: state} of hygie secret list."""
        names = {self.card_id(name): name for name in self.cards}
        return {names[one["card_id"]]: one["state"] for one in self.secret("list")[1]["cards"]
                if one["user"] == user}

    def state_of(self, user="alice"):
        """What the list says of the user's secret, or None."""
        return next((one for one in self.secret("list")[1]["secrets"] if one["user"] == user), None)

    def opened(self, name, path=None):
        """(secret, second line) that openssl alone gets out by that card's key; None: nothing."""
        done = subprocess.run(["openssl", "cms", "-decrypt", "-inform", "DER", "-in",
                               str(path or file_of(name.partition("-")[0])), "-inkey", self.key(name)],
                              capture_output=True, check=False)
        lines = done.stdout.decode(errors="replace").splitlines()
        return tuple(lines) if done.returncode == 0 and len(lines) == 2 else None

    def seal(self, name, *keys, secret=None, generation=1):
        """An envelope's bytes: `name` of a store, or user:NAME; for these cards' keys."""
        secret = secret or base64.b64encode(os.urandom(32)).decode()
        return subprocess.run(
            [str(TOOL), "seal-as", secret, name, str(generation),
             *("%s:oaep-sha256" % self.key(key) for key in keys)],
            capture_output=True, check=True).stdout

    def audited(self, event, text="", since=0):
        return [line for line in self.station.log()[since:].splitlines()
                if "audit: %s: " % event in line and text in line]


def uid_of(user):
    return pwd.getpwnam(user).pw_uid



def site_at(home, config=""):
    """For a fixture: a site that has begun, ended after its use."""
    made = SecretSite(home, config)
    try:
        yield made.begin()
    finally:
        made.station.stop()
