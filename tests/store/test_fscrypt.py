# SPDX-License-Identifier: Apache-2.0
"""What is particular to a store that the file system encrypts (fscrypt): its policy and its key in
the kernel, what is refused, and the disk that others use as well. What holds for both backends is
in test_keeper.py and test_keeper_closing.py; what is killed, in test_fscrypt_killed.py."""
import base64
import errno
import os
import pathlib
import shutil
import signal
import subprocess
import time

import pytest

import wire
from disk import (ABSENT, CTS, INCOMPLETE, PAD_32, PRESENT, V2, XTS, Disk, add_key,
                  key_id, key_status, policy, remove_key, set_policy)
from keeping import (DEADLINE, GROUP, HOLDS, FscryptKeeper, disks, end_of, holder,  # noqa: F401
                     is_shut, kept, let_go, members, mounts, new_secret, running, store, until)
from test_keeper import everybody_but_us, memory_holds

DOCUMENT = pathlib.Path(__file__).resolve().parents[2] / "docs" / "store.md"


@pytest.fixture
def keeper(disks):
    with kept(FscryptKeeper(disks(), group=GROUP)) as one:
        yield one


def other_kind(error, path):
    with pytest.raises(OSError) as caught:
        path.read_bytes()
    return caught.value.errno == error


# --- the key

def test_the_folder_gets_the_policy_and_its_key_comes_only_to_open_it(keeper):
    keeper.make()
    assert policy(keeper.cipher) == (V2, XTS, CTS, PAD_32, key_id(keeper.secret))
    assert keeper.key_status() == ABSENT
    keeper.open()
    assert keeper.key_status() == PRESENT
    keeper.close()
    assert keeper.key_status() == ABSENT


def test_neither_names_nor_contents_can_be_read_when_it_is_closed(store):
    (store.mount / "of a patient").write_text("the record")
    (store.mount / "folder").mkdir()
    (store.mount / "folder" / "deep").write_text("another")
    shown = sorted(path.relative_to(store.mount) for path in store.mount.rglob("*"))
    assert (store.cipher / "of a patient").read_text() == "the record", "by the folder, too"
    store.close()
    names = os.listdir(store.cipher)
    assert len(names) == 2 and "of a patient" not in names and "folder" not in names
    record = next(path for path in store.cipher.iterdir() if path.is_file())
    assert other_kind(errno.ENOKEY, record)
    with pytest.raises(OSError):
        (store.cipher / "new").write_text("in the open")
    data = store.encrypted()
    assert b"of a patient" not in data and b"the record" not in data
    store.open()
    assert sorted(path.relative_to(store.mount) for path in store.mount.rglob("*")) == shown


def test_it_opens_without_hygie(store, tmp_path):
    """By openssl and xfs_io alone, as docs/store.md has it."""
    (store.mount / "record").write_text("legible without us")
    store.close()
    key, cms = tmp_path / "holder.pem", tmp_path / "keys.cms"
    subprocess.run(["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", key,
                    "-out", tmp_path / "holder.crt", "-subj", "/CN=holder"], check=True,
                   stderr=subprocess.DEVNULL)
    subprocess.run(["openssl", "cms", "-encrypt", "-binary", "-aes-256-gcm", "-outform", "DER",
                    "-out", cms, "-recip", tmp_path / "holder.crt", "-keyopt",
                    "rsa_padding_mode:oaep"], check=True,
                   input=store.secret + b"\nhygie-store-1 records 1 -\n")
    functions = [line.strip() for line in DOCUMENT.read_text().splitlines()
                 if "_store() {" in line and "enckey" in line]
    assert len(functions) == 2

    def shell(command, *arguments):
        return subprocess.run(["/bin/sh", "-ec", "\n".join(functions + [command]), "sh", *arguments],
                              capture_output=True, text=True, check=True, cwd=tmp_path).stdout

    (tmp_path / "folder").symlink_to(store.cipher.parent)
    said = shell("secret=$(openssl cms -decrypt -inform DER -in keys.cms -inkey holder.pem) &&\n"
                 "printf '%s\\n' \"$secret\" | open_store")
    assert key_id(store.secret).hex() in said
    try:
        assert (store.cipher / "record").read_text() == "legible without us"
    finally:
        shell("close_store \"$1\"", key_id(store.secret).hex())
    assert store.key_status() == ABSENT


def test_a_wrong_secret_is_never_given_to_the_kernel(keeper):
    keeper.make()
    wrong = new_secret()
    keeper.order_open(secret=wrong)
    keeper.fails("WRONG_SECRET")
    assert is_shut(keeper) and key_status(keeper.disk.root, key_id(wrong)) == ABSENT
    # The control: it would be there, if it had been given.
    add_key(keeper.disk.root, wrong)
    assert key_status(keeper.disk.root, key_id(wrong)) == PRESENT
    remove_key(keeper.disk.root, key_id(wrong))


@pytest.mark.parametrize("secret", [
    b"", b"short", base64.b64encode(bytes(31)), base64.b64encode(bytes(33)),
    b"=" + base64.b64encode(bytes(32))[:-1], base64.b64encode(bytes(32))[:-2] + b" =",
    base64.b64encode(bytes(32))[:-1] + b"A", b"*" * 43 + b"="])
def test_a_secret_that_is_no_key_opens_and_makes_nothing(keeper, secret):
    keeper.order("INIT", **keeper.place(), group_id=GROUP, secret=secret)
    keeper.wait("FAILED")
    assert policy(keeper.cipher) is None
    keeper.make()
    keeper.order("OPEN", **keeper.place(), secret=secret, note=b"")
    keeper.wait("FAILED")
    assert is_shut(keeper)
    keeper.open()


def test_the_key_is_in_no_process_while_it_is_open(store):
    """The kernel has it; the program that brought it there has wiped it."""
    raw = base64.b64decode(store.secret)
    process = holder("import base64; held = base64.b64decode(%r)" % store.secret, store.mount)
    assert memory_holds(process.pid, raw), "the control: the search finds it"
    end_of(process)
    found = [pid for pid in everybody_but_us()
             if memory_holds(pid, raw) or memory_holds(pid, store.secret)]
    assert not found
    assert memory_holds(store.child(), b"hygie-fscrypt"), "the control: it can be looked into"


# --- what is refused

@pytest.mark.parametrize("kind", ["plain", "version 1"])
def test_a_folder_without_a_policy_of_ours_is_not_opened(keeper, kind):
    keeper.make()
    keeper.cipher.rmdir()
    keeper.cipher.mkdir()
    keeper.cipher.chmod(0o2770)
    if kind == "version 1":
        subprocess.run(["xfs_io", "-c", "set_encpolicy -v 1 0011223344556677", keeper.cipher],
                       check=True)
    keeper.order_open()
    assert "policy" in keeper.fails("BAD_CIPHER").get("TEXT")
    assert is_shut(keeper)


def test_another_backend_is_refused_by_its_name(keeper):
    keeper.order("INIT", **{**keeper.place(), "backend": "luks"}, group_id=GROUP,
                 secret=keeper.secret)
    keeper.fails("FAULT")
    assert not keeper.cipher.exists()


@pytest.fixture
def old_disk(disks):
    """As disks are made unless somebody asks for encryption."""
    disks()  # or skipped
    one = Disk("old", features="^encrypt", size="16M")
    yield one
    one.end()


def test_a_disk_that_does_not_encrypt_is_named_with_what_to_do(old_disk):
    one = FscryptKeeper(old_disk, group=GROUP)
    try:
        one.order_init()
        failed = one.fails("NO_ENCRYPTION")
        device = old_disk.device()
        assert (failed.get("FILE"), failed.get("KIND")) == (device, "ext4")
        assert "tune2fs -O encrypt " + device in failed.get("TEXT")
        subprocess.run(["tune2fs", "-O", "encrypt", device], check=True,
                       stdout=subprocess.DEVNULL)
        one.make()
        one.open()
    finally:
        one.end()
        shutil.rmtree("/srv/hygie")


def test_a_file_system_that_cannot_encrypt_is_named(keeper):
    root = pathlib.Path("/run/other")
    (root / "records").mkdir(parents=True, mode=0o700)
    root.chmod(0o700)
    keeper.order("INIT", **{**keeper.place(), "cipher": str(root / "records/cipher")},
                 group_id=GROUP, secret=keeper.secret)
    assert keeper.fails("NO_ENCRYPTION").get("KIND") == "tmpfs"
    shutil.rmtree(root)


def test_the_top_of_a_disk_is_refused(keeper):
    top = keeper.disk.root
    keeper.order("INIT", **{**keeper.place(), "cipher": str(top)}, group_id=GROUP,
                 secret=keeper.secret)
    keeper.wait("FAILED")
    assert policy(top) is None


def test_an_empty_folder_with_another_key_is_made_anew(keeper):
    """An earlier INIT was cut short, and its secret is gone."""
    keeper.make()
    keeper.secret = new_secret()
    keeper.make()
    assert policy(keeper.cipher)[4] == key_id(keeper.secret)
    assert keeper.cipher.stat().st_gid == GROUP
    keeper.open()


def test_what_is_to_be_left_alone_cannot_be_written(store):
    (store.mount / "record").write_text("a record")
    store.close()
    store.open(fixed=1)
    with pytest.raises(OSError, match="Read-only"):
        (store.mount / "record").write_text("another")
    with pytest.raises(OSError, match="Read-only"):
        (store.mount / "new").mkdir()
    assert (store.mount / "record").read_text() == "a record"


def test_what_is_mounted_in_the_folder_is_not_seen_at_the_mount_point(store):
    """Neither is the other way round, though the disk's mounts are told to each other."""
    subprocess.run(["mount", "--make-shared", store.disk.root], check=True)
    store.close()
    store.open()
    plain, shown = store.cipher / "within", store.mount / "within"
    plain.mkdir()
    copy = pathlib.Path("/mnt/copy")
    copy.mkdir()
    subprocess.run(["mount", "--bind", store.cipher, copy], check=True)
    subprocess.run(["mount", "-t", "tmpfs", "none", plain], check=True)
    assert mounts(copy / "within"), "the control: a mount made by hand has it"
    assert not mounts(shown)
    subprocess.run(["umount", plain], check=True)
    subprocess.run(["umount", copy], check=True)
    copy.rmdir()
    subprocess.run(["mount", "--make-private", store.disk.root], check=True)


# --- busy in ways that the mount does not know of

WATCHES = ("import ctypes; libc = ctypes.CDLL(None); watch = libc.inotify_init1(0)\n"
           "assert libc.inotify_add_watch(watch, path.encode(), 0x100) > 0\n")  # IN_CREATE


def test_who_reads_it_by_the_encrypted_folder_is_waited_for(store):
    """A backup of root's, say: it does not go by the mount. The key is not there for others any
    more, but its open file is."""
    process = holder(HOLDS["file"], store.cipher)
    store.order("CLOSE")
    busy = store.wait("BUSY")
    assert busy.get("PROCESS") == process.pid
    assert busy.get("FILE") == str(store.cipher / "held")
    assert not mounts(store.mount) and store.key_status() == INCOMPLETE
    assert store.state().get("STATE") == "closing"
    assert store.silent(1)  # the tries that follow are over
    end_of(process)
    assert store.hear(5).type == "KEEPER_CLOSED", "at once, not when it is looked after"
    assert is_shut(store)
    store.open()
    assert (store.mount / "held").exists()


APART = ("import ctypes; libc = ctypes.CDLL(None); assert libc.unshare(0x20000) == 0\n"
         "assert libc.mount(None, b'/', None, 0x44000, None) == 0\n")  # MS_REC | MS_PRIVATE


@pytest.mark.parametrize("way", HOLDS)
def test_a_file_in_a_mount_namespace_apart_is_waited_for(store, way):
    process = holder(APART + HOLDS[way], store.mount, uid=None)
    (store.mount / "used").write_text("x")
    store.order("CLOSE")
    busy = store.wait("BUSY")
    assert busy.get("PROCESS") == process.pid and busy.get("FILE").startswith(str(store.mount))
    assert store.silent(1) and store.key_status() == INCOMPLETE
    end_of(process)
    store.wait("CLOSED")
    assert is_shut(store)


@pytest.mark.parametrize("at", ["once", "last"])
@pytest.mark.parametrize("code", [HOLDS["file"], WATCHES])
def test_what_only_elsewhere_holds_can_be_opened_again(store, code, at):
    """A file manager that watches it shuts nobody out: the key is brought again."""
    (store.mount / "used").write_text("x")
    process = holder(code, store.cipher)
    store.order("CLOSE")
    if at == "last":
        assert store.wait("BUSY").get("PROCESS") == process.pid
        assert store.silent(1)  # the tries that follow are over
    until(lambda: store.key_status() == INCOMPLETE, "it does not close")
    assert not mounts(store.mount)
    store.order_open()
    while (report := store.wait("OPENED", "BUSY")).type == "KEEPER_BUSY":
        pass  # not CLOSED, as it was not
    assert mounts(store.mount) and store.key_status() == PRESENT
    (store.mount / "new").write_text("x")
    assert process.poll() is None and len(running(store.program)) == 1
    store.order("CLOSE")
    assert store.wait("BUSY").get("PROCESS") == process.pid
    end_of(process)
    store.wait_until("CLOSED")
    assert is_shut(store)


def test_what_is_opened_again_with_a_wrong_secret_is_not_opened(store):
    process = holder(HOLDS["file"], store.cipher)
    store.order("CLOSE")
    store.wait("BUSY")
    store.order_open(secret=new_secret())
    store.fails("WRONG_SECRET")
    assert store.state().get("STATE") == "shut" and store.key_status() == INCOMPLETE
    store.open()
    end_of(process)
    store.close()
    assert is_shut(store)


def test_a_pipe_of_the_store_is_named_too(store):
    """It is encrypted by nothing: it is known by the mount."""
    os.mkfifo(store.mount / "pipe")
    process = holder("held = os.open(path + '/pipe', os.O_RDWR)", store.mount)
    store.order("CLOSE")
    busy = store.wait("BUSY")
    assert (busy.get("PROCESS"), busy.get("FILE")) == (process.pid, str(store.mount / "pipe"))
    end_of(process)
    store.wait("CLOSED")


@pytest.mark.parametrize("what", [".", "file", "folder/within"])
def test_who_only_watches_it_is_named_and_waited_for(store, what):
    """As file managers do. It can be unmounted, but the kernel keeps the key of what is watched."""
    (store.mount / "file").write_text("x")
    (store.mount / "folder" / "within").mkdir(parents=True)
    other = holder(WATCHES, store.disk.root)  # who watches the rest of the disk is not named
    process = holder(WATCHES, store.mount / what)
    store.order("CLOSE")
    busy = store.wait("BUSY")
    assert pids(busy) == [process.pid] and busy.get("FILE") == str(store.mount)
    assert not mounts(store.mount) and store.key_status() == INCOMPLETE
    assert store.silent(1)  # the tries that follow are over
    end_of(process)
    assert store.hear(5).type == "KEEPER_CLOSED", "at once, not when it is looked after"
    end_of(other)
    assert is_shut(store)


def test_one_who_unmounts_it_while_it_is_in_use_does_not_close_it(store):
    process = holder(HOLDS["file"], store.mount)
    subprocess.run(["umount", "--lazy", store.mount], check=True)
    assert store.wait("BUSY").get("PROCESS") == process.pid
    assert store.state().get("STATE") == "closing" and store.key_status() == INCOMPLETE
    end_of(process)
    store.wait("CLOSED")
    assert is_shut(store)


def test_a_folder_that_got_another_path_meanwhile_closes(store):
    moved = store.cipher.parent.with_name("moved")
    store.cipher.parent.rename(moved)
    try:
        store.order("CLOSE")
        store.wait("CLOSED")
        assert is_shut(store)
    finally:
        moved.rename(store.cipher.parent)
    store.open()


# --- the disk is others' too

@pytest.fixture
def others(keeper):
    """Programs with files open on the same disk: a plain one, and one with another key."""
    plain, folder = keeper.disk.root / "plain", keeper.disk.root / "encrypted"
    plain.mkdir()
    folder.mkdir()
    secret = new_secret()
    set_policy(folder, key_id(secret))
    add_key(folder, secret)
    found = [holder(HOLDS[way], path) for path in (plain, folder) for way in HOLDS]
    yield found
    assert [process.poll() for process in found] == [None] * len(found)
    for process in found:
        end_of(process)
    shutil.rmtree(plain)
    shutil.rmtree(folder)
    remove_key(keeper.disk.root, key_id(secret))
    assert key_status(keeper.disk.root, key_id(secret)) == ABSENT


def pids(report):
    return [value for name, value in report.fields if name == "PROCESS"]


def test_who_uses_the_rest_of_the_disk_is_neither_waited_for_nor_told_to_end(store, others):
    process = holder(HOLDS["file"], store.mount)
    store.order("CLOSE", limit=500)
    assert pids(store.wait("BUSY")) == [process.pid]
    assert pids(store.wait_until("FORCED")) == [process.pid], "the control: one is told"
    assert store.wait_until("CLOSED").get("FAILURE") is None
    assert process.wait(DEADLINE) == -signal.SIGTERM
    end_of(process)
    assert is_shut(store)


def test_who_uses_the_rest_of_the_disk_does_not_hold_up_the_closing(store, others):
    (store.mount / "used").write_text("x")
    store.close()
    assert is_shut(store)


@pytest.fixture
def second(keeper):
    one = FscryptKeeper(keeper.disk, "second", group=GROUP)
    one.make()
    one.open()
    yield one
    one.end()
    shutil.rmtree(one.cipher.parent)


def test_two_stores_on_one_disk_know_nothing_of_each_other(keeper, second):
    theirs = holder(HOLDS["file"], second.mount)
    apart = holder(APART + HOLDS["file"], second.mount)
    store = keeper.make()
    store.open()
    ours = holder(HOLDS["file"], store.mount)
    store.order("CLOSE", limit=500)
    assert pids(store.wait("BUSY")) == [ours.pid]
    assert pids(store.wait_until("FORCED")) == [ours.pid]
    store.wait_until("CLOSED")
    end_of(ours)
    assert is_shut_but_for(store, second)
    assert theirs.poll() is None and apart.poll() is None
    assert second.state().get("STATE") == "open" and (second.mount / "held").exists()
    for process in (theirs, apart):
        end_of(process)
    second.close()
    assert second.key_status() == ABSENT


def is_shut_but_for(one, other):
    return not mounts(one.mount) and one.key_status() == ABSENT and \
        running(one.program) == [other.child()]


def test_use_of_the_disk_or_of_another_store_is_no_use(keeper, second):
    keeper.make()
    keeper.open(idle=800)
    end = time.monotonic() + DEADLINE
    while keeper.silent(0.05):
        (second.mount / "used").write_text("x")
        (keeper.disk.root / "used").write_text("x")
        assert time.monotonic() < end, "it never becomes idle"
    keeper.wait("IDLE")


# --- the hard limit

def test_beyond_the_limit_the_key_is_gone_and_an_open_file_is_all_that_stays(store):
    """What the manual says of it: who had a file open reads that file on, and no other."""
    (store.mount / "other").write_text("another record")
    process = holder("import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN)\n"
                     "held = open(path + '/held', 'w+'); folder = os.open(path, os.O_RDONLY)\n"
                     "held.write('first '); held.flush()\n"
                     "print('holds', flush=True); sys.stdin.readline()\n"
                     "held.write('and last'); held.flush(); held.seek(0); print(held.read())\n"
                     "try: print(open('other', opener=lambda name, flags: os.open(name, flags, "
                     "dir_fd=folder)).read(), flush=True)\n"
                     "except OSError as error: print(error.strerror, flush=True)",
                     store.mount)
    store.order("CLOSE", limit=500)
    assert store.wait_until("CLOSED").get("FAILURE") == \
        wire.KEEPER_FAILURES["KEEPER_LIMIT_HELD"]
    assert store.key_status() == INCOMPLETE
    let_go(process)
    assert process.stdout.readline() == "first and last\n", "the control: what was open is legible"
    assert process.stdout.readline() == "Required key not available\n"
    assert process.stdout.readline() == "holds\n"
    assert store.clear() == 1  # its keeper has the record
    store.open()
    assert (store.mount / "held").read_text() == "first and last"
    assert (store.mount / "other").read_text() == "another record"
    store.order("CLOSE")
    assert store.wait("BUSY").get("PROCESS") == process.pid
    end_of(process)
    store.wait("CLOSED")
    assert is_shut(store)


def test_what_the_limit_left_is_taken_away_later(store):
    process = holder("import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN)\n" +
                     HOLDS["file"], store.mount)
    store.order("CLOSE", limit=500)
    store.wait_until("CLOSED")
    store.process.terminate()
    assert store.process.wait(DEADLINE) == 0
    assert store.clear() == 1 and store.key_status() == INCOMPLETE, "it says that it is not gone"
    end_of(process)
    until(lambda: store.clear() == 0, "what was left stays")
    assert store.key_status() == ABSENT
