# SPDX-License-Identifier: Apache-2.0
"""What an import or a creation left when it was killed is large, or deep: hygied puts it aside, serves
everybody meanwhile, and it is gone in the end, however often hygied ends before."""
import contextlib
import os
import shutil
import signal
import subprocess

import pytest

import station as st
from keeping import until
from reencrypting import STAGE, reencrypt, seen
from storesite import STORE, STORES, site_at

GONE = STORES / ".gone"
STALL = st.ROOT / os.environ.get("BUILD", "build") / "tests" / "stall-at.so"
DEEP = """
import os, sys
os.chdir(sys.argv[1])
for _ in range(900):
    os.mkdir('d' * 20), os.chdir('d' * 20)
open('f', 'w').write('x')
"""


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    yield from site_at(tmp_path_factory.mktemp("site"))


@pytest.fixture
def fifo(site):
    """Where the removal waits; hygied is started with it."""
    path = site.home / "stall"
    os.mkfifo(path)
    site.station.stop_hygied()
    site.empty()
    begin(site, path)
    yield path
    path.unlink()
    begin(site, path)
    until(lambda: not GONE.exists(), "it is not removed")


def begin(site, path):
    """hygied anew, as though its machine had been."""
    if site.station.hygied:
        site.station.stop_hygied(signal.SIGKILL)
        site.reap()
    site.station.start_hygied({"LD_PRELOAD": str(STALL), "HYGIE_STALL": str(path)})


def leave(files=20000, folders=200):
    """As an import leaves it that was killed: far more than a loop has time for, deeper than a path
    can name, and at one file the disk is slow."""
    cipher = STAGE / "cipher"
    cipher.mkdir(mode=0o700, parents=True)
    STORES.chmod(0o700)
    STAGE.chmod(0o700)
    for number in range(folders):
        (cipher / str(number)).mkdir()
    for number in range(files):
        (cipher / str(number % folders) / str(number)).touch()
    subprocess.run(["/usr/bin/python3", "-c", DEEP, str(cipher / "7")], check=True)
    (cipher / "7" / "stall-here").touch()


@contextlib.contextmanager
def stalled(fifo):
    """The removal stands still."""
    opened = []

    def meet():
        with contextlib.suppress(OSError):  # ENXIO: nobody reads there yet
            opened.append(os.open(fifo, os.O_WRONLY | os.O_NONBLOCK))
        return opened
    until(meet, "nothing is removed")
    try:
        yield
    finally:
        os.close(opened[0])


def create(site, check=True):
    status, text = site.create("alice")
    assert status == 0 or not check, (text, site.said, site.station.log())
    return status


def test_everybody_is_served_while_it_is_removed(site, fifo):
    leave()
    create(site)
    with stalled(fifo):
        assert site.station.status()
        site.login("alice")
        assert site.store("check", check=False)[0] == 0
        assert list(GONE.iterdir()) and not STAGE.exists()
    until(lambda: not GONE.exists(), "it is not removed")
    assert sorted(path.name for path in STORES.iterdir()) == ["records"]


def test_reencryption_puts_it_aside_too(site, sides, fifo):
    sides.end()
    create(site)
    with seen(site, site.secret_by_key("alice")) as top:
        (top / "record").write_text("a record")
    begin(site, fifo)  # it finds the keeper, which no systemd would start here
    leave(100, 10)
    reencrypt(site, sides)
    with stalled(fifo):
        assert list(GONE.iterdir())
    with seen(site, site.secret_by_key("alice")) as top:
        assert (top / "record").read_text() == "a record"


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGTERM])
def test_what_was_left_when_hygied_ended_is_removed_at_the_next_start(site, fifo, how):
    leave()
    create(site)
    with stalled(fifo):
        site.station.hygied.send_signal(how)
        until(lambda: not st.is_served(), "it is served")
    assert site.station.stop_hygied(how) == (0 if how == signal.SIGTERM else -how)
    assert list(GONE.iterdir())
    begin(site, fifo)
    if how == signal.SIGKILL:  # at that very file
        with stalled(fifo):
            assert site.station.status()
    until(lambda: not GONE.exists(), "it is not removed")
    assert STORE.exists()


def test_disk_that_is_mounted_in_it_is_left_alone(site, fifo):
    leave(10, 8)
    (STAGE / "cipher/7/stall-here").unlink()
    disk = STAGE / "disk"
    disk.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1m", "disk", str(disk)], check=True)
    (disk / "record").touch()
    create(site)
    site.station.wait_log("cannot be removed")
    place = next(GONE.iterdir())
    assert (place / "disk/record").exists()
    subprocess.run(["umount", str(place / "disk")], check=True)


@pytest.mark.parametrize("kind", ["link", "mount"])
def test_what_is_no_folder_of_its_own_is_not_emptied(site, kind):
    """An administrator gave it another disk's room, where more lies than what is to go."""
    site.station.stop_hygied()
    site.empty()
    other = site.home / "other"
    other.mkdir()
    (other / "letters").mkdir()
    (other / "letters/one").touch()
    STORES.mkdir(mode=0o700)
    if kind == "link":
        GONE.symlink_to(other)
    else:
        GONE.mkdir()
        subprocess.run(["mount", "--bind", str(other), str(GONE)], check=True)
    try:
        site.station.start_hygied()
        site.station.wait_log(".gone: is not emptied")
        leave(10, 8)
        assert create(site, check=False) != 0 and STAGE.exists()
        assert (other / "letters/one").exists() and os.listdir(other) == ["letters"]
    finally:
        if kind == "link":
            GONE.unlink()
        else:
            subprocess.run(["umount", str(GONE)], check=True)
        shutil.rmtree(other)
    create(site)
    until(lambda: not GONE.exists(), "it is not removed")
