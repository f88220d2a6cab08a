# SPDX-License-Identifier: Apache-2.0
"""A store that the file system encrypts, and its processes killed: the key is gone in the end, and
nothing is half-made."""
import os
import pathlib
import shutil
import subprocess

import pytest

import wire
from disk import ABSENT, INCOMPLETE, PRESENT, Disk, key_id, policy
from keeping import (DEADLINE, GROUP, HOLDS, FscryptKeeper, disks, end_of, holder,  # noqa: F401
                     is_shut, kept, members, mounts, new_secret, running, store, until, wait_gone)

DIED = wire.KEEPER_FAILURES["KEEPER_DIED"]
HELPER = pathlib.Path("/usr/libexec/hygie/hygie-fscrypt")


@pytest.fixture
def keeper(disks):
    with kept(FscryptKeeper(disks(), group=GROUP)) as one:
        yield one


def until_traced(pid, tracer):
    status = pathlib.Path("/proc/%d/status" % pid)
    until(lambda: "TracerPid:\t%d\n" % tracer.pid in status.read_text(), "it is not traced")


# --- one of the two, or both

def test_a_killed_helper_is_told_and_its_store_closed(store):
    (store.mount / "record").write_text("there")
    os.kill(store.child(), 9)
    assert store.wait("CLOSED").get("FAILURE") == DIED
    assert is_shut(store)
    store.open()
    assert (store.mount / "record").read_text() == "there"


@pytest.mark.parametrize("signal", [9, 15])
def test_a_killed_helper_whose_store_is_busy_is_closed_only_then(store, signal):
    process = holder(HOLDS["file"], store.mount)
    os.kill(store.child(), signal)
    assert store.wait("BUSY").get("PROCESS") == process.pid
    assert not mounts(store.mount) and store.key_status() == INCOMPLETE
    assert store.state().get("STATE") == "closing"
    end_of(process)
    assert store.wait("CLOSED").get("FAILURE") == DIED
    assert is_shut(store)


def test_a_helper_that_is_killed_again_and_again_leaves_no_key(store):
    process = holder(HOLDS["file"], store.mount)
    os.kill(store.child(), 9)
    store.wait("BUSY")
    os.kill(store.child(), 9)
    assert store.wait("CLOSED").get("FAILURE") == DIED
    assert not running(store.program) and store.key_status() == INCOMPLETE
    end_of(process)
    store.kill()
    assert store.clear() == 0
    assert is_shut(store)
    store.start()


def test_a_helper_that_is_killed_at_the_limit_is_told_as_what_it_leaves(store):
    process = holder("import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN)\n" +
                     HOLDS["file"], store.mount)
    pid = store.child()
    with subprocess.Popen(["strace", "-qq", "-p", str(pid), "-e", "trace=umount2", "-e",
                           "inject=umount2:signal=KILL", "-o", "/dev/null"],
                          stderr=subprocess.DEVNULL) as tracer:
        until_traced(pid, tracer)
        store.order("CLOSE", limit=500)
        assert store.wait_until("CLOSED").get("FAILURE") == store.forced
        tracer.wait(DEADLINE)
    assert not mounts(store.mount) and store.key_status() == INCOMPLETE
    end_of(process)
    store.open()
    store.close()
    assert is_shut(store)


def test_a_killed_keeper_leaves_neither_mount_nor_key(store):
    """The other one hears of it, and takes them away."""
    (store.mount / "record").write_text("there")
    pid = store.child()
    store.kill()
    wait_gone(pid)
    assert not mounts(store.mount) and store.key_status() == ABSENT
    store.start()
    store.open()
    assert (store.mount / "record").read_text() == "there"


def test_a_killed_keeper_whose_store_is_busy_leaves_what_is_open_and_says_so(store):
    process = holder(HOLDS["file"], store.mount)
    pid = store.child()
    store.kill()
    wait_gone(pid)
    assert not mounts(store.mount) and store.key_status() == INCOMPLETE
    assert store.clear() == 1
    store.start()  # all the same
    assert store.state().get("STATE") == "shut"
    end_of(process)
    store.open()
    store.close()
    assert is_shut(store)


def test_nobody_opens_a_store_that_is_just_being_closed_after_a_kill(store):
    """The helper that closes it has the record's lock: a new keeper would open it meanwhile."""
    pid = store.child()
    with subprocess.Popen(["strace", "-qq", "-p", str(pid), "-e", "trace=umount2", "-e",
                           "inject=umount2:delay_enter=60s", "-o", "/dev/null"],
                          stderr=subprocess.DEVNULL) as tracer:
        until_traced(pid, tracer)
        store.kill()
        until(lambda: "\nState:\tt" in pathlib.Path("/proc/%d/status" % pid).read_text(),
              "it does not unmount")
        assert store.clear() == 1
        assert mounts(store.mount) and store.key_status() == PRESENT
        tracer.terminate()
    wait_gone(pid)
    assert store.clear() == 0
    assert is_shut(store)
    store.start()


def kill_both(store):
    pid = store.child()
    os.kill(store.process.pid, 19)  # so that the one does not hear of the other's end
    os.kill(pid, 19)
    os.kill(pid, 9)
    store.kill()
    wait_gone(pid)
    assert mounts(store.mount) and store.key_status() == PRESENT, "the control: both are left"


def test_what_both_left_is_cleared(store):
    kill_both(store)
    assert store.clear() == 0
    assert is_shut(store)
    store.start()
    store.open()


def test_what_both_left_is_cleared_by_a_new_keeper(store):
    (store.mount / "record").write_text("there")
    process = holder(HOLDS["directory"], store.mount)
    kill_both(store)
    store.start()
    assert not mounts(store.mount) and store.key_status() == INCOMPLETE
    end_of(process)
    store.open()
    assert (store.mount / "record").read_text() == "there"


def test_copies_of_what_both_left_are_cleared_too(store):
    copy = pathlib.Path("/mnt/copy")
    copy.mkdir()
    (store.mount / "folder").mkdir()
    subprocess.run(["mount", "--bind", store.mount / "folder", copy], check=True)
    kill_both(store)
    assert store.clear() == 0
    assert is_shut(store) and not mounts(copy)
    copy.rmdir()
    store.start()


@pytest.mark.parametrize("way", ["covered", "moved", "removed"])
def test_what_both_left_is_cleared_though_the_folder_is_not_at_its_place(store, way):
    home = store.cipher.parent
    kill_both(store)
    if way == "covered":
        subprocess.run(["mount", "-t", "tmpfs", "none", home], check=True)
    else:
        home.rename(home.with_name("moved"))
        if way == "removed":
            shutil.rmtree(home.with_name("moved"))
    assert store.clear() == 0
    assert is_shut(store)
    if way == "covered":
        subprocess.run(["umount", home], check=True)
    elif way == "moved":
        home.with_name("moved").rename(home)
    else:
        home.mkdir(mode=0o700)
    store.start()


def test_a_disk_that_is_gone_took_the_key_along(disks):
    disks()  # or skipped
    other = Disk("gone", size="16M")
    store = FscryptKeeper(other, group=GROUP)
    store.make()
    store.open()
    kill_both(store)
    subprocess.run(["umount", store.mount], check=True)
    other.end()
    assert store.clear() == 0
    shutil.rmtree("/srv/hygie")


@pytest.mark.parametrize("record", [b"/srv/hygie/records\0", b"/srv/hygie/records\0/a\0", b"\0\0\0\0",
                                    b"/srv/hygie/records\0/a\0/b\0001:2 3", b"x" * 2000])
def test_a_record_that_was_cut_short_is_no_hindrance(keeper, record):
    keeper.make()
    keeper.kill()
    pathlib.Path("/run/hygie/store/records.mount").write_bytes(record)
    assert keeper.clear() == 0
    keeper.start()
    keeper.open()


# --- at each call

CALLS = "ioctl,open_tree,mount_setattr,move_mount,mlockall,prctl,signalfd4,fsync,kill,umount2,poll"


class Halting:
    """The helper, killed at one of its calls; the same process as far as its parent sees."""

    def __init__(self, log):
        self.log, self.real = log, HELPER.with_name("hygie-fscrypt.real")
        HELPER.rename(self.real)

    def at(self, order, call=None):
        """From now on, for that order; `call`: (name, how many-th), as calls() has them. strace
        counts each name apart."""
        self.log.unlink(missing_ok=True)
        inject = "-e inject=%s:signal=KILL:when=%d" % call if call else ""
        HELPER.write_text("#!/bin/sh\n[ \"$1\" = %s ] || exec %s \"$@\"\n"
                          "exec strace -D -qq -o %s -e trace=%s %s %s \"$@\"\n"
                          % (order, self.real, self.log, CALLS, inject, self.real))
        HELPER.chmod(0o755)

    def calls(self):
        """What the helper has called."""
        names = [line.split("(")[0] for line in self.log.read_text().splitlines()
                 if not line.startswith(("+++", "---"))]
        return [(name, names[:i + 1].count(name)) for i, name in enumerate(names)]

    def waiting(self):
        """Its calls, when it waits for the end of the mount."""
        until(lambda: self.log.exists() and "poll" in dict(self.calls()), "it does not wait")
        return self.calls()

    def end(self):
        self.real.rename(HELPER)


@pytest.fixture
def halting(tmp_path):
    one = Halting(tmp_path / "calls")
    yield one
    one.end()


def settled(keeper):
    """After whatever became of it."""
    keeper.state()
    return not mounts(keeper.mount) and keeper.key_status() == ABSENT and \
        not running(keeper.program) and not running("hygie-fscrypt.r")


def test_killed_at_any_call_of_the_making_it_can_be_made(keeper, halting):
    halting.at("init")
    keeper.make()
    calls = halting.calls()
    assert "FS_IOC_SET_ENCRYPTION_POLICY" in halting.log.read_text() and ("fsync", 1) in calls
    for call in calls:
        halting.at("init", call)
        keeper.secret = new_secret()
        keeper.order_init()
        keeper.wait("FAILED")
        assert settled(keeper), call
        halting.at("init")
        keeper.secret = new_secret()
        keeper.make()
        assert policy(keeper.cipher)[4] == key_id(keeper.secret)
    keeper.open()


def test_killed_at_any_call_of_the_opening_it_can_be_opened(keeper, halting):
    halting.at("open")
    keeper.make()
    keeper.open()
    (keeper.mount / "record").write_text("there")
    calls = halting.waiting()
    assert "FS_IOC_ADD_ENCRYPTION_KEY" in halting.log.read_text() and ("move_mount", 1) in calls
    keeper.close()
    for call in calls:
        halting.at("open", call)
        keeper.order_open()
        if keeper.wait("FAILED", "OPENED").type == "KEEPER_OPENED":
            assert call[0] in ("kill", "poll")
            assert keeper.wait("CLOSED").get("FAILURE") == DIED
        assert settled(keeper), call
        halting.at("open")
        keeper.open()
        assert (keeper.mount / "record").read_text() == "there"
        keeper.close()


def test_killed_at_any_call_of_the_closing_it_is_closed(keeper, halting):
    halting.at("open")
    keeper.make()
    keeper.open()
    (keeper.mount / "record").write_text("there")
    first = len(halting.waiting())
    keeper.close()
    calls = halting.calls()[first:]
    assert ("ioctl", dict(calls)["ioctl"]) in calls
    for call in calls:
        halting.at("open", call)
        keeper.open()
        assert (keeper.mount / "record").read_text() == "there"
        keeper.close()
        assert settled(keeper), call


def test_killed_at_any_call_after_its_keeper_it_leaves_what_is_cleared(keeper, halting):
    halting.at("open")
    keeper.make()
    keeper.open()
    first = len(halting.waiting())
    pid = keeper.child()
    keeper.kill()
    wait_gone(pid)
    calls = halting.calls()[first:]
    assert ("umount2", 1) in calls
    for call in calls:
        assert keeper.clear() == 0
        keeper.start()
        halting.at("open", call)
        keeper.open()
        pid = keeper.child()
        keeper.kill()
        wait_gone(pid)
        assert keeper.clear() == 0
        assert settled_without(keeper), call
    keeper.start()


def settled_without(keeper):
    return not mounts(keeper.mount) and keeper.key_status() == ABSENT
