# SPDX-License-Identifier: Apache-2.0
"""Reencrypting a store: the keepers of its two sides, as systemd would start them, records of
every kind, and what is seen of them."""
import contextlib
import os
import pathlib
import signal
import socket
import stat
import subprocess

import station as st
from keeping import FOLDER, Keeper, until
from storesite import STORE, STORES, run, site_at

STAGE, OLD = STORES / ".records.new", STORES / ".records.old"
SIDES = (".records.old", ".records.new")
HALT = st.ROOT / os.environ.get("BUILD", "build") / "tests" / "halt-at.so"
NEVER, STOP, KILL = 0, signal.SIGSTOP, signal.SIGKILL
DAEMON = pathlib.Path("/run/halt-hygied")  # where a hygied that can be halted is told so


class Side(Keeper):
    """A keeper that nobody is connected to."""

    def __init__(self, name):  # no store of that name is made for it
        self.name, self.mount = name, FOLDER / name
        self.start()
        self.hang_up()


class Sides:
    """The keepers of both sides, anew for each run: they end by themselves after it."""

    def __init__(self):
        self.keepers = []

    def begin(self):
        self.end()
        self.keepers = [Side(name) for name in SIDES]

    def end(self):
        for one in self.keepers:
            one.end()
        self.keepers = []

    def shut(self):
        """Both have closed."""
        until(lambda: not any((FOLDER / name).exists() for name in SIDES), "a side stays open")


def mounted(name):
    with open("/proc/self/mountinfo", encoding="utf-8") as table:
        return any(line.split()[4] == str(FOLDER / name) for line in table)


def typed(site, words):
    """What is asked for: the PIN of the card in the reader, or the passphrase."""
    return st.PIN if "--card" in words else site.passphrase


def reencrypt(site, sides, *words, check=True):
    """The whole command. Returns (exit status, what it says, stderr)."""
    sides.begin()
    return site.store("reencrypt", "records", "--pin-stdin", *words, pin=typed(site, words),
                      check=check)


def halting(path):
    """The environment of a program that can be halted (halt_at.c), by that file."""
    return {"LD_PRELOAD": str(HALT), "HYGIE_HALT": str(path)}


def arm(path, call, how=KILL):
    """At that call from now on."""
    path.with_name(path.name + ".count").unlink(missing_ok=True)
    new = path.with_name(path.name + ".new")
    new.write_text("%d %d" % (call, how))
    new.rename(path)


def calls(path):
    """How many there were."""
    return int(path.with_name(path.name + ".count").read_text())


def begun(site, sides, halt=None, words=()):
    """The command, as a process."""
    sides.begin()
    process = subprocess.Popen(
        ["hygie", "store", "reencrypt", "records", "--pin-stdin", "--json", *words], stdin=subprocess.PIPE,
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        env={**os.environ, **(halting(halt) if halt else {})})
    with contextlib.suppress(BrokenPipeError):  # it has ended already
        process.stdin.write(typed(site, words) + "\n")
        process.stdin.flush()
    return process


def end_of(process):
    """Its exit status, and what it said."""
    out, err = process.communicate(timeout=60)
    return process.returncode, out + err


def is_stopped(process):
    return pathlib.Path("/proc/%d/stat" % process.pid).read_text().rpartition(")")[2].split()[0] in "Tt"


@contextlib.contextmanager
def held(site, sides, halt, call, words=()):
    """The command, standing still in the midst of its copying: at that call of its."""
    arm(halt, call, STOP)
    process = begun(site, sides, halt, words)
    try:
        until(lambda: is_stopped(process) or process.poll() is not None, "it does not stop")
        assert process.poll() is None, end_of(process)
        assert mounted(SIDES[0]) and mounted(SIDES[1])
        yield process
    finally:
        if process.poll() is None:
            process.kill()
        process.wait()
        sides.shut()


@contextlib.contextmanager
def seen(site, secret, cipher=STORE / "cipher"):
    """The records, by gocryptfs alone."""
    plain = site.home / "records"
    plain.mkdir(exist_ok=True)
    assert run("gocryptfs", "-q", "-passfile", "/dev/stdin", cipher, plain, data=secret)[0] == 0
    try:
        yield plain
    finally:
        assert run("fusermount3", "-u", plain)[0] == 0


def opens(site, secret, cipher):
    plain = site.home / "records"
    plain.mkdir(exist_ok=True)
    if run("gocryptfs", "-q", "-passfile", "/dev/stdin", cipher, plain, data=secret)[0] != 0:
        return False
    assert run("fusermount3", "-u", plain)[0] == 0
    return True


def ids(user):
    entry = st.pwd.getpwnam(user)
    return entry.pw_uid, entry.pw_gid


def fill(top, files=12):
    """Records of every kind that a member can make, and some that only root can."""
    folder = top / "patient"
    folder.mkdir()
    folder.chmod(0o2775)
    for number in range(files):
        path = folder / ("record-%d" % number)
        path.write_bytes(os.urandom(number * 3001))
        os.chown(path, *ids("bob" if number % 2 else "alice"))
        path.chmod(0o640 if number % 3 else 0o4755)
        os.utime(path, ns=(1_000_000_007 * 10 ** 9, (1_100_000_000 + number) * 10 ** 9 + number))
    (top / ("long " + "n" * 200)).write_text("a long name")
    os.utime(top / ("long " + "n" * 200), ns=(10 ** 9, 2 * 10 ** 9 + 1234567))
    (top / b"not utf-8: \xff\n\\".decode(errors="surrogateescape")).write_text("a strange one")
    (top / "empty").mkdir(mode=0o700)
    (top / "none").write_bytes(b"")
    (top / "zeros").write_bytes(b"\0" * 300_000)
    with open(top / "holes", "wb") as holes:
        holes.truncate(1 << 36)
        for at in (1, 1 << 20, (1 << 33) + 5, (1 << 36) - 3):
            holes.seek(at)
            holes.write(b"data")
        holes.truncate((1 << 36) + 1)
    (top / "link").symlink_to("/etc/passwd")
    (folder / "nowhere").symlink_to("../../../../nowhere")
    os.chown(folder / "nowhere", *ids("alice"), follow_symlinks=False)
    os.link(folder / "record-5", top / "another name")
    os.link(folder / "record-5", folder / "a third name")
    os.mkfifo(top / "pipe", 0o620)
    os.chown(top / "pipe", *ids("bob"))
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(str(top / "socket"))
    os.setxattr(top / "none", "user.of", b"\0 a value")
    os.setxattr(folder, "user.folder", b"of a folder")
    os.utime(folder, ns=(5 * 10 ** 9, 6 * 10 ** 9 + 7))


def filled(site, *users, files=12, large=0):
    """A fresh store of these users, with records of every kind: what is in it."""
    site.fresh(*users)
    with seen(site, site.secret_by_key("alice")) as top:
        fill(top, files)
        if large:
            (top / "large").write_bytes(os.urandom(large))
        return census(top)


def filled_anew(site, sides, *users):
    """The same with a hygied that finds the keeper, which no systemd would start here."""
    sides.end()
    found = filled(site, *users)
    site.station.stop_hygied()
    site.station.start_hygied()
    return found


def look(site, records, *secrets):
    """That each of these secrets opens the store, by gocryptfs alone, and finds the records."""
    for secret in secrets:
        with seen(site, secret) as top:
            assert census(top) == records


def haltable_site(home):
    """A site whose hygied can be halted, by DAEMON."""
    made = site_at(home)
    site = next(made)
    site.station.stop_hygied()
    site.station.start_hygied(halting(DAEMON))
    yield site
    next(made, None)


def start_anew(site):
    """hygied, whether it was killed or not."""
    site.station.stop_hygied(signal.SIGKILL)
    site.station.start_hygied(halting(DAEMON))
    site.reap()


def content(path, about):
    if stat.S_ISLNK(about.st_mode):
        return os.readlink(path)
    if not stat.S_ISREG(about.st_mode):
        return None
    if about.st_size < 1 << 24:
        return path.read_bytes()
    found = []  # of a file with holes: what is in it
    with open(path, "rb") as file:
        at = 0
        while at < about.st_size:
            try:
                at = os.lseek(file.fileno(), at, os.SEEK_DATA)
            except OSError:
                break
            data = os.pread(file.fileno(), 4096, at)
            found += [(at + i, byte) for i, byte in enumerate(data) if byte]
            at += 4096
    return found


def census(top):
    """All that is there: {path: (kind and mode, owner, size, time, attributes, content)}, and which
    names are one file."""
    found, names = {}, {}
    listed = subprocess.run(["find", str(top), "-printf", "%P\\0"], check=True, capture_output=True)
    for name in sorted(os.fsdecode(listed.stdout).split("\0")[:-1]):
        path = pathlib.Path(top) / name
        about = path.lstat()
        own = stat.S_ISREG(about.st_mode) or stat.S_ISDIR(about.st_mode)
        attributes = {key: os.getxattr(path, key) for key in os.listxattr(path)} if own else {}
        found[name] = (about.st_mode, about.st_uid, about.st_gid,
                       None if stat.S_ISDIR(about.st_mode) else about.st_size,
                       about.st_mtime_ns, attributes, content(path, about))
        if stat.S_ISREG(about.st_mode):
            names.setdefault(about.st_ino, set()).add(name)
    return found, sorted(sorted(group) for group in names.values() if len(group) > 1)
