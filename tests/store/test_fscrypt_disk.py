# SPDX-License-Identifier: Apache-2.0
"""A store that the file system encrypts, and what becomes of its folder and its disk meanwhile:
moved, mounted itself, broken. "Closed" is said only when the key is gone."""
import os
import shutil
import subprocess

import pytest

import wire
from disk import ABSENT, INCOMPLETE, Disk, policy
from keeping import (GROUP, HOLDS, FscryptKeeper, disks, end_of, holder, is_shut,  # noqa: F401
                     kept, members, mounts, store, wait_gone)
from test_fscrypt_killed import DIED, kill_both


@pytest.fixture
def keeper(disks):
    with kept(FscryptKeeper(disks(), group=GROUP)) as one:
        yield one


@pytest.fixture
def moved(store):
    """The folder above it has another path by now."""
    (store.mount / "used").write_text("x")
    other = store.cipher.parent.with_name("moved")
    store.cipher.parent.rename(other)
    yield store
    other.rename(store.cipher.parent)


def test_a_killed_helper_of_a_folder_that_was_moved_leaves_no_key(moved):
    os.kill(moved.child(), 9)
    assert moved.wait("CLOSED").get("FAILURE") == DIED
    assert is_shut(moved)


def test_a_killed_helper_of_a_folder_that_was_moved_is_followed_by_one_that_waits(moved):
    process = holder(HOLDS["file"], moved.mount)
    os.kill(moved.child(), 9)
    assert moved.wait("BUSY").get("PROCESS") == process.pid
    assert not mounts(moved.mount) and moved.key_status() == INCOMPLETE
    end_of(process)
    assert moved.wait("CLOSED").get("FAILURE") == DIED
    assert is_shut(moved)


def test_what_both_left_of_a_folder_that_was_moved_is_cleared(moved):
    kill_both(moved)
    assert moved.clear() == 0
    assert is_shut(moved)
    moved.start()


def test_another_disk_at_its_path_is_not_taken_for_it(store):
    """Mounted over the one that the store lies on: the key is in the one below."""
    (store.mount / "used").write_text("x")
    below = store.disk.root.with_name("below")
    below.mkdir()
    subprocess.run(["mount", "--bind", store.disk.root, below], check=True)
    other = Disk("other", size="16M")
    try:
        subprocess.run(["mount", "--bind", other.root, store.disk.root], check=True)
        pid = store.child()
        os.kill(store.process.pid, 19)
        os.kill(pid, 9)
        store.kill()
        wait_gone(pid)
        assert mounts(store.mount)
        assert store.clear() == 0
    finally:
        subprocess.run(["umount", store.disk.root], check=True)
        assert is_shut(store)
        subprocess.run(["umount", below], check=True)
        below.rmdir()
        other.end()
    store.start()


@pytest.fixture
def bound(keeper):
    """The folder, with another one of the same disk mounted at it."""
    target = keeper.disk.root / "target"
    target.mkdir(mode=0o770)
    keeper.cipher.mkdir(mode=0o770)
    subprocess.run(["mount", "--bind", target, keeper.cipher], check=True)
    yield keeper
    subprocess.run(["umount", keeper.cipher], check=False)
    target.rmdir()


def test_a_folder_that_is_mounted_itself_is_not_made_a_store(bound):
    """Closing would take that mount away with the store's own, and the next opening find none."""
    bound.order_init()
    assert "is mounted itself" in bound.fails("BAD_CIPHER").get("TEXT")
    assert policy(bound.cipher) is None


def test_a_folder_that_is_mounted_itself_is_not_opened(keeper):
    keeper.make()
    target = keeper.cipher.with_name("target")
    keeper.cipher.rename(target)
    keeper.cipher.mkdir(mode=0o770)
    subprocess.run(["mount", "--bind", target, keeper.cipher], check=True)
    keeper.order_open()
    assert "is mounted itself" in keeper.fails("BAD_CIPHER").get("TEXT")
    assert mounts(keeper.cipher) and keeper.key_status() == ABSENT
    subprocess.run(["umount", keeper.cipher], check=True)


@pytest.fixture
def broken(disks):
    """Open, on a disk that fails from now on."""
    disks()  # or skipped
    disk = Disk("broken")
    one = FscryptKeeper(disk, group=GROUP)
    try:
        one.make()
        one.open()
        (one.mount / "held").write_text("x")
        subprocess.run(["sync", "-f", disk.root], check=True)
        yield one
    finally:
        one.end()
        shutil.rmtree("/srv/hygie")
        disk.end()


def fail_now(disk):
    subprocess.run(["xfs_io", "-x", "-c", "shutdown", disk.root], check=True)
    assert subprocess.run(["sync", "-f", disk.root], stderr=subprocess.DEVNULL,
                          check=False).returncode != 0, "the control: it fails"


def test_a_store_on_a_broken_disk_closes(broken):
    fail_now(broken.disk)
    broken.close()
    assert is_shut(broken)


def test_a_store_on_a_broken_disk_is_not_called_closed_while_it_is_in_use(broken):
    process = holder(HOLDS["file"].replace("'a'", "'r'"), broken.cipher)
    fail_now(broken.disk)
    broken.order("CLOSE")
    broken.wait("BUSY")  # nothing on such a disk can be opened to see whose it is
    assert broken.key_status() == INCOMPLETE
    assert broken.state().get("STATE") == "closing"
    end_of(process)
    assert broken.wait_until("CLOSED").get("FAILURE") is None
    assert is_shut(broken)
