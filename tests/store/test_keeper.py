# SPDX-License-Identifier: Apache-2.0
"""The keeper of a store: made, opened, closed; attacked, killed, out of room."""
import contextlib
import os
import pathlib
import pwd
import re
import shutil
import subprocess

import pytest

import processes
from disk import SKIPPED, Disk, why_not
from keeping import (DEADLINE, FOLDER, FscryptKeeper, GOCRYPTFS, GROUP, HOLDS, Keeper, Link, PROGRAM,
                     disks, end_of, holder, is_shut, keeper, members, mounts,  # noqa: F401
                     new_secret, running, store, wait_gone)


def as_user(name, script):
    user = pwd.getpwnam(name)
    return subprocess.run(["/bin/sh", "-c", script], user=user.pw_uid, group=user.pw_gid,
                          extra_groups=os.getgrouplist(name, user.pw_gid), capture_output=True,
                          text=True, timeout=DEADLINE, check=False)


# --- made, opened, closed

def test_a_store_is_made_opened_and_closed(keeper):
    keeper.make()
    assert keeper.state().get("STATE") == "shut"
    assert keeper.cipher.stat().st_mode & 0o7777 == 0o2770
    assert keeper.cipher.stat().st_gid == GROUP
    assert keeper.mount.stat().st_mode & 0o7777 == 0o700
    keeper.open(note=b"\0\1the note")
    line, = mounts(keeper.mount)
    assert "nosuid" in line and "nodev" in line and keeper.is_ours(line)
    state = keeper.state()
    assert state.get("STATE") == "open" and state.get("NOTE") == b"\0\1the note"
    (keeper.mount / "record").write_text("once upon a time")
    keeper.close()
    assert is_shut(keeper) and not any(keeper.mount.iterdir())
    assert b"once upon" not in keeper.encrypted()
    keeper.open()
    assert (keeper.mount / "record").read_text() == "once upon a time"


def test_another_note_takes_the_place_of_the_first(store):
    store.order("NOTE", note=b"another")
    store.wait("DONE")
    assert store.state().get("NOTE") == b"another"


def test_a_wrong_secret_opens_nothing_and_the_right_one_does_then(keeper):
    keeper.make()
    keeper.order_open(secret=new_secret())
    keeper.fails("WRONG_SECRET")
    assert is_shut(keeper)
    keeper.open()


def test_who_is_connected_hears_of_an_opening_that_failed(keeper):
    """Who asked for it has hung up: hygied, that began anew."""
    keeper.make()
    asker, other = Link("records"), Link("records")
    other.state()
    asker.order("OPEN", **keeper.place(), secret=new_secret(), note=b"")
    asker.hang_up()
    other.fails("WRONG_SECRET")
    other.hang_up()


def test_a_store_is_not_made_over_another(keeper):
    keeper.make()
    keeper.open()
    (keeper.mount / "record").write_text("of the first")
    keeper.close()
    right, keeper.secret = keeper.secret, new_secret()
    keeper.order_init()
    keeper.fails("BAD_CIPHER")
    keeper.secret = right
    keeper.open()
    assert (keeper.mount / "record").read_text() == "of the first"


@GOCRYPTFS
def test_gocryptfs_may_be_named(keeper):
    named = {**keeper.place(), "backend": "gocryptfs"}
    keeper.order("INIT", **named, group_id=GROUP, secret=keeper.secret)
    keeper.wait("DONE")
    keeper.open(**named)
    assert keeper.is_ours(mounts(keeper.mount)[0])


def test_a_close_during_the_opening_closes_it(keeper):
    keeper.make()
    keeper.order_open()
    keeper.order("CLOSE")
    keeper.wait("OPENED")
    keeper.wait("CLOSED")
    assert is_shut(keeper)


def test_to_close_what_is_shut_is_no_fault(keeper):
    keeper.close()


def test_it_ends_when_nobody_needs_it(keeper):
    keeper.hang_up()
    assert keeper.process.wait(DEADLINE) == 0
    assert not (FOLDER / "records.sock").exists()


def test_an_open_store_stays_when_hygied_is_gone(store):
    store.hang_up()
    link = Link("records")
    assert link.state().get("STATE") == "open"
    link.order("CLOSE")
    link.wait("CLOSED")
    link.hang_up()
    assert store.process.wait(DEADLINE) == 0


def test_everybody_who_is_connected_hears_of_it(store):
    other = Link("records")
    other.state()
    store.close()
    other.wait("CLOSED")
    other.hang_up()


def test_what_is_opened_right_after_the_close_is_open(store):
    for _ in range(20):
        store.order("CLOSE")
        store.order_open()
        store.wait("CLOSED")
        store.wait("OPENED")


def test_one_keeper_a_store(store):
    second = subprocess.run([PROGRAM, "records"], stderr=subprocess.DEVNULL, timeout=DEADLINE,
                            check=False)
    assert second.returncode == 1
    assert store.state().get("STATE") == "open"


@pytest.mark.parametrize("name", ["", "../x", "a/b", ".x", "-x", "x" * 65, "x y"])
def test_a_name_that_is_none_is_refused(name):
    assert subprocess.run([PROGRAM, name], stderr=subprocess.DEVNULL, timeout=DEADLINE,
                          check=False).returncode == 2


def test_what_is_no_order_ends_the_connection_alone(store):
    link = Link("records")
    link.socket.sendall(b"\1\0\1\1\0\0\0\0")
    assert link.hear() is None
    assert store.state().get("STATE") == "open"


def test_nobody_but_root_can_reach_it(store):
    assert FOLDER.stat().st_mode & 0o7777 == 0o700
    assert (FOLDER / "records.sock").stat().st_mode & 0o777 == 0o600
    # Its folder opened up on purpose: the keeper itself refuses whoever is not root.
    FOLDER.parent.chmod(0o755)  # as hygied makes it
    FOLDER.chmod(0o755)
    (FOLDER / "records.sock").chmod(0o666)
    try:
        seen = as_user("ann", "exec /usr/bin/python3 -c \"import socket; "
                       "s = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET); "
                       "s.connect('/run/hygie/store/records.sock'); print(len(s.recv(99)))\"")
    finally:
        FOLDER.chmod(0o700)
    assert seen.stdout == "0\n", seen


# --- the folders

def attack_symlink(keeper):
    keeper.mount.rmdir()
    elsewhere = keeper.mount.parent / "elsewhere"
    elsewhere.mkdir()
    keeper.mount.symlink_to(elsewhere)


def attack_parent_symlink(keeper):
    keeper.mount.parent.rename("/srv/other")
    keeper.mount.parent.symlink_to("/srv/other")


def attack_not_empty(keeper):
    (keeper.mount / "file").write_text("hidden by the mount")


def attack_users_own(keeper):
    os.chown(keeper.mount, 4501, GROUP)


def attack_writable_parent(keeper):
    keeper.mount.parent.chmod(0o777)


def attack_users_parent(keeper):
    os.chown(keeper.mount.parent, 4501, GROUP)


def attack_file(keeper):
    keeper.mount.rmdir()
    keeper.mount.write_text("")


def attack_missing(keeper):
    keeper.mount.rmdir()


@pytest.mark.parametrize("attack", [attack_symlink, attack_parent_symlink, attack_not_empty,
                                    attack_users_own, attack_writable_parent,
                                    attack_users_parent, attack_file, attack_missing])
def test_an_unfit_mount_point_is_refused(keeper, attack):
    keeper.make()
    attack(keeper)
    try:
        keeper.order_open()
        keeper.fails("BAD_MOUNT")
        assert not running(keeper.program)
    finally:
        shutil.rmtree("/srv/other", ignore_errors=True)
        if keeper.mount.parent.is_symlink():
            keeper.mount.parent.unlink()


def test_the_same_mount_point_without_an_attack_will_do(keeper):
    keeper.make()
    attack_missing(keeper)
    keeper.mount.mkdir(0o700)
    keeper.open()


@pytest.mark.parametrize("attack", ["symlink", "others", "owner", "parent", "missing"])
def test_an_unfit_folder_of_encrypted_files_is_refused(keeper, attack):
    keeper.make()
    if attack == "symlink":
        keeper.cipher.rename(keeper.cipher.parent / "real")
        keeper.cipher.symlink_to("real")
    elif attack == "others":
        keeper.cipher.chmod(0o2777)
    elif attack == "owner":
        os.chown(keeper.cipher, 4501, GROUP)
    elif attack == "parent":
        keeper.cipher.parent.chmod(0o755)
    else:
        keeper.cipher.rename(keeper.cipher.parent / "real")
    keeper.order_open()
    keeper.fails("BAD_CIPHER")
    assert is_shut(keeper)


# --- who walks in

def test_members_walk_in_others_do_not_and_files_belong_to_their_makers(store):
    assert as_user("ann", "echo hello >%s/of-ann" % store.mount).returncode == 0
    made = (store.mount / "of-ann").stat()
    assert (made.st_uid, made.st_gid) == (4501, GROUP)
    assert as_user("ben", "cat %s/of-ann" % store.mount).stdout == "hello\n"
    assert as_user("ben", "echo no >>%s/of-ann" % store.mount).returncode != 0
    for script in ("ls %s", "cat %s/of-ann", "echo x >%s/of-eve"):
        assert as_user("eve", script % store.mount).returncode != 0, script
    for name in ("ann", "eve"):
        assert as_user(name, "ls %s" % store.cipher).returncode != 0, name


def test_a_program_of_another_owner_gains_nothing_in_it(store):
    """nosuid: a setuid program in the store is none."""
    shutil.copy("/usr/bin/id", store.mount / "id")
    (store.mount / "id").chmod(0o4755)
    assert as_user("ann", "%s/id -u" % store.mount).stdout == "4501\n"


# --- dying

@GOCRYPTFS
def test_a_killed_gocryptfs_is_told_and_its_dead_mount_taken_away(store):
    process = holder(HOLDS["file"], store.mount)
    pid = store.child()
    os.kill(pid, 9)
    assert store.wait("CLOSED").get("FAILURE") is not None
    assert is_shut(store) and not any(store.mount.iterdir())
    end_of(process)
    store.open()


@GOCRYPTFS
def test_a_killed_keeper_takes_gocryptfs_along_and_is_cleaned_up_after(store):
    (store.mount / "record").write_text("there")
    process = holder(HOLDS["directory"], store.mount)
    pid = store.child()
    store.kill()
    wait_gone(pid)
    assert mounts(store.mount), "the control: a dead mount is left"
    assert store.clear() == 0
    assert is_shut(store)
    end_of(process)
    store.start()
    store.open()
    assert (store.mount / "record").read_text() == "there"


def test_a_new_keeper_cleans_up_by_itself(store):
    pid = store.child()
    store.kill()
    wait_gone(pid)
    store.start()
    assert is_shut(store)
    store.open()


def test_a_terminated_keeper_closes_first(store):
    process = holder(HOLDS["file"], store.mount)
    store.process.terminate()
    store.wait("BUSY")
    end_of(process)
    store.wait("CLOSED")
    assert store.process.wait(DEADLINE) == 0
    assert is_shut(store)


def test_one_who_unmounts_it_by_hand_is_noticed(store):
    subprocess.run(["umount", str(store.mount)], check=True)
    store.wait("CLOSED")
    assert is_shut(store)


# --- the disk

@contextlib.contextmanager
def small_tmpfs():
    root = pathlib.Path("/mnt/disk")
    root.mkdir(mode=0o700)
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=256k,mode=700", "none", str(root)],
                   check=True)
    yield Keeper("small", root=root, group=GROUP), root
    subprocess.run(["umount", str(root)], check=True)
    root.rmdir()


@contextlib.contextmanager
def small_ext4():
    disk = Disk("small", size="8M")
    yield FscryptKeeper(disk, "small", group=GROUP), disk.root
    disk.end()


@pytest.fixture(params=["gocryptfs", "fscrypt"])
def small_disk(request):
    if request.param == "fscrypt" and why_not():
        pytest.skip(SKIPPED + why_not())
    with small_ext4() if request.param == "fscrypt" else small_tmpfs() as (keeper, root):
        keeper.root = root
        yield keeper
        keeper.end()
        shutil.rmtree("/srv/hygie")


def fill(path):
    with open(path, "wb", buffering=0) as file:
        try:
            while file.write(b"x" * 4096) == 4096:
                pass
        except OSError:
            pass


def test_a_full_disk_loses_nothing_that_was_there(small_disk):
    small_disk.make()
    small_disk.open()
    (small_disk.mount / "before").write_text("kept")
    fill(small_disk.mount / "large")
    with pytest.raises(OSError):
        (small_disk.mount / "after").write_text("x" * 8192)
    small_disk.close()
    small_disk.open()
    assert (small_disk.mount / "before").read_text() == "kept"
    (small_disk.mount / "large").unlink()
    (small_disk.mount / "after").write_text("y" * 8192)
    small_disk.close()


def test_no_store_is_made_on_a_full_disk_and_one_can_be_made_later(small_disk):
    waste = small_disk.cipher.parents[1] / "waste"
    fill(waste)
    small_disk.order_init()
    small_disk.wait("FAILED")
    waste.unlink()
    shutil.rmtree(small_disk.cipher, ignore_errors=True)
    small_disk.make()
    small_disk.open()


def test_a_read_only_disk_is_read(small_disk):
    small_disk.make()
    small_disk.open()
    (small_disk.mount / "before").write_text("kept")
    small_disk.close()
    root = small_disk.root
    subprocess.run(["mount", "-o", "remount,ro", str(root)], check=True)
    try:
        small_disk.open()
        assert (small_disk.mount / "before").read_text() == "kept"
        with pytest.raises(OSError):
            (small_disk.mount / "after").write_text("x")
        small_disk.close()
    finally:
        subprocess.run(["mount", "-o", "remount,rw", str(root)], check=True)


# --- the secret

def memory_holds(pid, needle):
    """Whether bytes stand in a process's memory; None for one that cannot be read."""
    try:
        regions = pathlib.Path("/proc/%d/maps" % pid).read_text().splitlines()
        with open("/proc/%d/mem" % pid, "rb", buffering=0) as memory:
            for region in regions:
                span, rights = region.split()[:2]
                if "r" not in rights or region.endswith(("[vvar]", "[vsyscall]",
                                                         "[vvar_vclock]")):
                    continue
                start, end = (int(number, 16) for number in span.split("-"))
                try:
                    memory.seek(start)
                    if needle in memory.read(end - start):
                        return True
                except (OSError, OverflowError, ValueError):
                    pass
    except OSError:
        return None
    return False


def everybody_but_us():
    return [int(entry.name) for entry in pathlib.Path("/proc").iterdir()
            if entry.name.isdigit() and int(entry.name) not in (os.getpid(), 1)]


def test_the_secret_stands_in_no_argument_and_no_environment(store):
    for pid in everybody_but_us():
        for name in ("cmdline", "environ"):
            try:
                data = pathlib.Path("/proc/%d/%s" % (pid, name)).read_bytes()
            except OSError:
                continue
            assert store.secret not in data, (pid, name)
    log = pathlib.Path("/run/keeper-records.log").read_bytes()
    assert store.secret not in log


def test_the_secret_is_in_no_memory_after_the_close_and_not_in_the_keepers_before(store):
    process = holder("held = %r" % store.secret.decode(), store.mount)
    assert memory_holds(process.pid, store.secret), "the control: the search finds it"
    end_of(process)
    assert memory_holds(store.process.pid, store.secret) is False
    store.close()
    found = [pid for pid in everybody_but_us() if memory_holds(pid, store.secret)]
    assert not found


def test_the_keeper_is_not_dumped(store):
    """Its folder in /proc is root's in any case; a process of root's own uid can tell."""
    limits = pathlib.Path("/proc/%d/limits" % store.process.pid).read_text()
    assert re.search(r"Max core file size\s+0\s+0", limits)
    limits = pathlib.Path("/proc/%d/limits" % store.child()).read_text()
    assert re.search(r"Max core file size\s+0\s+0", limits)


# --- again and again

def test_200_openings_and_closings_leave_nothing_behind(keeper):
    keeper.make()
    for _ in range(10):
        keeper.open()
        keeper.close()
    keeper.state()  # its answer comes after all that belongs to the closing
    descriptors = os.listdir("/proc/%d/fd" % keeper.process.pid)
    before = processes.own_memory(keeper.process.pid)
    for i in range(200):
        keeper.open()
        (keeper.mount / "file").write_text(str(i))
        keeper.close()
    keeper.state()
    assert len(os.listdir("/proc/%d/fd" % keeper.process.pid)) == len(descriptors)
    assert processes.own_memory(keeper.process.pid) - before < 256
    assert is_shut(keeper)
    assert not pathlib.Path("/proc/%d/task/%d/children" % (keeper.process.pid,
                                                           keeper.process.pid)).read_text()
    assert sorted(path.name for path in FOLDER.glob("records*")) == ["records.mount",
                                                                     "records.sock"]
