# SPDX-License-Identifier: Apache-2.0
"""A reencryption that is cut short, by whatever and whenever: the store is the old one or the new
one, it opens, every record is as it was, and the same command goes on.

    HYGIE_ROUNDS=200 HYGIE_SEED=7 tests/check store-reencrypt_killed
"""
import collections
import os
import random
import shutil
import signal
import subprocess
import time

import pytest

from keeping import until
from reencrypting import (DAEMON, NEVER, OLD, STAGE, STOP, arm, begun, calls, census, end_of, fill,
                          filled, haltable_site, halting, held, is_stopped, look, opens, reencrypt,
                          seen, start_anew)
from storesite import STORE, STORES, run

ROUNDS = int(os.environ.get("HYGIE_ROUNDS", "20"))
SEED = int(os.environ.get("HYGIE_SEED", "3"))
BACK = (2, *range(15, 22))  # calls before the last: where it goes from one folder to the other, too
FILLER = STORES / ".filler"


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    yield from haltable_site(tmp_path_factory.mktemp("site"))


@pytest.fixture
def records(site, sides):
    sides.end()
    start_anew(site)
    return filled(site, "alice", "bob", files=40, large=3_000_000)


def look_at(site, records):
    look(site, records, site.secret_by_key("alice"), site.secret_by_paper())


def staged(site):
    """The secret of the copy that was begun, by paper."""
    pem = site.home / "recovery.pem"
    assert run("openssl", "pkcs8", "-inform", "DER", "-in", STAGE / "recovery.der", "-passin",
               "pass:" + site.passphrase, "-out", pem)[0] == 0
    status, out = run("openssl", "cms", "-decrypt", "-inform", "DER", "-in", STAGE / "keys.cms",
                      "-inkey", pem)
    assert status == 0
    return out


def cut(site, sides, path, call=60):
    """A run that was killed in the midst of its copying."""
    with held(site, sides, path / "halt", call) as process:
        process.kill()
    assert STAGE.exists() and not OLD.exists()


class Rounds:
    def __init__(self, site, sides, home):
        self.site, self.sides, self.dice = site, sides, random.Random(SEED)
        self.halt, self.counted = home / "halt", collections.Counter()
        arm(self.halt, NEVER)
        arm(DAEMON, NEVER)
        began = time.monotonic()
        assert end_of(begun(site, sides, self.halt))[0] == 0
        self.long, self.calls, self.served = time.monotonic() - began, calls(self.halt), calls(DAEMON)
        shutil.rmtree(OLD)
        self.kinds = [self.command, self.daemon, self.keeper, self.gocryptfs, self.everything]

    def command(self):
        arm(self.halt, self.dice.randint(1, self.calls))
        return begun(self.site, self.sides, self.halt)

    def daemon(self):
        arm(DAEMON, self.dice.randint(1, self.served))
        return begun(self.site, self.sides)

    def later(self):
        process = begun(self.site, self.sides)
        time.sleep(self.dice.uniform(0, 1.1 * self.long))  # the moment is the test's input
        return process

    def keeper(self):
        process = self.later()
        self.dice.choice(self.sides.keepers).process.kill()
        return process

    def gocryptfs(self):
        process = self.later()
        subprocess.run(["pkill", "-KILL", "-x", "gocryptfs"], check=False)  # in this enclave
        return process

    def everything(self):
        """As when the power goes: nothing of it lives on."""
        process = self.later()
        process.kill()
        self.site.station.stop_hygied(signal.SIGKILL)
        for one in self.sides.keepers:
            one.process.kill()
        return process

    def round(self, number):
        kind = self.kinds[number % len(self.kinds)]
        before = self.site.secret_by_paper()
        end_of(kind())
        DAEMON.unlink(missing_ok=True)
        if kind in (self.daemon, self.everything) or self.dice.random() < 0.3:
            start_anew(self.site)
        self.sides.end()
        new = self.site.secret_by_paper() != before
        self.counted[kind.__name__, "new" if new else "old"] += 1
        look_at(self.site, self.records)
        if OLD.exists():  # whatever was killed after the exchange
            assert new and opens(self.site, before, OLD / "cipher")
            assert not STAGE.exists()
            shutil.rmtree(OLD)
        else:
            assert not new


def test_kill_at_any_moment_leaves_the_old_store_or_the_new(site, sides, records, tmp_path):
    rounds = Rounds(site, sides, tmp_path)
    rounds.records = records
    look_at(site, records)
    for number in range(ROUNDS):
        rounds.round(number)
    reencrypt(site, sides)
    look_at(site, records)
    print(sorted(rounds.counted.items()))
    assert any(state == "old" for _, state in rounds.counted)


def test_kill_at_each_call_of_hygied_from_the_copys_end(site, sides, records, tmp_path):
    """One by one: the command stands still before it says that all is compared, and goes on."""
    halt, shown = tmp_path / "halt", []
    arm(halt, NEVER)
    assert end_of(begun(site, sides, halt))[0] == 0
    last = calls(halt)
    while shown[-3:] != [True] * 3:
        shutil.rmtree(OLD)
        before = site.secret_by_paper()
        with held(site, sides, halt, last) as process:
            arm(DAEMON, len(shown) + 1)
            process.send_signal(signal.SIGCONT)
            end_of(process)
        DAEMON.unlink(missing_ok=True)
        start_anew(site)
        assert STORE.exists(), (len(shown) + 1, site.station.log()[-500:])
        look_at(site, records)
        shown.append(site.secret_by_paper() != before)
        assert shown[-1] == OLD.exists() and shown[-1] != STAGE.exists()
        assert not (STORE / "unfinished").exists()
        if not shown[-1]:
            reencrypt(site, sides)
    assert shown.count(False) > 3, shown


def test_exchange_that_was_cut_short_is_ended(site, sides, records):
    """As a power cut between its two steps leaves it: the old store lies where the new one was."""
    old = site.secret_by_paper()
    reencrypt(site, sides)
    OLD.rename(STAGE)
    (STORE / "unfinished").touch()
    start_anew(site)
    assert OLD.exists() and not STAGE.exists()
    assert opens(site, old, OLD / "cipher") and not (STORE / "unfinished").exists()
    OLD.rename(STAGE)  # and by the command itself
    status, told, _ = site.store("reencrypt", "records", "--abandon", check=False)
    assert status != 0 and OLD.exists(), told
    look_at(site, records)


def test_copy_that_was_begun_is_not_taken_for_the_old_one(site, sides, records, tmp_path):
    """The store's envelope is newer than the copy's since: its rights were changed twice."""
    cut(site, sides, tmp_path)
    for _ in range(3):
        site.store("rotate", "records")
        assert site.store("recover", "records", "--pin-stdin", pin=site.passphrase)[0] == 0
    start_anew(site)
    assert STAGE.exists() and not OLD.exists()
    reencrypt(site, sides)
    look_at(site, records)
    assert site.store("list")[1]["stores"][0]["generation"] == 5
    assert not (STORE / "unfinished").exists()


def test_old_copy_is_kept_while_the_store_is_not_whole(site, sides, records):
    reencrypt(site, sides)
    (STORE / "cipher/gocryptfs.conf").rename(STORE / "aside")
    status, told, _ = site.store("reencrypt", "records", "--discard-old", check=False)
    assert status != 0 and "gocryptfs.conf" in told["text"] and (OLD / "cipher").exists()
    (STORE / "aside").rename(STORE / "cipher/gocryptfs.conf")
    site.store("reencrypt", "records", "--discard-old")  # the control


def test_it_goes_on_with_what_was_copied(site, sides, records, tmp_path):
    cut(site, sides, tmp_path)
    secret = staged(site)
    with seen(site, secret, STAGE / "cipher") as top:
        there = {path.name: path.stat().st_ino for path in top.rglob("*") if path.is_file()}
    assert len(there) > 3
    reencrypt(site, sides)
    assert site.secret_by_paper().split()[0] == secret.split()[0]
    with seen(site, site.secret_by_paper()) as top:
        now = {path.name: path.stat().st_ino for path in top.rglob("*") if path.is_file()}
        assert census(top) == records
    assert sum(now[name] == number for name, number in there.items()) >= len(there) - 1


def test_what_changed_between_two_runs_is_in_the_new_store(site, sides, records, tmp_path):
    """The old store was open in between: files new, gone, of another kind, other links."""
    cut(site, sides, tmp_path, 250)
    with seen(site, site.secret_by_key("alice")) as top:
        (top / "new").write_text("written since")
        (top / "patient/record-7").write_bytes(b"x" * 21007)
        (top / "patient/record-8").unlink()
        (top / "patient/record-9").unlink()
        (top / "patient/record-9").symlink_to("/etc/shadow")
        (top / "another name").unlink()
        (top / "another name").write_text("a file of its own")
        os.link(top / "patient/record-11", top / "other link")
        shutil.rmtree(top / "empty")
        (top / "empty").write_text("a file now")
        (top / "pipe").unlink()
        (top / "pipe").mkdir()
        os.removexattr(top / "patient", "user.folder")
        os.setxattr(top / "none", "user.of", b"another value")
        now = census(top)
    reencrypt(site, sides)
    look_at(site, now)


def test_copied_file_that_was_damaged_is_copied_anew(site, sides, records, tmp_path):
    """Of the same size and time: as a power cut may leave it, before its bytes were on the disk."""
    cut(site, sides, tmp_path, 300)
    with seen(site, staged(site), STAGE / "cipher") as top:
        damaged = [path for path in top.rglob("*") if path.is_file() and not path.is_symlink()
                   and 0 < path.stat().st_size < 1 << 24]
        for path in damaged[:5]:
            about = path.stat()
            path.write_bytes(b"\0" * about.st_size)
            path.chmod(about.st_mode & 0o7777)
            os.utime(path, ns=(about.st_atime_ns, about.st_mtime_ns))
    assert len(damaged) > 5
    reencrypt(site, sides)
    look_at(site, records)


def test_record_that_cannot_be_read_is_named_and_keeps_the_old_store(site, sides, records):
    """Damaged on the disk. When it is mended, it goes on."""
    with seen(site, site.secret_by_key("alice")) as top:
        when = (top / "patient/record-7").stat().st_mtime_ns
    damaged = next(path for path in (STORE / "cipher").rglob("*") if path.lstat().st_mtime_ns == when)
    whole = damaged.read_bytes()
    about = damaged.stat()
    with open(damaged, "r+b") as file:
        file.seek(100)
        file.write(b"damage")
    before = site.secret_by_paper()
    status, told, _ = reencrypt(site, sides, check=False)
    assert status != 0 and "patient/record-7: Input/output error" in told["text"]
    assert site.secret_by_paper() == before and STAGE.exists() and not OLD.exists()
    with open(damaged, "r+b") as file:
        file.write(whole)
    os.utime(damaged, ns=(about.st_atime_ns, about.st_mtime_ns))
    reencrypt(site, sides)
    look_at(site, records)


def of_record_3(cipher):
    """A name that cannot be decrypted any more."""
    record = next(path for path in cipher.rglob("*") if path.is_file() and not path.is_symlink()
                  and path.stat().st_mtime_ns % 10 ** 9 == 3)
    return record, record.with_name("A" * 22)


def of_a_folder(cipher):
    folder = next(path for path in cipher.iterdir() if path.is_dir() and len(list(path.iterdir())) > 5)
    return folder, folder.with_name("A" * 22)


def of_a_link(cipher):
    link = next(path for path in cipher.iterdir() if path.is_symlink())
    return link, link.with_name("A" * 22)


def of_a_long_name(cipher):
    name = next(cipher.glob("gocryptfs.longname.*.name"))
    return name, cipher.parent / "aside"


@pytest.mark.parametrize("damage", [of_record_3, of_a_folder, of_a_link, of_a_long_name])
def test_record_whose_name_cannot_be_read_is_not_left_behind(site, sides, records, damage):
    """gocryptfs does not show it, and so no comparison of what it shows would miss it."""
    whole, damaged = damage(STORE / "cipher")
    times = folders()
    whole.rename(damaged)
    before = site.secret_by_paper()
    with seen(site, before) as top:
        assert len(census(top)[0]) < len(records[0])
    status, told, _ = reencrypt(site, sides, check=False)
    name = whole.name.removesuffix(".name") if damaged.parent == STORE else damaged.name
    assert status != 0 and "/%s: has a name that cannot be decrypted" % name in told["text"]
    assert site.secret_by_paper() == before and not OLD.exists()
    damaged.rename(whole)
    timed(times)
    reencrypt(site, sides)
    look_at(site, records)


def timed(when):
    """Putting it back has changed the time of the folder that it lies in."""
    for path, about in when.items():
        os.utime(path, ns=(about.st_atime_ns, about.st_mtime_ns))


def folders():
    cipher = STORE / "cipher"
    return {path: path.stat() for path in (cipher, *cipher.rglob("*")) if path.is_dir() and
            not path.is_symlink()}


def test_disks_own_folder_among_the_encrypted_files_counts_when_it_holds_something(site, sides, records):
    """As where `cipher` is, or was copied from, the top of a disk."""
    times = folders()
    found = STORE / "cipher/lost+found"
    found.mkdir(mode=0o700)
    (found / "#1234").write_bytes(b"what fsck has found")
    status, told, _ = reencrypt(site, sides, check=False)
    assert status != 0 and "lost+found/#1234" in told["text"]
    (found / "#1234").unlink()
    timed(times)
    reencrypt(site, sides)
    look_at(site, records)


def test_abandoned_copy_is_gone_and_the_store_as_it_was(site, sides, records, tmp_path):
    before = census(STORE)
    cut(site, sides, tmp_path)
    status, told, _ = site.store("check", check=False)
    assert status == 1 and any("cut short" in one["problem"] for one in told["findings"])
    site.store("reencrypt", "records", "--abandon")
    assert not STAGE.exists() and site.store("check")[0] == 0
    assert census(STORE) == before
    status, told, _ = site.store("reencrypt", "records", "--abandon", check=False)
    assert status != 0 and "nothing is to be done" in told["text"]
    assert "audit: store-reencrypt-abandoned: ok" in site.station.log()


def abandoning(halt, call):
    arm(halt, call, STOP)
    return subprocess.Popen(["hygie", "store", "reencrypt", "records", "--abandon", "--json"],
                            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                            env={**os.environ, **halting(halt)})


@pytest.mark.parametrize("back", BACK)
def test_removal_that_stood_still_removes_nothing_that_was_made_since(site, sides, records, tmp_path, back):
    """By Ctrl-Z, say, while hygied, which had the copy locked for it, was started anew."""
    halt = tmp_path / "halt-removal"
    cut(site, sides, tmp_path)
    assert end_of(abandoning(halt, NEVER))[0] == 0
    cut(site, sides, tmp_path)
    process = abandoning(halt, calls(halt) - back)
    try:
        until(lambda: is_stopped(process) or process.poll() is not None, "it does not stop")
        assert process.poll() is None, end_of(process)
        start_anew(site)
        site.store("reencrypt", "records", "--abandon")
        assert not STAGE.exists()
        cut(site, sides, tmp_path)
        there = census(STAGE)
        process.send_signal(signal.SIGCONT)
        status, _ = end_of(process)
    finally:
        process.kill()
        process.wait()
    assert status != 0 and census(STAGE) == there
    reencrypt(site, sides)
    look_at(site, records)


def test_removal_that_was_cut_short_is_not_gone_on_with_as_a_copy(site, sides, records, tmp_path):
    cut(site, sides, tmp_path)
    (STAGE / "cipher/gocryptfs.conf").unlink()
    status, told, _ = reencrypt(site, sides, check=False)
    assert status != 0 and "--abandon" in told["text"]
    look_at(site, records)
    site.store("reencrypt", "records", "--abandon")
    reencrypt(site, sides)
    look_at(site, records)


@pytest.mark.parametrize("left", [(), ("gocryptfs.conf.tmp",), ("gocryptfs.conf",)])
def test_gocryptfs_that_was_killed_as_it_began_is_run_anew(site, sides, records, tmp_path, left):
    cut(site, sides, tmp_path)
    shutil.rmtree(STAGE / "cipher")
    (STAGE / "cipher").mkdir(mode=0o2770)
    for name in left:
        (STAGE / "cipher" / name).write_text("half")
    reencrypt(site, sides)
    look_at(site, records)


def test_who_left_since_the_first_run_has_no_key_to_the_second(site, sides, records, tmp_path):
    cut(site, sides, tmp_path)
    site.store("remove", "records", "bob")
    status, told, _ = reencrypt(site, sides, check=False)
    assert status != 0 and "--abandon" in told["text"]
    site.store("reencrypt", "records", "--abandon")
    reencrypt(site, sides)
    assert not site.secret_by_key("bob")
    look_at(site, records)


def test_who_was_added_since_the_first_run_is_a_holder(site, sides, tmp_path):
    sides.end()
    site.fresh("alice")
    with seen(site, site.secret_by_key("alice")) as top:
        fill(top)
        records = census(top)
    cut(site, sides, tmp_path)
    site.store("add", "records", "bob")
    reencrypt(site, sides)
    assert site.holders() == {"alice": "held", "bob": "held"}
    with seen(site, site.secret_by_key("bob")) as top:
        assert census(top) == records


def test_new_recovery_key_since_the_first_run_begins_anew(site, sides, records, tmp_path):
    cut(site, sides, tmp_path)
    old = site.passphrase
    assert site.print_page("recovery", "records")[0] == 0
    new, site.passphrase = site.passphrase, old
    status, told, _ = reencrypt(site, sides, check=False)  # it makes the new page hold
    assert status != 0 and "--abandon" in told["text"]
    site.store("reencrypt", "records", "--abandon")
    site.passphrase = new
    reencrypt(site, sides)
    look_at(site, records)


# ---- room

@pytest.fixture
def small(site, sides):
    """The stores lie on a small file system: it has room for two of them, and not for more."""
    sides.end()
    start_anew(site)
    site.empty_keeper()
    site.empty_stores()
    STORES.mkdir(mode=0o700)
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=60m,mode=700", "small", str(STORES)], check=True)
    status, _ = site.create("alice")
    assert status == 0, site.said
    with seen(site, site.secret_by_key("alice")) as top:
        fill(top)
        for number in range(10):
            (top / ("scan-%d" % number)).write_bytes(os.urandom(1 << 20))
        found = census(top)
    yield found
    sides.end()
    site.empty_keeper()
    subprocess.run(["umount", "-l", str(STORES)], check=True)


def test_too_little_room_is_told_before_anybody_types(site, sides, small):
    FILLER.write_bytes(b"x" * (30 << 20))
    status, told, _ = site.store("reencrypt", "records", check=False)  # no terminal, no answer
    assert status != 0 and "MiB are needed" in told["text"]
    assert not STAGE.exists()
    FILLER.unlink()
    reencrypt(site, sides)  # the control
    look_small(site, small)


def look_small(site, records):
    with seen(site, site.secret_by_key("alice")) as top:
        assert census(top) == records


def test_disk_that_is_full_in_the_midst_loses_nothing(site, sides, small, tmp_path):
    with held(site, sides, tmp_path / "halt", 20) as process:
        free = os.statvfs(STORES).f_bavail * 4096
        with open(FILLER, "wb") as filler:
            for _ in range(free // (1 << 20) - 3):
                filler.write(b"x" * (1 << 20))
        process.send_signal(signal.SIGCONT)
        status, said = end_of(process)
        assert status != 0 and "goes on" in said, said
    look_small(site, small)
    FILLER.unlink()
    reencrypt(site, sides)
    look_small(site, small)
