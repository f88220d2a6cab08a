# SPDX-License-Identifier: Apache-2.0
"""A store gets a new secret and a new master key: every record as it was, and nothing of the old
keys opens the new. Meanwhile it opens for nobody, and nothing about it is changed."""
import os
import pathlib
import shutil
import signal
import subprocess

import pytest

import station as st
from dialogue import Dialogue
from keeping import until
from reencrypting import (OLD, STAGE, STOP, arm, census, end_of, fill, filled_anew, halting, held,
                          is_stopped, look, opens, reencrypt, seen)
from storesite import KEYS, STORE, STORES, run, site_at

MOUNT = pathlib.Path("/srv/hygie/records")
MIDST = 12  # a call of the command that copies


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    yield from site_at(tmp_path_factory.mktemp("site"))


@pytest.fixture
def records(site, sides):
    return filled_anew(site, sides, "alice", "bob")


def audits(site, event):
    return [line for line in site.station.log().splitlines() if "audit: %s:" % event in line]


def is_open():
    return subprocess.run(["mountpoint", "-q", str(MOUNT)], check=False).returncode == 0


def closed(site):
    site.store("close", "records", check=False)
    until(lambda: not is_open(), "it stays open")


def master_key(site, secret, cipher):
    status, out = run("gocryptfs-xray", "-dumpmasterkey", cipher / "gocryptfs.conf",
                      data=secret.split()[0] + b"\n")
    assert status == 0
    return out.decode().strip().splitlines()[-1]


def readable(site, cipher, key):
    """The names that a master key shows."""
    plain = site.home / "by-master-key"
    plain.mkdir(exist_ok=True)
    assert run("gocryptfs", "-q", "-masterkey", key, cipher, plain)[0] == 0
    try:
        return {path.name for path in plain.iterdir()}
    finally:
        assert run("fusermount3", "-u", plain)[0] == 0


def test_every_record_is_as_it_was_and_no_old_key_opens_it(site, sides, records):
    old, conf = site.secret_by_key("alice"), (STORE / "cipher/gocryptfs.conf").read_bytes()
    key = master_key(site, old, STORE / "cipher")
    assert "patient" in readable(site, STORE / "cipher", key)  # the control
    _, told, _ = reencrypt(site, sides)
    new = site.secret_by_key("alice")
    assert new.split()[0] != old.split()[0]
    look(site, records, new)
    assert told["files"] == len([1 for one in records[0].values() if one[0] >> 12 == 8])
    assert not opens(site, old, STORE / "cipher")
    assert "patient" not in readable(site, STORE / "cipher", key)
    assert master_key(site, new, STORE / "cipher") != key
    (STORE / "cipher/gocryptfs.conf").unlink()
    (STORE / "cipher/gocryptfs.conf").write_bytes(conf)  # the old one put back
    assert "patient" not in readable(site, STORE / "cipher", master_key(site, old, STORE / "cipher"))


def test_cards_and_paper_open_the_new_store(site, sides, records):
    reencrypt(site, sides)
    for secret in (site.secret_by_key("alice"), site.secret_by_key("bob"), site.secret_by_paper()):
        look(site, records, secret)
    for user in ("alice", "bob"):
        site.login(user)
        until(is_open, "it does not open for " + user)
        assert census(MOUNT) == records
        closed(site)
    status, _, _ = site.store("recover", "records", "--pin-stdin", pin=site.passphrase, check=False)
    assert status == 0


def test_old_envelope_put_back_is_refused(site, sides, records):
    keys = KEYS.read_bytes()
    reencrypt(site, sides)
    new = KEYS.read_bytes()
    KEYS.write_bytes(keys)
    site.login("alice")
    site.station.wait_log("is an older one, put back")
    assert not is_open()
    KEYS.write_bytes(new)
    site.login("alice")  # the control
    until(is_open, "it does not open")
    closed(site)


def test_who_left_has_no_key_to_it(site, sides, records):
    site.store("remove", "records", "bob")
    assert site.secret_by_key("bob")  # until somebody opens it
    reencrypt(site, sides)
    assert site.holders() == {"alice": "held"} and not site.secret_by_key("bob")
    look(site, records, site.secret_by_key("alice"))
    assert site.store("list")[1]["stores"][0]["generation"] == 3


def test_recovery_key_that_is_pending_is_the_new_stores(site, sides, records):
    """The old page is typed: it makes the new one hold, and the new store is sealed to that one."""
    old = site.passphrase
    assert site.print_page("recovery", "records")[0] == 0
    new, site.passphrase = site.passphrase, old
    reencrypt(site, sides)
    status, told, _ = site.store("recover", "records", "--pin-stdin", pin=old, check=False)
    assert status != 0 and "older" in told["text"]
    site.passphrase = new
    look(site, records, site.secret_by_paper())
    assert site.store("recover", "records", "--pin-stdin", pin=new)[0] == 0


def test_copy_that_is_the_store_itself_is_not_gone_on_with(site, sides, records):
    """As a backup put back into the wrong place: its secret is the one that is to be replaced."""
    closed(site)
    subprocess.run(["cp", "-a", str(STORE), str(STAGE)], check=True)
    (STAGE / "unfinished").touch()
    old = site.secret_by_key("alice")
    status, told, _ = reencrypt(site, sides, check=False)
    assert status != 0 and "does not fit the store any more" in told["text"], told
    assert site.secret_by_key("alice") == old and not OLD.exists()
    shutil.rmtree(STAGE)
    reencrypt(site, sides)  # the control
    look(site, records, site.secret_by_key("alice"))


def test_old_copy_stays_until_it_is_discarded(site, sides, records):
    old = site.secret_by_key("alice")
    reencrypt(site, sides)
    with seen(site, old, OLD / "cipher") as top:
        assert census(top) == records
    status, told, _ = site.store("check", check=False)
    assert status == 1 and any("old encrypted copy" in one["problem"] for one in told["findings"])
    status, told, _ = reencrypt(site, sides, check=False)
    assert status != 0 and "--discard-old" in told["text"]
    site.store("reencrypt", "records", "--discard-old")
    assert not OLD.exists() and site.store("check")[0] == 0
    assert sorted(path.name for path in STORES.iterdir()) == ["records"]
    look(site, records, site.secret_by_key("alice"))
    status, told, _ = site.store("reencrypt", "records", "--discard-old", check=False)
    assert status != 0 and "nothing is to be done" in told["text"]
    for event, detail in (("store-reencrypt-begun", "generation 2"), ("store-reencrypt", " files, "),
                          ("store-discard", "")):
        assert any(detail in line for line in audits(site, event)), event


def exported(site, target, records):
    """An export opens by the keys that lie in it, and has every record."""
    assert subprocess.run(["sha256sum", "--check", "--quiet", "MANIFEST.sha256"], check=False,
                          cwd=target).returncode == 0
    status, secret = run("openssl", "cms", "-decrypt", "-inform", "DER", "-in",
                         target / "records/keys.cms", "-inkey", site.keys["alice"])
    assert status == 0
    with seen(site, secret, target / "records/cipher") as top:
        found, _ = census(top)
    return {name: one[6] for name, one in found.items()} == {
        name: one[6] for name, one in records[0].items() if one[0] >> 12 not in (1, 12)}


def test_export_has_the_records_and_not_a_copy_that_was_begun(site, sides, records, tmp_path):
    with seen(site, site.secret_by_key("alice")) as top:
        (top / "holes").unlink()  # they are none in an export
        records = census(top)
    with held(site, sides, tmp_path / "halt", MIDST) as process:
        process.kill()
    assert STAGE.exists()
    site.store("export", "records", tmp_path / "export")
    assert exported(site, tmp_path / "export", records)


def test_export_that_sees_an_exchange_is_not_called_whole(site, sides, records, tmp_path):
    """Its first files are of the old store, its last would be of the new."""
    with seen(site, site.secret_by_key("alice")) as top:
        (top / "holes").unlink()
        records = census(top)
    target, halt = tmp_path / "export", tmp_path / "halt"
    arm(halt, 40, STOP)
    process = subprocess.Popen(["hygie", "store", "export", "records", str(target), "--json"],
                               stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                               env={**os.environ, **halting(halt)})
    try:
        until(lambda: is_stopped(process) or process.poll() is not None, "it does not stop")
        assert process.poll() is None, end_of(process)
        reencrypt(site, sides)
        process.send_signal(signal.SIGCONT)
        status, said = end_of(process)
    finally:
        process.kill()
        process.wait()
    assert status != 0 and "reencrypted meanwhile" in said
    assert not (target / "MANIFEST.sha256").exists()
    site.store("export", "records", target)
    assert exported(site, target, records)


def test_again_and_again(site, sides, records):
    for _ in range(2):
        reencrypt(site, sides)
        site.store("reencrypt", "records", "--discard-old")
    look(site, records, site.secret_by_paper())


def test_encrypted_files_that_lie_elsewhere(site, sides):
    sides.end()
    site.empty()
    elsewhere = pathlib.Path("/var/lib/elsewhere")
    elsewhere.mkdir(mode=0o700, exist_ok=True)
    status, _ = site.print_page("create", "records", "--group", "users", "--cipher",
                                elsewhere / "cipher", "alice")
    assert status == 0, site.said
    site.station.stop_hygied()
    site.station.start_hygied()
    try:
        with seen(site, site.secret_by_key("alice"), elsewhere / "cipher") as top:
            fill(top, 7)
            records = census(top)
        for generation, old in ((2, "cipher"), (3, "cipher.g2")):
            reencrypt(site, sides)
            place = elsewhere / ("cipher.g%d" % generation)
            assert site.store("list")[1]["stores"][0]["cipher"] == str(place)
            with seen(site, site.secret_by_key("alice"), place) as top:
                assert census(top) == records
            site.login("alice")
            until(is_open, "it does not open")
            closed(site)
            assert (elsewhere / old).exists()
            site.store("reencrypt", "records", "--discard-old")
            assert [path.name for path in elsewhere.iterdir()] == [place.name]
    finally:
        shutil.rmtree(elsewhere)


def test_disk_that_is_the_encrypted_folder_is_refused(site, sides):
    """The new files would lie beside it, on another disk, and nobody would expect them there."""
    sides.end()
    site.empty()
    elsewhere = pathlib.Path("/var/lib/elsewhere")
    (elsewhere / "cipher").mkdir(mode=0o700, parents=True)
    elsewhere.chmod(0o700)
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=10m,mode=700", "disk", str(elsewhere / "cipher")],
                   check=True)
    try:
        status, _ = site.print_page("create", "records", "--group", "users", "--cipher",
                                    elsewhere / "cipher", "alice")
        assert status == 0, site.said
        site.station.stop_hygied()
        site.station.start_hygied()
        before = site.secret_by_key("alice")
        status, told, _ = reencrypt(site, sides, check=False)
        assert status != 0 and "mounted" in told["text"], told
        assert site.secret_by_key("alice") == before and not OLD.exists()
        assert [path.name for path in elsewhere.iterdir()] == ["cipher"]
    finally:
        subprocess.run(["umount", str(elsewhere / "cipher")], check=True)
        shutil.rmtree(elsewhere)


def test_disk_that_is_mounted_at_the_new_copys_place_is_called_so(site, sides, records):
    STAGE.mkdir(mode=0o700)
    subprocess.run(["mount", "-t", "tmpfs", "-o", "mode=700,size=1m", "disk", str(STAGE)], check=True)
    try:
        status, told, _ = reencrypt(site, sides, check=False)
        assert status != 0 and "a disk is mounted at one of them" in told["text"], told
    finally:
        subprocess.run(["umount", str(STAGE)], check=True)
    reencrypt(site, sides)  # the control
    look(site, records, site.secret_by_key("alice"))


def test_open_store_is_not_touched(site, sides, records):
    site.login("alice")
    until(is_open, "it does not open")
    before = KEYS.read_bytes()
    status, told, _ = reencrypt(site, sides, check=False)
    assert status != 0 and "alice" in told["text"] and "close" in told["text"]
    assert is_open() and census(MOUNT) == records and KEYS.read_bytes() == before
    assert not STAGE.exists()
    closed(site)


def test_store_that_opens_while_the_passphrase_is_typed_is_not_touched(site, records):
    dialogue = Dialogue("REQUEST_STORE_REENCRYPT", STORE="records")
    dialogue.prompt()
    site.login("alice")
    until(is_open, "it does not open")
    dialogue.answer(site.passphrase)
    assert dialogue.outcome() == "HYGIE_REFUSED" and not STAGE.exists()
    assert is_open() and census(MOUNT) == records
    closed(site)


def test_run_that_was_quicker_than_the_typing_has_done_it(site, sides, records):
    """Its old copy is not lost for a second one."""
    dialogue = Dialogue("REQUEST_STORE_REENCRYPT", STORE="records")
    dialogue.prompt()
    old = site.secret_by_key("alice")
    reencrypt(site, sides)
    new = site.secret_by_key("alice")
    dialogue.answer(site.passphrase)
    assert dialogue.outcome() == "HYGIE_REFUSED" and not STAGE.exists()
    assert opens(site, old, OLD / "cipher") and site.secret_by_key("alice") == new
    look(site, records, new)


def test_wrong_passphrase_changes_nothing(site, sides, records):
    good = site.passphrase
    site.fresh("bob")
    site.passphrase = good
    before = KEYS.read_bytes()
    status, told, _ = reencrypt(site, sides, check=False)
    assert status != 0 and "another store" in told["text"]
    assert KEYS.read_bytes() == before and not STAGE.exists()


def test_others_than_root_may_not(site, records):
    uid = st.pwd.getpwnam("alice").pw_uid
    for word in ((), ("--abandon",), ("--discard-old",)):
        status, _, _ = site.station.run("store", "reencrypt", "records", *word, uid=uid, check=False)
        assert status != 0
    assert not STAGE.exists()


def test_it_tells_how_far_it_is(site, sides, records):
    """A line for each tenth where no person reads, and the last says all."""
    sides.begin()
    done = subprocess.run(["hygie", "store", "reencrypt", "records", "--pin-stdin"], text=True,
                          input=site.passphrase + "\n", capture_output=True, check=True)
    lines = done.stderr.splitlines()
    for word in ("Copied", "Compared"):
        told = [line for line in lines if line.startswith(word)]
        assert 1 <= len(told) <= 10, lines
        assert all(line.endswith(" of 65536 MiB.") for line in told), lines
    assert "--discard-old" in done.stdout


# ---- meanwhile

def test_login_goes_on_without_the_store_and_is_told(site, sides, records, tmp_path):
    with held(site, sides, tmp_path / "halt", MIDST) as process:
        assert site.store("status")[1]["stores"][0]["state"] == "reencrypting"
        with site.card("alice"):
            result = site.station.login("alice", st.PIN)
        assert result.code == 0 and any("reencrypted" in text for _, text in result.messages)
        assert not is_open()
        process.send_signal(signal.SIGCONT)
        assert end_of(process)[0] == 0
    look(site, records, site.secret_by_key("alice"))
    site.login("alice")  # the control
    until(is_open, "it does not open")
    closed(site)


@pytest.mark.parametrize("words", [("add", "records", "bob"), ("remove", "records", "bob"),
                                   ("rotate", "records"), ("recover", "records"),
                                   ("recovery", "records"), ("reencrypt", "records"),
                                   ("reencrypt", "records", "--abandon"),
                                   ("create", "records", "--group", "users"),
                                   ("import", "/nowhere", "records")])
def test_nothing_about_it_is_changed_meanwhile(site, sides, records, tmp_path, words):
    before = {path: path.read_bytes() for path in STORE.glob("*.*")}
    with held(site, sides, tmp_path / "halt", MIDST) as process:
        status, told, _ = site.store(*words, check=False)
        assert status != 0 and told["text"], told
        assert {path: path.read_bytes() for path in STORE.glob("*.*")} == before
        process.send_signal(signal.SIGCONT)
        assert end_of(process)[0] == 0
    look(site, records, site.secret_by_key("bob"))


def test_card_that_is_revoked_meanwhile_loses_its_right_in_the_new_store(site, sides, records, tmp_path):
    with held(site, sides, tmp_path / "halt", MIDST) as process:
        site.station.run("revoke", "--user", "bob", "--reason", "lost")
        before = KEYS.read_bytes()
        site.login("alice")  # who may grant: nothing is carried out in the old store
        assert KEYS.read_bytes() == before
        process.send_signal(signal.SIGCONT)
        assert end_of(process)[0] == 0
    try:
        assert site.holders() == {"alice": "held", "bob": "leaving"}
        site.login("alice")
        until(is_open, "it does not open")
        closed(site)
        assert site.holders() == {"alice": "held"} and not site.secret_by_key("bob")
        look(site, records, site.secret_by_key("alice"))
    finally:
        with site.card("bob"):
            site.station.enrol("bob")


def test_nobody_but_root_sees_either_side(site, sides, records, tmp_path):
    user = st.pwd.getpwnam("alice")  # a member of the store's group
    listing = "import os,sys; print(len(os.listdir(sys.argv[1])))"
    writing = "import sys; open(sys.argv[1] + '/patient/record-1', 'a')"
    with held(site, sides, tmp_path / "halt", MIDST):
        for name in (".records.old", ".records.new"):
            for code in (listing, writing):
                command = ["/usr/bin/python3", "-c", code, "/run/hygie/store/" + name]
                hers = subprocess.run(command, user=user.pw_uid, group=100, extra_groups=[100],
                                      capture_output=True, text=True, check=False)
                assert "PermissionError" in hers.stderr
        ours = subprocess.run(["ls", "/run/hygie/store/.records.old/patient"], check=True,
                              capture_output=True, text=True)
        assert "record-1" in ours.stdout  # the control
        write = subprocess.run(["touch", "/run/hygie/store/.records.old/patient/record-1"],
                               check=False, capture_output=True, text=True)
        assert "Read-only" in write.stderr  # and root changes nothing by a mistake
    assert not list(pathlib.Path("/run/hygie/store").glob(".records.???"))


def test_command_that_cannot_see_the_records_copies_nothing(site, sides, records):
    """In another mount namespace both places are empty folders, and look the same."""
    before = KEYS.read_bytes()
    sides.begin()
    done = subprocess.run(
        ["unshare", "--mount", "--propagation", "private", "hygie", "store", "reencrypt", "records",
         "--pin-stdin", "--json"], input=site.passphrase + "\n", capture_output=True, text=True, check=False)
    assert done.returncode != 0 and "not seen there" in done.stdout + done.stderr
    assert KEYS.read_bytes() == before
    look(site, records, site.secret_by_key("alice"))
    sides.shut()
