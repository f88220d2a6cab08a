# SPDX-License-Identifier: Apache-2.0
"""Who may open a store: made, changed and recovered by real cards, a real keeper and a real
login; what comes out is opened by the openssl and gocryptfs commands alone."""
import configparser
import pathlib
import random
import re
import socket
import subprocess
import threading
import time

import pytest

import station as st
import processes
import wire
from keeping import until
from storesite import KEYS, ROUNDS, STORE, STORES, run, site_at
from traced import at, traced


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    yield from site_at(tmp_path_factory.mktemp("site"))


def test_store_opens_without_hygie_by_each_holder_and_the_recovery_key(site):
    site.fresh("alice", "bob")
    assert site.holders() == {"alice": "held", "bob": "held"}
    for secret in (site.secret_by_paper(), site.secret_by_key("alice"), site.secret_by_key("bob")):
        assert site.mounts(secret)
    assert not site.mounts(b"A" * 44 + b"\n")  # the control
    assert (STORE / "cipher").stat().st_mode & 0o7777 == 0o2770
    for path in (STORE, *STORE.glob("*.*"), *STORE.glob("holders/*")):
        assert path.stat().st_mode & 0o077 == 0 and path.stat().st_uid == 0, path


def test_page_fits_80_columns_and_names_what_it_is_for(site):
    subprocess.run(["rm", "-rf", str(STORES)], check=True)
    status, page = site.create("alice")
    assert status == 0 and "records" in page and time.strftime("%Y-%m-%d") in page
    assert all(len(line) <= 80 for line in page.splitlines())
    assert "hygie store recover records" in page
    assert site.passphrase.encode() not in b"".join(
        path.read_bytes() for path in STORE.rglob("*") if path.is_file())
    assert site.passphrase not in site.station.log()


def is_undumpable(pid):
    limits = pathlib.Path("/proc/%d/limits" % pid).read_text()
    return re.search(r"Max core file size +0 +0 ", limits) is not None


def test_printed_passphrase_stays_in_no_memory_of_the_command(site):
    """It is printed once: while the command waits for the first group, it has it no more."""
    site.empty()
    command = ["hygie", "store", "create", "records", "--group", "users", "--pin-stdin", "alice"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                          stderr=subprocess.PIPE, text=True) as process:
        page = []
        while not page[1:] or not page[-1].startswith("--"):
            page.append(process.stdout.readline())
        (passphrase,) = [line.strip() for line in page if re.fullmatch(r" +(.{4}-){6}.{4}\n", line)]
        until(lambda: not processes.memory_holds(process.pid, passphrase.encode()), "it stays")
        assert processes.memory_holds(process.pid, b"hygie store recover")  # the control
        assert is_undumpable(process.pid)
        process.communicate("\n")
    assert process.returncode != 0


def test_typed_passphrase_stays_in_no_memory_of_the_command(site, tmp_path):
    """hygied has the answer, and takes its time."""
    typed = "ABCD-EFGH-JKMN-PQRS-TVWX-YZ01-2345"
    with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as listener:
        listener.bind(str(tmp_path / "socket"))
        listener.listen()
        listener.settimeout(st.PATIENCE)
        process = subprocess.Popen(
            ["hygie", "--socket", tmp_path / "socket", "store", "recover", "records", "--pin-stdin"],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        link = listener.accept()[0]
        link.settimeout(st.PATIENCE)
        assert wire.decode(link.recv(wire.MESSAGE_MAX)).type == "REQUEST_STORE_RECOVER"
        link.sendall(wire.encode("PROMPT", {"TEXT": "Passphrase: ", "ECHO": 0}))
        process.stdin.write(typed.encode() + b"\n")
        process.stdin.flush()
        assert wire.decode(link.recv(wire.MESSAGE_MAX)).get("ANSWER") == typed.encode()
        until(lambda: not processes.memory_holds(process.pid, typed.encode()), "it stays")
        assert is_undumpable(process.pid)
        link.close()
        process.communicate()


@pytest.mark.parametrize("answer", ["", "XXXX\nYYYY\nZZZZ"])
def test_who_does_not_note_the_passphrase_leaves_nothing(site, answer):
    subprocess.run(["rm", "-rf", str(STORES)], check=True)
    status, _ = site.create("alice", answer=answer)
    assert status != 0 and "nothing was made" in site.said
    assert not STORES.exists() or not list(STORES.iterdir())
    assert site.store("list")[1]["stores"] == []


def test_what_cannot_be_made_is_told_before_a_page_is_printed(site):
    site.fresh("alice")
    status, text = site.create("alice")
    assert status != 0 and text == "" and "There is a store of that name" in site.said
    assert site.store("list")[1]["stores"][0]["generation"] == 1
    for place in (("--cipher", str(STORE / "cipher")), ("--mount", "/srv/hygie/records")):
        status, text = site.print_page("create", "second", "--group", "users", *place, "alice")
        assert status != 0 and text == "" and "Another store has that" in site.said
    subprocess.run(["rm", "-rf", str(STORES)], check=True)
    status, text = site.create("mallory")
    assert status != 0 and text == "" and "mallory has no enrolled card" in site.said


def test_right_begins_at_the_next_opening_and_ends_at_the_next(site):
    site.fresh("alice")
    site.store("add", "records", "bob")
    assert site.holders() == {"alice": "held", "bob": "pending"} and not site.secret_by_key("bob")
    site.login("bob")
    assert site.holders()["bob"] == "pending"  # he cannot grant himself anything
    site.login("alice")
    assert site.holders() == {"alice": "held", "bob": "held"} and site.mounts(site.secret_by_key("bob"))
    site.store("remove", "records", "bob")
    assert site.holders()["bob"] == "leaving" and site.secret_by_key("bob")  # as the command says
    assert site.store("check", check=False)[0] == 1
    before = KEYS.read_bytes()
    site.login("bob")
    assert KEYS.read_bytes() == before
    site.login("alice")
    assert site.holders() == {"alice": "held"} and not site.secret_by_key("bob")
    assert site.mounts(site.secret_by_key("alice")) and site.mounts(site.secret_by_paper())
    assert len(list((STORE / "holders").iterdir())) == 1
    assert site.store("check")[0] == 0


def edit(old, new):
    """As only root could."""
    text = (STORE / "store.ini").read_text()
    assert old in text
    (STORE / "store.ini").write_text(text.replace(old, new))


def test_right_ends_at_its_date(site):
    site.fresh("alice")
    tomorrow = time.strftime("%Y-%m-%d", time.gmtime(time.time() + 86400))
    status, _, said = site.store("add", "records", "bob", "--until", "2020-01-31", check=False)
    assert status != 0
    site.store("add", "records", "bob", "--until", tomorrow, "--no-grant")
    site.login("alice")
    assert site.secret_by_key("bob")
    edit("until = " + tomorrow, "until = 2020-01-31")
    assert site.store("check", check=False)[0] == 1
    before = KEYS.read_bytes()
    site.login("bob")
    assert KEYS.read_bytes() == before
    site.login("alice")
    assert site.holders() == {"alice": "held"} and not site.secret_by_key("bob")


def test_holder_who_may_not_grant_carries_out_nothing(site):
    site.fresh("alice")
    site.store("add", "records", "bob", "--no-grant")
    site.login("alice")
    site.store("rotate", "records")
    before = KEYS.read_bytes()
    site.login("bob")
    assert KEYS.read_bytes() == before
    site.login("alice")
    assert KEYS.read_bytes() != before
    assert site.store("list")[1]["stores"][0]["generation"] == 3


def test_recovery_grants_when_all_cards_are_lost(site):
    site.fresh("alice")
    site.store("remove", "records", "alice")
    site.store("add", "records", "bob")
    status, _, said = site.store("recover", "records", "--pin-stdin", pin="AAAA-" * 6 + "AAAA", check=False)
    assert status != 0 and site.holders()["bob"] == "pending"
    site.store("recover", "records", "--pin-stdin", pin=site.passphrase.lower().replace("-", " "))
    assert site.holders() == {"bob": "held"}
    assert site.mounts(site.secret_by_key("bob")) and not site.secret_by_key("alice")


def test_passphrase_of_another_store_opens_nothing(site):
    site.fresh("alice")
    other = site.passphrase
    site.fresh("alice")
    site.store("rotate", "records")
    status, told, _ = site.store("recover", "records", "--pin-stdin", pin=other, check=False)
    assert status != 0 and "another store" in told["text"]
    assert site.store("list")[1]["stores"][0]["generation"] == 1


def test_recipient_of_a_stranger_is_never_granted(site):
    """Bob, with the secret in hand, makes an envelope for himself: the next sealing has him not."""
    site.fresh("alice")
    secret = site.secret_by_key("alice").splitlines()[0]
    content = secret + b"\nhygie-store-1 records 1 -\n"
    made = run("openssl", "cms", "-encrypt", "-binary", "-aes-256-gcm", "-outform", "DER", "-out",
               KEYS, "-keyid", "-recip", site.home / "alice9d", "-keyopt", "rsa_padding_mode:oaep",
               "-keyopt", "rsa_oaep_md:sha256", "-recip", site.home / "bob9d", "-keyopt",
               "ecdh_kdf_md:sha256", data=content)
    assert made[0] == 0 and site.secret_by_key("bob")  # the control
    site.login("alice")
    assert not site.secret_by_key("bob") and site.secret_by_key("alice") and site.secret_by_paper()


def test_older_envelope_put_back_is_refused(site):
    site.fresh("alice", "bob")
    old = KEYS.read_bytes()
    site.store("remove", "records", "bob")
    site.login("alice")
    KEYS.write_bytes(old)
    site.store("rotate", "records")
    site.login("alice")  # the login is none of the store's business
    assert KEYS.read_bytes() == old  # but nothing is sealed with what it holds
    assert site.store("list")[1]["stores"][0]["generation"] == 2


def test_others_than_root_may_do_nothing(site):
    site.fresh("alice")
    uid = st.pwd.getpwnam("alice").pw_uid
    before = (STORE / "store.ini").read_bytes()
    for words in (("add", "records", "alice"), ("remove", "records", "alice"), ("list",), ("check",),
                  ("rotate", "records"), ("recover", "records"), ("create", "mine", "--group", "users")):
        status, told, _ = site.station.run("store", *words, uid=uid, check=False)
        assert told["outcome"] == "not-allowed" and status != 0, words
    assert (STORE / "store.ini").read_bytes() == before


def test_revoked_card_leaves_the_stores_that_it_opened(site):
    site.fresh("alice", "bob")
    _, _, said = site.station.run("revoke", "--user", "bob")
    assert "The store records is not opened for that card any more" in said
    assert site.holders() == {"alice": "held", "bob": "leaving"}
    site.login("alice")
    assert site.holders() == {"alice": "held"} and not site.secret_by_key("bob")
    with site.card("bob"):
        site.station.enrol("bob")
    _, _, said = site.station.run("revoke", "--user", "bob")  # the control: in no store
    assert "records" not in said
    with site.card("bob"):
        site.station.enrol("bob")
    site.store("add", "records", "bob")
    (card,) = [one["card_id"] for one in site.station.run("cards")[1]["enrolments"]
               if one["user"] == "bob" and one["state"] == "active"]
    site.station.run("revoke", card[:16].upper())
    assert site.holders() == {"alice": "held", "bob": "leaving"}
    with site.card("bob"):
        site.station.enrol("bob")


def test_card_given_to_another_user_is_found_by_check(site):
    site.fresh("alice", "bob")
    with site.card("bob"):
        site.station.enrol("mallory", st.PIN, "--reassign")
    status, told, _ = site.store("check", check=False)
    (finding,) = told["findings"]
    assert status == 1 and finding["user"] == "bob" and "another user" in finding["problem"]
    site.store("add", "records", "mallory")  # as it says
    assert site.holders() == {"alice": "held", "mallory": "held"} and site.store("check")[0] == 0
    with site.card("bob"):
        site.station.enrol("bob", st.PIN, "--reassign")
    site.store("add", "records", "bob")
    assert site.store("check")[0] == 0


def test_damage_is_found_by_check(site):
    site.fresh("alice")
    assert site.store("check")[0] == 0
    for name in ("keys.cms", "recovery.der", "recovery.pub", "store.ini", "cipher/gocryptfs.conf"):
        (STORE / name).rename(STORE / "aside")
        status, told, _ = site.store("check", check=False)
        assert status == 1 and any(one["state"] == "error" for one in told["findings"]), name
        (STORE / "aside").rename(STORE / name)
    assert site.store("check")[0] == 0
    parser = configparser.ConfigParser()
    parser.read_string((STORE / "store.ini").read_text())
    assert parser["store"]["generation"] == "1"


def test_kill_at_any_moment_leaves_the_old_or_the_new_rights(site):
    """tests/unit/test_store_rights.c does it at each write; here it is the whole of a login."""
    site.fresh("alice")
    added, dice = False, random.Random(5)
    secret = site.secret_by_key("alice").splitlines()[0]
    with site.card("alice"):
        for _ in range(ROUNDS):
            added = not added
            site.store("add" if added else "remove", "records", "bob")
            site.station.wait_ready()
            login = threading.Thread(target=lambda: site.station.login("alice", st.PIN))
            login.start()
            time.sleep(dice.uniform(0, 0.05))  # the moment is the test's input
            site.kill_hygied()
            login.join()
            for opened in (site.secret_by_key("alice"), site.secret_by_paper()):
                assert opened and opened.splitlines()[0] == secret
            assert set(site.holders()) <= {"alice", "bob"}
            site.station.wait_ready()
            assert site.station.login("alice", st.PIN).code == 0
            assert (site.secret_by_key("bob") is not None) == added
            assert site.holders() == {"alice": "held", **({"bob": "held"} if added else {})}
    assert site.mounts(secret + b"\n")


def test_creation_cut_short_at_any_call_leaves_no_store_or_a_whole_one(site, tmp_path):
    """hygied killed at each call that changes something, or at some: HYGIE_ROUNDS."""
    def create(call=None):
        subprocess.run(["rm", "-rf", str(STORES)], check=True)
        site.empty_keeper()
        with traced(site.station.hygied.pid, tmp_path / "log", at(call) if call else "") as calls:
            site.create("alice")
        return calls
    calls, whole, none = create(), 0, 0
    assert STORE.exists() and len(calls) > 20
    for call in calls[::-max(1, len(calls) // ROUNDS)]:
        create(call)
        site.kill_hygied()
        if STORE.exists():
            assert site.mounts(site.secret_by_key("alice")) and site.mounts(site.secret_by_paper())
            whole += 1
        else:
            assert site.store("list")[1]["stores"] == []
            none += 1
    assert whole and none
    site.empty()
    (STORES / ".records.new" / "cipher").mkdir(parents=True)  # what was left stands in nobody's way
    (STORES / ".records.new" / "cipher" / "gocryptfs.conf").write_text("half of it")
    STORES.chmod(0o700)
    assert site.create("alice")[0] == 0 and site.mounts(site.secret_by_key("alice"))
    site.fresh("alice")
