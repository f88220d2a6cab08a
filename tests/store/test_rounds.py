# SPDX-License-Identifier: Apache-2.0
"""kill -9 at any moment of what changes a store: create, add, remove, rotate, recovery, import. Each
time there is the old state or the new; it opens by card and by paper, with openssl and gocryptfs alone,
and every record is as it was.

A few rounds in each check; many by hand: HYGIE_ROUNDS=500 tests/check store-rounds
"""
import collections
import os
import random
import shutil
import subprocess
import threading
import time

import pytest

import station as st
from storesite import STORE, STORES, run, site_at

ROUNDS = int(os.environ.get("HYGIE_ROUNDS", "18"))
SEED = int(os.environ.get("HYGIE_SEED", "5"))
LONGEST = {"create": 0.25, "import": 0.06, "ask": 0.03, "login": 0.06}  # seconds until the kill


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    yield from site_at(tmp_path_factory.mktemp("site"))


class Rounds:
    def __init__(self, site, home):
        self.site, self.home, self.dice = site, home, random.Random(SEED)
        self.records, self.held, self.asked = {}, {"alice"}, {"alice"}
        self.counted = collections.Counter()

    # What is in the store.
    def mounted(self, secret, use, *options):
        plain = self.home / "plain"
        plain.mkdir(exist_ok=True)
        status, _ = run("gocryptfs", "-q", *options, "-passfile", "/dev/stdin", STORE / "cipher", plain,
                        data=secret)
        assert status == 0
        try:
            return use(plain)
        finally:
            assert run("fusermount3", "-u", plain)[0] == 0

    def fill(self):
        self.records = {"patient-%d" % i: os.urandom(i * 1500) for i in range(8)}
        self.mounted(self.site.secret_by_paper(), lambda plain: [
            (plain / name).write_bytes(content) for name, content in self.records.items()])

    def look(self):
        """Opens by card's key and by paper, and has every record."""
        by_key, by_paper = self.site.secret_by_key("alice"), self.site.secret_by_paper()
        assert by_key and by_key.splitlines()[0] == by_paper.splitlines()[0]
        found = self.mounted(by_key, lambda plain: {
            path.name: path.read_bytes() for path in plain.iterdir()}, "-ro")
        assert found == self.records

    def killed_within(self, kind):
        time.sleep(self.dice.uniform(0, LONGEST[kind]))  # the moment is the test's input
        self.site.kill_hygied()

    # What is killed.
    def ask(self, *words):
        """A change that root asks for: in half of the rounds hygied is killed then."""
        if self.dice.random() < 0.5:
            self.site.store(*words)
            return
        command = subprocess.Popen(["hygie", "store", *words, "--json"], stdout=subprocess.DEVNULL,
                                   stderr=subprocess.DEVNULL)
        self.killed_within("ask")
        command.wait()
        self.look()
        self.site.store(*words)  # it may have been lost, or not

    def login(self, killed):
        self.site.station.wait_ready()
        login = threading.Thread(target=lambda: self.site.station.login("alice", st.PIN))
        login.start()
        if killed:
            self.killed_within("login")
        login.join()

    def carry_out(self, holders):
        """The change is carried out by a login, which is killed, and by the next one."""
        self.login(True)
        self.look()
        assert (self.site.secret_by_key("bob") is not None) in (
            "bob" in self.held, "bob" in holders)
        self.login(False)
        self.held = holders
        self.look()
        assert self.site.holders() == {user: "held" for user in holders}
        assert (self.site.secret_by_key("bob") is not None) == ("bob" in holders)

    def do_add(self):
        self.ask("add", "records", "bob")
        self.carry_out({"alice", "bob"})

    def do_remove(self):
        if "bob" not in self.held:
            self.do_add()
        self.ask("remove", "records", "bob")
        self.carry_out({"alice"})

    def do_rotate(self):
        self.ask("rotate", "records")
        self.carry_out(self.held)

    def do_recovery(self):
        old = self.site.passphrase
        assert self.site.print_page("recovery", "records")[0] == 0
        new, self.site.passphrase = self.site.passphrase, old
        self.login(True)
        files = [STORE / "recovery.der", *STORE.glob("recovery-*.der")]
        assert any(self.paper_opens(path, word) for path in files for word in (old, new))
        self.login(False)
        self.site.passphrase = new
        self.look()

    def paper_opens(self, path, passphrase):
        pem = self.home / "one.pem"
        if run("openssl", "pkcs8", "-inform", "DER", "-in", path, "-passin", "pass:" + passphrase,
               "-out", pem)[0] != 0:
            return False
        return run("openssl", "cms", "-decrypt", "-inform", "DER", "-in", STORE / "keys.cms",
                   "-inkey", pem)[0] == 0

    def do_create(self):
        self.site.empty()
        killer = threading.Timer(self.dice.uniform(0.02, LONGEST["create"]),
                                 self.site.station.hygied.kill)
        killer.start()
        self.site.create("alice")
        killer.join()
        self.site.kill_hygied()
        if not STORE.exists():
            assert self.site.store("list")[1]["stores"] == []
            self.counted["no store"] += 1
            assert self.site.create("alice")[0] == 0, self.site.said
        self.held = {"alice"}
        self.fill()
        self.look()

    def do_import(self):
        self.site.empty_keeper()
        export, aside = self.home / "export", STORES.parent / "aside"
        self.site.store("export", "records", export)
        STORE.rename(aside)
        command = subprocess.Popen(["hygie", "store", "import", str(export), "records"],
                                   stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        if self.dice.random() < 0.5:
            self.killed_within("import")
        else:
            time.sleep(self.dice.uniform(0, LONGEST["import"]))
            command.kill()
        command.wait()
        self.site.store("list")  # hygied has done what it was asked before
        if not STORE.exists():
            self.counted["no store"] += 1
            self.site.store("import", export, "records")
        self.look()
        for path in [*aside.rglob("*")]:
            other = STORE / path.relative_to(aside)
            assert path.is_dir() or path.read_bytes() == other.read_bytes(), path
        shutil.rmtree(export)
        shutil.rmtree(aside)

    def go(self, count):
        kinds = sorted(name for name in dir(self) if name.startswith("do_"))
        for number in range(count):
            kind = kinds[number % len(kinds)]
            self.counted[kind] += 1
            try:
                getattr(self, kind)()
            except BaseException:
                print("round %d of seed %d: %s" % (number, SEED, kind))
                raise
            assert self.site.station.hygied.poll() is None
        print("rounds:", dict(self.counted))


def test_kill_leaves_the_old_state_or_the_new(site, tmp_path):
    site.fresh("alice")
    rounds = Rounds(site, tmp_path)
    rounds.fill()
    with site.card("alice"):
        rounds.go(ROUNDS)
