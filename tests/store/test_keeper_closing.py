# SPDX-License-Identifier: Apache-2.0
"""The keeper of a store, closing: busy, covered, copied, moved; not used; beyond the limit."""
import os
import pathlib
import signal
import subprocess
import time

import pytest

import wire
from keeping import (DEADLINE, GOCRYPTFS, GROUP, HOLDS, Keeper, disks, end_of, holder, is_shut, keeper,
                     let_go, members, mounts, running, store, until)  # noqa: F401


# --- busy

@pytest.mark.parametrize("way", HOLDS)
def test_a_busy_store_is_told_and_closes_when_the_holder_ends(store, way):
    process = holder(HOLDS[way], store.mount, uid=4501, gid=GROUP)
    store.order("CLOSE")
    busy = store.wait("BUSY")
    assert busy.get("PROCESS") == process.pid and busy.get("USER_ID") == 4501, busy
    assert busy.get("NAME").startswith("python3"), busy
    assert busy.get("FILE").startswith(str(store.mount)), busy
    assert store.state().get("STATE") == "closing"
    assert store.silent(1) and mounts(store.mount) and store.has_key()
    end_of(process)
    store.wait("CLOSED")
    assert is_shut(store)


def closes_when_let_go(store, process):
    """The holder lets go without ending, and the store closes."""
    store.order("CLOSE")
    store.wait("BUSY")
    assert store.silent(1)  # the tries that follow an event are over
    let_go(process)
    store.wait("CLOSED")
    assert process.poll() is None
    end_of(process)


@pytest.mark.parametrize("way", ["file", "folder", "mapping"])
def test_it_closes_when_the_file_is_closed_though_the_program_goes_on(store, way):
    code = HOLDS[way] + "\nprint('holds', flush=True); sys.stdin.readline()\n"
    code += {"folder": "os.close(held)", "mapping": "mapped.close()"}.get(way, "held.close()")
    process = holder(code, store.mount)
    closes_when_let_go(store, process)


def test_the_last_of_several_holders_closes_it_and_changes_are_told(store):
    first = holder(HOLDS["file"], store.mount)
    second = holder(HOLDS["directory"], store.mount)
    store.order("CLOSE")
    busy = store.wait("BUSY")
    pids = [value for name, value in busy.fields if name == "PROCESS"]
    assert sorted(pids) == sorted([first.pid, second.pid])
    assert store.silent(1)
    end_of(first)
    busy = store.wait("BUSY")
    assert [value for name, value in busy.fields if name == "PROCESS"] == [second.pid]
    end_of(second)
    store.wait("CLOSED")


def test_a_holder_that_was_not_there_at_first_is_waited_for_too(store):
    first = holder(HOLDS["directory"], store.mount)
    store.order("CLOSE")
    store.wait("BUSY")
    assert store.silent(1)
    second = holder(HOLDS["file"], store.mount)
    end_of(first)
    busy = store.wait("BUSY")
    assert busy.get("PROCESS") == second.pid
    end_of(second)
    store.wait("CLOSED")


def test_whoever_left_the_folder_is_noticed(store):
    """A changed working directory tells nobody: it is looked after."""
    process = holder("os.chdir(path); print('holds', flush=True); sys.stdin.readline(); "
                     "os.chdir('/')", store.mount)
    closes_when_let_go(store, process)


def test_what_was_unsaved_is_saved_before_it_closes(store):
    process = holder("held = open(path + '/held', 'w')\nheld.write('start')\n"
                     "print('holds', flush=True); sys.stdin.readline()\n"
                     "held.write(' and end'); held.close(); sys.exit()", store.mount)
    store.order("CLOSE")
    store.wait("BUSY")
    assert store.silent(1)  # the tries that follow an event are over
    let_go(process)
    store.wait("CLOSED")
    process.wait(DEADLINE)
    end_of(process)
    store.open()
    assert (store.mount / "held").read_text() == "start and end"


def test_an_opening_takes_a_pending_close_back(store):
    process = holder(HOLDS["file"], store.mount)
    store.order("CLOSE")
    store.wait("BUSY")
    store.open(note=b"again")
    end_of(process)
    assert store.silent(1)
    state = store.state()
    assert (state.get("STATE"), state.get("NOTE")) == ("open", b"again")
    store.close()


def test_a_pending_close_is_told_to_whoever_asks_again(store):
    process = holder(HOLDS["file"], store.mount)
    store.order("CLOSE")
    store.wait("BUSY")
    store.order("CLOSE")
    assert store.wait("BUSY").get("PROCESS") == process.pid
    end_of(process)
    store.wait("CLOSED")


def test_many_files_opened_and_closed_do_not_keep_it(store):
    process = holder(HOLDS["file"], store.mount)
    store.order("CLOSE")
    store.wait("BUSY")
    for i in range(300):
        (store.mount / ("file%d" % i)).write_text("x")
    end_of(process)
    store.wait_until("CLOSED")


def test_another_mount_namespace_keeps_the_key_and_that_is_told(store):
    """Not reported as closed, though nothing is mounted here: the key is there."""
    (store.mount / "used").write_text("x")  # with fscrypt, what nobody looked into is shut
    process = subprocess.Popen(["unshare", "--mount", "--propagation", "private", "/bin/sh", "-c",
                                "echo ready; read line"], stdin=subprocess.PIPE,
                               stdout=subprocess.PIPE, text=True)
    assert process.stdout.readline() == "ready\n"
    store.order("CLOSE")
    store.wait("BUSY")
    assert store.has_key() and not mounts(store.mount)
    process.stdin.close()
    process.wait(DEADLINE)
    store.wait("CLOSED")
    assert is_shut(store)


def test_what_lies_over_it_is_left_alone_and_not_taken_for_it(store):
    """Something mounted on the mount point: unmounting there would take that away, and would
    say nothing of the store."""
    subprocess.run(["mount", "-t", "tmpfs", "over-it", str(store.mount)], check=True)
    store.order("CLOSE")
    assert store.wait("BUSY").get("PROCESS") is None
    assert store.silent(1) and store.state().get("STATE") == "closing"
    assert [store.is_ours(line) for line in mounts(store.mount)] == [True, False]
    assert store.has_key()
    subprocess.run(["umount", str(store.mount)], check=True)
    store.wait("CLOSED")
    assert is_shut(store)


@pytest.fixture
def elsewhere():
    place = pathlib.Path("/mnt/elsewhere")
    place.mkdir()
    yield place
    subprocess.run(["umount", "-l", str(place)], check=False, stderr=subprocess.DEVNULL)
    place.rmdir()


def test_a_copy_of_the_mount_is_closed_with_it(store, elsewhere):
    subprocess.run(["mount", "--bind", str(store.mount), str(elsewhere)], check=True)
    store.close()
    assert is_shut(store) and not mounts(elsewhere)


def test_a_busy_copy_of_the_mount_is_waited_for(store, elsewhere):
    subprocess.run(["mount", "--bind", str(store.mount), str(elsewhere)], check=True)
    process = holder(HOLDS["directory"], elsewhere)
    store.order("CLOSE")
    assert store.wait("BUSY").get("PROCESS") == process.pid
    assert store.silent(3) and store.has_key() and mounts(elsewhere)
    end_of(process)
    store.wait("CLOSED")
    assert is_shut(store) and not mounts(elsewhere)


def test_an_opening_while_a_copy_is_busy_finds_the_store_at_its_place(store, elsewhere):
    """Nobody is in the store's own mount, a program has a file open in a copy of it."""
    subprocess.run(["mount", "--bind", str(store.mount), str(elsewhere)], check=True)
    process = holder(HOLDS["file"], elsewhere)
    store.order("CLOSE")
    assert store.wait("BUSY").get("PROCESS") == process.pid
    assert store.silent(1)  # the tries that follow are over
    store.open()
    assert mounts(store.mount) and (store.mount / "held").exists()
    end_of(process)
    store.close()
    assert is_shut(store) and not mounts(elsewhere)


def test_files_closed_in_either_of_two_copies_are_noticed_at_once(store, elsewhere):
    code = HOLDS["file"].replace("/held", "/held' + sys.argv[2] + '")
    code += "\nprint('holds', flush=True); sys.stdin.readline(); held.close()\n"
    code += "print('holds', flush=True); sys.stdin.readline()"
    processes = []
    for number in (1, 2):
        copy = elsewhere / str(number)
        copy.mkdir()
        subprocess.run(["mount", "--bind", str(store.mount), str(copy)], check=True)
        processes.append(holder(code, copy, number))
    store.order("CLOSE")
    store.wait("BUSY")
    for process in reversed(processes):
        assert store.silent(1)  # the tries that follow an event are over
        let_go(process)
        if process is not processes[0]:
            store.wait("BUSY")
    assert store.hear(5).type == "KEEPER_CLOSED", "not before it is looked after"
    for process in processes:
        assert process.poll() is None
        end_of(process)
    for number in (1, 2):
        (elsewhere / str(number)).rmdir()


def test_a_copy_within_a_copy_is_closed_with_it(store, elsewhere):
    (store.mount / "within").mkdir()
    for target in (elsewhere, elsewhere / "within"):
        subprocess.run(["mount", "--bind", str(store.mount), str(target)], check=True)
    store.close()
    assert is_shut(store) and not mounts(elsewhere)


def test_no_opening_is_told_of_a_store_that_is_not_at_its_place(store, elsewhere):
    subprocess.run(["mount", "--move", str(store.mount), str(elsewhere)], check=True)
    process = holder(HOLDS["file"], elsewhere)
    store.order("CLOSE")
    store.wait("BUSY")
    store.order_open()
    store.fails("WRONG_TIME")
    assert store.state().get("STATE") == "closing"
    end_of(process)
    store.wait("CLOSED")
    store.open()
    assert mounts(store.mount)


def test_a_mount_that_was_moved_away_is_closed_where_it_is(store, elsewhere):
    subprocess.run(["mount", "--move", str(store.mount), str(elsewhere)], check=True)
    store.close()
    assert is_shut(store) and not mounts(elsewhere)


@GOCRYPTFS
def test_an_ending_that_lasts_is_looked_after(store):
    """Another mount namespace has it: who holds it there is told also when it changes."""
    process = subprocess.Popen(["unshare", "--mount", "--propagation", "private",
                                "/usr/bin/python3", "-c", "import sys\nprint('ready', flush=True)"
                                "\nsys.stdin.readline()\nheld = open(%r, 'w')\n"
                                "print('holds', flush=True)\nsys.stdin.readline()\n"
                                % str(store.mount / "held")], stdin=subprocess.PIPE,
                               stdout=subprocess.PIPE, text=True)
    assert process.stdout.readline() == "ready\n"
    store.order("CLOSE")
    assert store.wait("BUSY").get("PROCESS") is None
    let_go(process)
    assert process.stdout.readline() == "holds\n"
    assert store.wait("BUSY").get("PROCESS") == process.pid
    store.order_open()
    store.fails("WRONG_TIME")
    end_of(process)
    store.wait("CLOSED")
    assert is_shut(store)


# --- not used

IDLE = 800  # milliseconds


def uses(store):
    file = store.mount / "used"
    return {"read": file.read_text, "write": lambda: file.write_text("x"),
            "open": lambda: file.open().close(), "list": lambda: os.listdir(store.mount)}


def test_a_store_that_nobody_uses_says_so_until_it_is_closed(keeper):
    keeper.make()
    began = time.monotonic()
    keeper.open(idle=IDLE)
    keeper.wait("IDLE")
    assert time.monotonic() - began >= IDLE / 1000
    keeper.wait("IDLE")  # nobody heard it the first time
    keeper.order("CLOSE")
    keeper.wait_until("CLOSED")


def becomes_idle_only_after(keeper, use):
    """While it is used it is not idle."""
    end = time.monotonic() + 3 * IDLE / 1000
    while time.monotonic() < end:
        use()
        last = time.monotonic()
        assert keeper.silent(IDLE / 8000)
    keeper.wait("IDLE")
    assert time.monotonic() - last >= IDLE / 1000


@pytest.mark.parametrize("way", ["read", "write", "open", "list"])
def test_a_store_in_use_is_not_idle_and_becomes_so_afterwards(keeper, way):
    keeper.make()
    keeper.open(idle=IDLE)
    (keeper.mount / "used").write_text("x")
    becomes_idle_only_after(keeper, uses(keeper)[way])


def test_use_by_a_copy_of_the_mount_is_use(keeper, elsewhere):
    keeper.make()
    keeper.open(idle=IDLE)
    subprocess.run(["mount", "--bind", str(keeper.mount), str(elsewhere)], check=True)
    becomes_idle_only_after(keeper, lambda: os.listdir(elsewhere))
    keeper.order("CLOSE")
    keeper.wait_until("CLOSED")


def test_what_happens_where_a_moved_store_was_mounted_is_no_use(keeper, elsewhere):
    """There is another file system now."""
    keeper.make()
    keeper.open(idle=IDLE)
    subprocess.run(["mount", "--move", str(keeper.mount), str(elsewhere)], check=True)
    os.listdir(elsewhere)  # looked for anew after that
    end = time.monotonic() + 4 * IDLE / 1000
    while keeper.silent(IDLE / 8000):
        os.listdir(keeper.mount)
        assert time.monotonic() < end
    keeper.wait("IDLE")
    becomes_idle_only_after(keeper, lambda: os.listdir(elsewhere))
    keeper.order("CLOSE")
    keeper.wait_until("CLOSED")


def test_what_only_lies_open_is_no_use(keeper):
    keeper.make()
    keeper.open(idle=IDLE)
    process = holder(HOLDS["file"], keeper.mount)
    keeper.wait("IDLE")
    end_of(process)


def test_without_an_idle_time_it_never_is(store):
    assert store.silent(1.5)


# --- the hard limit

LIMIT = 500  # milliseconds


def test_beyond_the_limit_the_holders_are_told_to_end_and_it_closes(store):
    process = holder(HOLDS["file"] + "\nheld.write('unsaved')\nimport signal\n"
                     "signal.signal(signal.SIGTERM, lambda *_: (held.close(), sys.exit(7)))",
                     store.mount, uid=4501, gid=GROUP)
    began = time.monotonic()
    store.order("CLOSE", limit=LIMIT)
    store.wait("BUSY")
    forced = store.wait_until("FORCED")
    assert time.monotonic() - began >= LIMIT / 1000
    assert (forced.get("PROCESS"), forced.get("USER_ID")) == (process.pid, 4501)
    assert store.wait_until("CLOSED").get("FAILURE") is None
    assert process.wait(DEADLINE) == 7, "it was asked, not killed"
    end_of(process)
    store.open()
    assert (store.mount / "held").read_text() == "unsaved"


def test_who_does_not_end_keeps_no_key_alive_and_is_not_killed(store):
    process = holder("import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN)\n" +
                     HOLDS["file"], store.mount)
    store.order("CLOSE", limit=LIMIT)
    store.wait("BUSY")
    store.wait_until("FORCED")
    closed = store.wait_until("CLOSED")
    assert closed.get("FAILURE") == store.forced
    assert not mounts(store.mount) and not running(store.program) and process.poll() is None
    end_of(process)
    store.open()


def test_a_mount_namespace_apart_keeps_no_key_beyond_the_limit(store):
    (store.mount / "used").write_text("x")
    process = subprocess.Popen(["unshare", "--mount", "--propagation", "private", "/bin/sh", "-c",
                                "echo ready; read line"], stdin=subprocess.PIPE,
                               stdout=subprocess.PIPE, text=True)
    assert process.stdout.readline() == "ready\n"
    store.order("CLOSE", limit=LIMIT)
    assert store.wait_until("CLOSED").get("FAILURE") == store.forced
    assert not running(store.program)
    process.stdin.close()
    process.wait(DEADLINE)


@pytest.fixture
def lower(tmp_path):
    """A file system of its own, which can be made to stand still."""
    cipher, mount = tmp_path / "cipher", tmp_path / "mount"
    cipher.mkdir()
    mount.mkdir()
    options = ["-q", "-extpass", "echo x", "-scryptn", "10"]
    subprocess.run(["gocryptfs", "-init", *options, cipher], check=True)
    process = subprocess.Popen(["gocryptfs", "-fg", *options[:3], cipher, mount])
    until(lambda: mounts(mount), "the lower file system is not mounted")
    yield mount / "store", process
    process.send_signal(signal.SIGCONT)
    subprocess.run(["umount", "-l", str(mount)], check=True)
    process.wait(DEADLINE)


EXITING = 4  # PF_EXITING, of the flags in /proc/PID/stat


def is_killed_and_stuck(pid):
    """One of its threads waits for the file system below it, which no signal ends; and it was
    killed. Without that it may wait so as well: Go sends signals of its own."""
    try:
        for task in pathlib.Path("/proc", str(pid), "task").iterdir():
            pending = (task / "status").read_text().split("\nSigPnd:\t")[1].split("\n")[0]
            state, *rest = (task / "stat").read_text().rpartition(") ")[2].split()
            killed = int(pending, 16) & 1 << (signal.SIGKILL - 1) or int(rest[5]) & EXITING
            if state == "D" and killed:
                return True
    except OSError:
        pass  # a thread ended meanwhile
    return False


def test_an_opening_while_the_cut_off_gocryptfs_ends_is_carried_out(lower):
    """Its end takes a while, since the file system below it does not answer it."""
    root, below = lower
    one = Keeper("slow", root=root, group=GROUP)
    try:
        one.make()
        one.open()
        process = holder("import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN)\n" +
                         HOLDS["file"], one.mount)
        cipher = one.child()
        one.order("CLOSE", limit=LIMIT)
        one.wait_until("FORCED")
        below.send_signal(signal.SIGSTOP)
        reader = subprocess.Popen(["ls", str(one.mount / "missing")], stderr=subprocess.DEVNULL)
        until(lambda: is_killed_and_stuck(cipher), "it is not cut off")
        one.order_open()
        assert one.silent(0.5) and is_killed_and_stuck(cipher)
        below.send_signal(signal.SIGCONT)
        closed = one.wait_until("CLOSED")
        assert closed.get("FAILURE") == wire.KEEPER_FAILURES["KEEPER_LIMIT"]
        one.wait("OPENED")
        assert (one.mount / "held").exists() and not pathlib.Path("/proc", str(cipher)).exists()
        reader.wait(DEADLINE)
        end_of(process)
        one.close()
    finally:
        below.send_signal(signal.SIGCONT)
        one.end()


def test_an_opening_in_time_saves_the_holders(store):
    process = holder(HOLDS["file"], store.mount)
    store.order("CLOSE", limit=LIMIT)
    store.wait("BUSY")
    store.open()
    assert store.silent(2 * LIMIT / 1000) and process.poll() is None
    end_of(process)
    store.close()


