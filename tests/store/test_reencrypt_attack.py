# SPDX-License-Identifier: Apache-2.0
"""A member of the store's group prepares its records for the day on which root copies them: root is
led nowhere, kept waiting by nothing, and loses no record."""
import os
import pathlib
import stat
import subprocess
import time

import pytest

import station as st
from reencrypting import OLD, STAGE, begun, census, end_of, held, reencrypt, seen
from storesite import STORE, run, site_at

BAIT = pathlib.Path("/etc/bait")
CODE = """
import os, socket, sys
os.chdir(sys.argv[1])
exec(sys.argv[2])
"""


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    yield from site_at(tmp_path_factory.mktemp("site"))


@pytest.fixture
def bait():
    """What root alone may write, and nobody's records have to do with."""
    BAIT.mkdir()
    (BAIT / "file").write_text("root's own")
    (BAIT / "file").chmod(0o600)
    before = census(BAIT)
    yield BAIT
    assert census(BAIT) == before
    subprocess.run(["rm", "-rf", str(BAIT)], check=True)


@pytest.fixture
def store(site, sides):
    sides.end()
    site.fresh("alice")
    with seen(site, site.secret_by_key("alice")) as top:
        (top / "folder").mkdir()
        (top / "folder").chmod(0o2775)
        (top / "folder/record").write_text("a record")
        (top / "folder/other").mkdir()
        (top / "folder/other").chmod(0o2777)
        (top / "folder/other/record").write_text("another")
        for path in (top / "folder", top / "folder/other", *top.rglob("record")):
            os.chown(path, st.pwd.getpwnam("bob").pw_uid, 100)
    return site


def as_member(site, code):
    """What Bob does in the open store, which is mounted for everybody, as the keeper does it; returns
    what is in it then."""
    plain = site.home / "open"
    plain.mkdir(exist_ok=True)
    for folder in (site.home, *site.home.parents):
        folder.chmod(folder.stat().st_mode | 0o011)
    assert run("gocryptfs", "-q", "-allow_other", "-passfile", "/dev/stdin", STORE / "cipher", plain,
               data=site.secret_by_key("alice"))[0] == 0
    try:
        subprocess.run(["/usr/bin/python3", "-c", CODE, str(plain), code], check=True,
                       user=st.pwd.getpwnam("bob").pw_uid, group=100, extra_groups=[100])
        return census(plain)
    finally:
        assert run("fusermount3", "-u", plain)[0] == 0


def look(site, expected):
    with seen(site, site.secret_by_key("alice")) as top:
        assert census(top) == expected


PLANTED = {
    "links": "os.symlink('/etc/bait', 'to-folder'); os.symlink('/etc/bait/file', 'to-file');"
             "os.symlink('/proc/self/root/etc/bait', 'round'); os.symlink('..', 'up')",
    "pipes and sockets": "os.mkfifo('pipe'); s = socket.socket(socket.AF_UNIX); s.bind('socket')",
    "many names": "open('one', 'w').write('x'); [os.link('one', 'name-%d' % i) for i in range(200)];"
                  "os.link('folder/record', 'mine')",
    "huge": "f = open('huge', 'w'); f.truncate(1 << 42); f.seek(1 << 41); f.write('x'); f.close()",
    "names": "[open(name, 'w').write('x') for name in ('-rf', '--', 'a\\nb', '\\x1b[2J', '$(id)', "
             "b'\\xff\\xfe', 'n' * 255, '...', ' ', '*')]",
    "setuid": "open('suid', 'w').write('x'); os.chmod('suid', 0o6777)",
    "closed": "os.mkdir('closed'); open('closed/f', 'w').write('x'); os.chmod('closed/f', 0); "
              "os.chmod('closed', 0)",
    "deep": "[(os.mkdir('d'), os.chdir('d')) for _ in range(300)]; open('f', 'w').write('x')",
    "deep and linked": "open('one', 'w').write('x'); top = os.getcwd(); "
                       "[(os.mkdir('d'), os.chdir('d')) for _ in range(300)]; os.link(top + '/one', 'two')",
    "attributes": "open('f', 'w').write('x'); [os.setxattr('f', 'user.%d' % i, b'v' * i * 50) for i in range(20)]",
}


@pytest.mark.parametrize("name", sorted(PLANTED))
def test_planted(store, sides, bait, name):
    expected = as_member(store, PLANTED[name])
    began = time.monotonic()
    reencrypt(store, sides)
    assert time.monotonic() - began < 30  # nothing kept it waiting
    look(store, expected)


def test_zeros_that_were_written_take_no_room(store, sides):
    """Where the disk knows no holes they would be all that is read of one."""
    expected = as_member(store, "open('zeros', 'wb').write(bytes(8 << 20)); open('ends', 'wb').write("
                                "b'x' + bytes(100000) + b'x' + bytes(5000))")
    reencrypt(store, sides)
    look(store, expected)
    with seen(store, store.secret_by_key("alice")) as top:
        assert (top / "zeros").stat().st_blocks < 100 and (top / "zeros").stat().st_size == 8 << 20


def test_deeper_than_can_be_is_told_and_changes_nothing(store, sides):
    expected = as_member(store, "[(os.mkdir('d'), os.chdir('d')) for _ in range(1100)]")
    before = store.secret_by_key("alice")
    status, told, _ = reencrypt(store, sides, check=False)
    assert status != 0 and "/d/d/d" in told["text"]
    assert store.secret_by_key("alice") == before and not OLD.exists()
    look(store, expected)


DEEP = "[(os.mkdir('d' * 20), os.chdir('d' * 20)) for _ in range(900)]; open('f', 'w').write('x')"


def deepen(site):
    """Folders whose path is longer than the system takes, in the encrypted folder as well."""
    with seen(site, site.secret_by_key("alice")) as top:
        subprocess.run(["/usr/bin/python3", "-c", CODE, str(top), DEEP], check=True)
        return top / ("d" * 20)


def test_deeper_than_a_path_can_name_is_discarded(store, sides):
    """Else a member could see to it that the old keys open the old copy for ever."""
    deepen(store)
    reencrypt(store, sides)
    with seen(store, store.secret_by_key("alice")) as top:
        depth = subprocess.run(["find", str(top), "-name", "f", "-printf", "%d"], check=True,
                               capture_output=True).stdout
        assert depth == b"901"
    store.store("reencrypt", "records", "--discard-old")
    assert not OLD.exists()


def test_deeper_than_a_path_can_name_is_removed_from_the_copy(store, sides, tmp_path):
    """It was copied in part, and is gone since."""
    deepen(store)
    with held(store, sides, tmp_path / "halt", 3000) as process:
        process.kill()
    with seen(store, store.secret_by_key("alice")) as top:
        subprocess.run(["rm", "-rf", str(top / ("d" * 20))], check=True)
        expected = census(top)
    assert max(len(str(path)) for path in map(pathlib.Path, walked(STAGE / "cipher"))) > 4096
    reencrypt(store, sides)
    look(store, expected)


def walked(top):
    """Each path below it, however long."""
    done = subprocess.run(["find", str(top), "-print0"], check=True, capture_output=True)
    return os.fsdecode(done.stdout).split("\0")


def test_device_is_left_out_and_told(store, sides):
    with seen(store, store.secret_by_key("alice")) as top:
        os.mknod(top / "null", 0o666 | stat.S_IFCHR, os.makedev(1, 3))
    _, told, _ = reencrypt(store, sides)
    assert told["left_out"] == 1
    with seen(store, store.secret_by_key("alice")) as top:
        assert not (top / "null").exists() and (top / "folder/record").read_text() == "a record"


SWAPS = {
    "folder for a link": "os.rename('folder', 'aside'); os.symlink('/etc/bait', 'folder')",
    "folder within for a link": "os.rename('folder/other', 'aside'); os.symlink('/etc/bait', 'folder/other')",
    "file for a link": "os.unlink('folder/record'); os.symlink('/etc/bait/file', 'folder/record')",
    "file for a pipe": "os.unlink('folder/record'); os.mkfifo('folder/record')",
    "file for a folder": "os.unlink('folder/record'); os.mkdir('folder/record')",
    "link to the bait's name": "os.mkdir('bait'); os.symlink('/etc', 'folder/other/up')",
}


@pytest.mark.parametrize("name", sorted(SWAPS))
def test_swapped_between_two_runs(store, sides, bait, tmp_path, name):
    """The first run has copied it as it was; the second finds something else in its place."""
    with held(store, sides, tmp_path / "halt", 30) as process:
        process.kill()
    expected = as_member(store, SWAPS[name])
    reencrypt(store, sides)
    look(store, expected)


def test_members_program_that_waits_in_the_place_sees_nothing(store, sides):
    """Bob has a working directory and a descriptor in the store's mount point before, and looks all
    the time: the sides are never mounted there."""
    mount = pathlib.Path("/srv/hygie/records")
    mount.mkdir(parents=True, exist_ok=True)
    before = os.stat(mount)
    process = begun(store, sides)
    seen_there = []
    while process.poll() is None:
        seen_there += os.listdir(mount)
        time.sleep(0.001)  # between two looks
    assert end_of(process)[0] == 0 and not seen_there
    assert os.stat(mount).st_dev == before.st_dev
