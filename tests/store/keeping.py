# SPDX-License-Identifier: Apache-2.0
"""A store's keeper from Python, as hygied talks to it.

    keeper = Keeper("records")
    keeper.order("INIT", secret=SECRET); keeper.wait("DONE")
    keeper.open(); ...; keeper.close()
"""
import base64
import contextlib
import ctypes
import os
import pathlib
import select
import shutil
import signal
import socket
import subprocess
import time

import pytest

import wire
from disk import ABSENT, SKIPPED, Disk, key_id, key_status, why_not

PROGRAM = "/usr/libexec/hygie/hygie-store"
FOLDER = pathlib.Path("/run/hygie/store")
LIBC = ctypes.CDLL(None, use_errno=True)
DEADLINE = 20  # seconds


def new_secret():
    return base64.b64encode(os.urandom(32))


def mounts(point):
    """The mounts at a place, as lines of mountinfo."""
    with open("/proc/self/mountinfo", encoding="utf-8") as table:
        return [line for line in table if line.split()[4] == str(point)]


def running(program):
    """The pids of a program, by its short name."""
    found = []
    for entry in pathlib.Path("/proc").iterdir():
        try:
            if entry.name.isdigit() and (entry / "comm").read_text().strip() == program \
                    and "\nState:\tZ" not in (entry / "status").read_text():
                found.append(int(entry.name))
        except OSError:
            pass
    return found


def until(truth, what, seconds=DEADLINE):
    """Waits for what no event tells a test of: asks every 5 ms, fails at the deadline."""
    end = time.monotonic() + seconds
    while not (value := truth()):
        assert time.monotonic() < end, what
        select.select([], [], [], 0.005)
    return value


def wait_gone(pid, seconds=DEADLINE):
    """Until a process that is not our child has ended."""
    try:
        fd = os.pidfd_open(pid)
    except ProcessLookupError:
        return
    try:
        assert select.select([fd], [], [], seconds)[0], "%d does not end" % pid
    finally:
        os.close(fd)


class Link:
    """One connection to a keeper."""

    def __init__(self, name):
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self.socket.settimeout(DEADLINE)
        self.socket.connect(str(FOLDER / (name + ".sock")))

    def order(self, kind, **fields):
        self.socket.sendall(wire.encode("KEEPER_" + kind,
                                        {key.upper(): value for key, value in fields.items()}))

    def hear(self, seconds=DEADLINE):
        """The next report, or None when the keeper hung up."""
        self.socket.settimeout(seconds)
        data = self.socket.recv(wire.MESSAGE_MAX)
        return wire.decode(data) if data else None

    def wait(self, *kinds):
        """The next report, which must be of one of these kinds."""
        report = self.hear()
        assert report and report.type in ["KEEPER_" + kind for kind in kinds], report
        return report

    def wait_until(self, kind):
        """Passes reports by until there is one of that kind."""
        while (report := self.hear()).type != "KEEPER_" + kind:
            pass
        return report

    def fails(self, failure):
        report = self.wait("FAILED")
        assert report.get("FAILURE") == wire.KEEPER_FAILURES["KEEPER_" + failure], report
        return report

    def state(self):
        self.order("STATUS")
        return self.wait_until("STATE")

    def silent(self, seconds=0.3):
        """Nothing is reported for a moment."""
        return not select.select([self.socket], [], [], seconds)[0]

    def hang_up(self):
        self.socket.close()


class Keeper(Link):
    program = "gocryptfs"  # which encrypts
    # What is told of a hard limit, while programs have files open.
    forced = wire.KEEPER_FAILURES["KEEPER_LIMIT"]

    def __init__(self, name="records", root=None, group=0):
        root = root or pathlib.Path("/var/lib/hygie/store")
        root.mkdir(parents=True, exist_ok=True, mode=0o700)
        root.chmod(0o700)
        (root / name).mkdir(exist_ok=True, mode=0o700)
        self.name, self.group = name, group
        self.cipher = root / name / "cipher"
        self.mount = pathlib.Path("/srv/hygie") / name
        self.secret = new_secret()
        self.start()

    def start(self):
        left, right = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)
        left.close()
        right.close()
        path = "/run/keeper-%s.notify" % self.name
        pathlib.Path(path).unlink(missing_ok=True)
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as ready:
            ready.bind(path)
            ready.settimeout(DEADLINE)
            self.process = subprocess.Popen(
                [PROGRAM, self.name], env={"NOTIFY_SOCKET": path}, umask=0o077,  # its unit
                stderr=open("/run/keeper-%s.log" % self.name, "ab"))
            while b"READY=1" not in ready.recv(4096):
                pass
        super().__init__(self.name)

    def place(self):
        return {"cipher": str(self.cipher), "mount": str(self.mount)}

    def order_init(self):
        self.order("INIT", **self.place(), group_id=self.group, secret=self.secret)

    def make(self):
        self.order_init()
        self.wait("DONE")
        return self

    def order_open(self, secret=None, note=b"why", **other):
        self.order("OPEN", **{**self.place(), **other}, secret=secret or self.secret, note=note)

    def open(self, **how):
        self.order_open(**how)
        self.wait("OPENED")

    def close(self, **how):
        self.order("CLOSE", **how)
        return self.wait("CLOSED")

    def is_ours(self, line):
        """Whether a line of mountinfo is such a mount."""
        return "fuse.gocryptfs hygie-%s " % self.name in line

    def has_key(self):
        """Whether somebody has the store's key."""
        return bool(running(self.program))

    def encrypted(self):
        """Of a store that is shut: what is in its folder, as it lies on the disk."""
        return b"".join(path.read_bytes() for path in self.cipher.rglob("*") if path.is_file())

    def child(self):
        """The pid of the program that encrypts."""
        children = pathlib.Path("/proc/%d/task/%d/children" % (self.process.pid, self.process.pid))
        pids = [int(pid) for pid in children.read_text().split()]
        assert len(pids) == 1, pids
        return pids[0]

    def kill(self):
        self.process.kill()
        self.process.wait(DEADLINE)
        self.hang_up()

    def clear(self):
        return subprocess.run([PROGRAM, "--clear", self.name], check=False,
                              timeout=DEADLINE).returncode

    def end(self):
        """As at a test's end: whatever state it is in."""
        if self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(1)
            except subprocess.TimeoutExpired:
                self.kill()
        until(lambda: self.clear() == 0, "the record stays locked")
        self.hang_up()


class FscryptKeeper(Keeper):
    """Of a store whose file system encrypts it."""
    program = "hygie-fscrypt"
    forced = wire.KEEPER_FAILURES["KEEPER_LIMIT_HELD"]

    def __init__(self, disk, name="records", group=0):
        self.disk = disk
        super().__init__(name, disk.root / "store", group)

    def place(self):
        return {**super().place(), "backend": "fscrypt"}

    def is_ours(self, line):
        return line.split()[3] == "/store/%s/cipher" % self.name and " - ext4 " in line

    def key_status(self):
        return key_status(self.disk.root, key_id(self.secret))

    def has_key(self):
        return bool(running(self.program)) or self.key_status() != ABSENT

    def encrypted(self):
        subprocess.run(["sync", "-f", self.disk.root], check=True)
        return self.disk.image.read_bytes()


holders = []  # that a test has not ended yet


def holder(code, *arguments, uid=None, gid=None):
    """A program of its own that runs `code` (it has `path`, and says when it holds) and then
    waits for a line. .let_go() and .kill() end it."""
    text = ("import sys, os, mmap; path = sys.argv[1]\n" + code +
            "\nprint('holds', flush=True); sys.stdin.readline()\n")
    extra = {} if uid is None else {"user": uid, "group": gid, "extra_groups": [gid]}
    process = subprocess.Popen(["/usr/bin/python3", "-c", text, *map(str, arguments)],
                               stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, **extra)
    holders.append(process)
    assert process.stdout.readline() == "holds\n"
    return process


def let_go(process):
    process.stdin.write("\n")
    process.stdin.flush()


def end_of(process):
    if process in holders:
        holders.remove(process)
    if process.poll() is None:
        process.send_signal(signal.SIGKILL)
    process.wait(DEADLINE)
    process.stdin.close()
    process.stdout.close()


HOLDS = {
    "file": "held = open(path + '/held', 'a')",
    "folder": "held = os.open(path, os.O_RDONLY)",
    "directory": "os.chdir(path)",
    "mapping": "held = open(path + '/held', 'w+b'); held.write(b'x' * 4096); held.flush(); "
               "mapped = mmap.mmap(held.fileno(), 4096); held.close()",
}


# --- what tests of a keeper begin with

OUTSIDER, GROUP = 4600, 4500


@pytest.fixture(scope="module", autouse=True)
def members():
    for name, uid in (("ann", 4501), ("ben", 4502)):
        subprocess.run(["useradd", "-M", "-u", str(uid), name], check=True)
    subprocess.run(["useradd", "-M", "-u", str(OUTSIDER), "eve"], check=True)
    subprocess.run(["groupadd", "-g", str(GROUP), "records"], check=True)
    for name in ("ann", "ben"):
        subprocess.run(["usermod", "-aG", "records", name], check=True)


@pytest.fixture(scope="module")
def disks():
    """The disk of the stores that fscrypt encrypts; made for whoever needs it."""
    made = []

    def get():
        if why_not():
            pytest.skip(SKIPPED + why_not())
        if not made:
            made.append(Disk("keeper"))
        return made[0]
    yield get
    for one in made:
        one.end()


@contextlib.contextmanager
def kept(one):
    try:
        yield one
    finally:
        while holders:  # of a test that failed
            end_of(holders.pop())
        one.end()
        shutil.rmtree(one.cipher.parent)
        shutil.rmtree("/srv/hygie", ignore_errors=True)


@pytest.fixture(params=["gocryptfs", "fscrypt"])
def keeper(request, disks):
    """With each of the backends, unless a test asks for one."""
    with kept(FscryptKeeper(disks(), group=GROUP) if request.param == "fscrypt"
              else Keeper(group=GROUP)) as one:
        yield one


GOCRYPTFS = pytest.mark.parametrize("keeper", ["gocryptfs"], indirect=True)


@pytest.fixture
def store(keeper):
    """Made, and open."""
    keeper.make()
    keeper.open()
    return keeper


def is_shut(keeper):
    return not mounts(keeper.mount) and not keeper.has_key()
