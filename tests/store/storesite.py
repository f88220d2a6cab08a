# SPDX-License-Identifier: Apache-2.0
"""A site with a record store: a station, Alice's and Bob's cards, a keeper, and what the
openssl and gocryptfs commands alone get out of the store's files."""
import contextlib
import os
import pathlib
import signal
import subprocess
import threading

import station as st
import certificates as c
from keeping import Keeper

STORES = pathlib.Path("/var/lib/hygie/store")
STORE = STORES / "records"
KEYS = STORE / "keys.cms"
ROUNDS = int(os.environ.get("HYGIE_ROUNDS", "40"))
OF_A_DOCUMENT_KEY = {"extended": (c.EMAIL_PROTECTION,)}
KEY_ENCIPHERMENT, KEY_AGREEMENT = 0x20, 0x08


def run(*words, data=None):
    done = subprocess.run([str(word) for word in words], input=data, capture_output=True,
                          check=False)
    return done.returncode, done.stdout


class Site:
    """A station with Alice's card (RSA) and Bob's (EC, in 9D), and a keeper that runs."""

    def __init__(self, home):
        self.station = st.Station(home, config="[store]\nservices = %s\n" % st.SERVICE)
        self.home, self.keys, self.cards = home, {}, {}
        self.passphrase = None

    def begin(self):
        subprocess.run(["rm", "-rf", str(STORES)], check=True)
        self.station.start()
        self.enrol("alice", "rsa2048", "rsa2048", KEY_ENCIPHERMENT)
        self.enrol("bob", "p256", "p256", KEY_AGREEMENT)
        self.keeper = Keeper()  # as systemd would start it
        return self

    def enrol(self, user, auth, store, usage):
        station, certified = self.station, {}
        person = user.capitalize() + " Specimen"
        for slot, kind in (("9a", auth), ("9d", store)):
            key = station.keys.key(kind, user + "-" + slot)
            changes = {"usage": usage, **OF_A_DOCUMENT_KEY} if slot == "9d" else {}
            certified[slot] = station.certificate(key, self.home / (user + slot), name=person, **changes)
        self.keys[user] = key
        self.cards[user] = st.pivcard.make_card(
            self.home / "cards" / user, {"9a": auth, "9d": store}, station.keys, name=user,
            certificates=certified, pin=st.PIN)
        with self.card(user):
            station.enrol(user)

    def card(self, user):
        card = self.station.card(self.cards[user], atr="yubikey" if user == "bob" else None)
        station = self.station

        class Ready:
            def __enter__(self):
                running = card.__enter__()
                station.wait_ready()
                return running

            def __exit__(self, *how):
                return card.__exit__(*how)
        return Ready()

    def login(self, user):
        with self.card(user):
            assert self.station.login(user, st.PIN).code == 0, self.station.log()

    def create(self, *users, answer=None):
        """hygie store create; returns (exit status, the page)."""
        return self.print_page("create", "records", "--group", "users", *users, answer=answer)

    def print_page(self, *words, answer=None):
        """A command that prints a page with a recovery key, and asks whether it was noted."""
        process = subprocess.Popen(
            ["hygie", "store", *words, "--pin-stdin"],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        page = []
        for line in process.stdout:
            page.append(line)
            if line.startswith("--") and len(page) > 1:
                break
        groups = [line.strip() for line in page if line.count("-") == 6 and len(line.strip()) == 34]
        if groups:
            self.passphrase = groups[0]
        assert page or process.wait() != 0
        typed = answer if answer is not None else groups[0][:4].lower() if groups else ""
        out, self.said = process.communicate(typed + "\n")
        return process.returncode, "".join(page) + out

    def empty_keeper(self):
        """A keeper that has no store open."""
        made = STORE.exists()
        self.keeper.end()
        self.keeper = Keeper()
        if not made:  # by the keeper
            subprocess.run(["rm", "-rf", str(STORE)], check=True)

    def empty(self):
        """No store, and a keeper that has none open."""
        self.empty_keeper()
        self.empty_stores()

    @staticmethod
    def empty_stores():
        subprocess.run(["rm", "-rf", str(STORES)], check=True)

    @contextlib.contextmanager
    def still_keeper(self):
        """The keeper stands still, and so does what waits for it."""
        self.keeper.process.send_signal(signal.SIGSTOP)
        try:
            yield
        finally:
            self.keeper.process.send_signal(signal.SIGCONT)

    def fresh(self, *users):
        """The store anew, made for these users."""
        self.empty()
        status, text = self.create(*users)
        assert status == 0, (text, self.said, self.station.log())
        return self

    def kill_hygied(self):
        """And starts it anew."""
        self.station.kill_hygied()
        self.reap()

    @staticmethod
    def reap():
        """As an init does: in the enclave that is us, and what hygied left when it was killed
        counts as a process of its user (RLIMIT_NPROC) until somebody has asked for its end."""
        for path in pathlib.Path("/proc").glob("[0-9]*/stat"):
            try:
                name, _, rest = path.read_text().partition(" (")[2].rpartition(") ")
            except OSError:
                continue
            if (name, rest.split()[:2]) == ("hygie-token", ["Z", str(os.getpid())]):
                os.waitpid(int(path.parent.name), os.WNOHANG)

    def store(self, *words, pin=None, check=True):
        return self.station.run("store", *words, pin=pin, check=check)

    def holders(self):
        return {one["user"]: one["state"] for one in self.store("list")[1]["holders"]}

    def secret_by_key(self, user, keys=KEYS):
        """What openssl alone gets out of the envelope by a holder's key; None: nothing."""
        status, out = run("openssl", "cms", "-decrypt", "-inform", "DER", "-in", keys, "-inkey",
                          self.keys[user], "-recip", self.home / (user + "9d"))
        if status != 0:  # a certificate that does not carry the key's own name
            status, out = run("openssl", "cms", "-decrypt", "-inform", "DER", "-in", keys,
                              "-inkey", self.keys[user])
        return out if status == 0 and out.split()[1:2] == [b"hygie-store-1"] else None

    def secret_by_paper(self):
        pem = self.home / "recovery.pem"
        status, _ = run("openssl", "pkcs8", "-inform", "DER", "-in", STORE / "recovery.der",
                        "-passin", "pass:" + self.passphrase, "-out", pem)
        assert status == 0
        status, out = run("openssl", "cms", "-decrypt", "-inform", "DER", "-in", KEYS, "-inkey", pem)
        return out if status == 0 else None

    def mounts(self, secret):
        plain = self.home / "plain"
        plain.mkdir(exist_ok=True)
        status, _ = run("gocryptfs", "-q", "-passfile", "/dev/stdin", STORE / "cipher", plain,
                        data=secret)
        if status == 0:
            (plain / "record").write_text("a record")
            assert run("fusermount3", "-u", plain)[0] == 0
        return status == 0

    def login_while(self, user, change):
        """A login in which `change` is done after the PIN went to the card, and before the
        card has decrypted anything."""
        result = []
        with self.card(user) as card:
            card.latency(100)
            login = threading.Thread(
                target=lambda: result.append(self.station.login(user, st.PIN)))
            login.start()
            card.wait_verify()
            card.silent_at(1)
            card.wait_silent()
            change()
            card.latency(0)
            card.speak()
            login.join()
        return result[0]


def site_at(home):
    """For a fixture: a site that has begun, ended after its use."""
    made = Site(home)
    try:
        yield made.begin()
    finally:
        made.keeper.end()
        made.station.stop()
