# SPDX-License-Identifier: Apache-2.0
"""An import looks whether there is room before it begins; a disk that is full in the midst of it is no
store and no half of one; and what it does not take over it names."""
import os
import shutil
import signal
import subprocess

import pytest

from keeping import until
from reencrypting import STAGE, STOP, arm, calls, end_of, halting, is_stopped, seen
from storesite import STORE, STORES, site_at

FILLER = STORES / "filler"
MIB = 1 << 20


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    yield from site_at(tmp_path_factory.mktemp("site"))


@pytest.fixture(scope="module")
def export(site, tmp_path_factory):
    """An export of ten scans, and small ones."""
    site.fresh("alice", "bob")
    with seen(site, site.secret_by_key("alice")) as top:
        for number in range(10):
            (top / ("scan-%d" % number)).write_bytes(os.urandom(MIB))
        for number in range(200):
            (top / ("note-%d" % number)).write_text("a note")
    target = tmp_path_factory.mktemp("export") / "records"
    site.store("export", "records", target)
    return target


@pytest.fixture
def disk(site, export):
    """Nothing is there but a small disk for stores. Call it with what it holds."""
    mounted = []

    def make(options):
        site.empty()
        STORES.mkdir(mode=0o700)
        subprocess.run(["mount", "-t", "tmpfs", "-o", "mode=700," + options, "small", str(STORES)],
                       check=True)
        mounted.append(True)
    yield make
    site.empty_keeper()
    if mounted:
        subprocess.run(["umount", "-l", str(STORES)], check=True)


def refused(site, export, *words):
    status, told, _ = site.store("import", export, "records", check=False)
    assert status != 0 and all(word in told["text"] for word in words), told
    assert not STORE.exists() and not STAGE.exists()


def opens(site):
    with seen(site, site.secret_by_key("alice")) as top:
        assert len(list(top.iterdir())) == 210


def fill(leave):
    """All but so many bytes."""
    free = os.statvfs(STORES).f_bavail * os.statvfs(STORES).f_frsize
    with open(FILLER, "wb") as filler:
        filler.write(b"x" * (free - leave))


def test_too_few_bytes_are_told_before_anything_is_copied(site, export, disk):
    disk("size=60m")
    fill(25 * MIB)  # 10 of scans, and what the file system needs besides
    refused(site, export, "25 MiB are free", "MiB are needed for the store")
    FILLER.unlink()
    site.store("import", export, "records")  # the control
    opens(site)


def test_too_few_numbers_of_files_are_told_too(site, export, disk):
    disk("size=60m,nr_inodes=150")
    refused(site, export, "more files can be made there", "are needed for the store")
    subprocess.run(["mount", "-o", "remount,nr_inodes=1000", str(STORES)], check=True)
    site.store("import", export, "records")  # the control
    opens(site)


def test_half_of_an_import_that_was_killed_does_not_count(site, export, disk):
    disk("size=60m")
    STAGE.mkdir(mode=0o700)
    (STAGE / "half").write_bytes(b"x" * 40 * MIB)
    site.store("import", export, "records")
    opens(site)


def test_reencryption_counts_files_as_well(site, sides, export, disk):
    """It has the room for its bytes."""
    disk("size=90m,nr_inodes=450")
    site.store("import", export, "records")
    status, told, _ = site.store("reencrypt", "records", check=False)  # nobody is asked to type
    assert status != 0 and "more files can be made there" in told["text"], told
    assert not STAGE.exists()


def importing(export, halt):
    return subprocess.Popen(["hygie", "store", "import", str(export), "records", "--json"],
                            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                            env={**os.environ, **halting(halt)})


def whole(export, halt):
    """How many calls an import has."""
    arm(halt, 0)
    assert end_of(importing(export, halt))[0] == 0
    shutil.rmtree(STORE)
    return calls(halt)


@pytest.mark.parametrize("share", [0.1, 0.5, 0.9, 1.0])
def test_disk_that_becomes_full_in_the_midst_is_no_store(site, export, disk, tmp_path, share):
    """The last is the call that asks hygied, which has store.ini to write then."""
    disk("size=60m")
    halt = tmp_path / "halt"
    last = whole(export, halt)
    arm(halt, max(1, int(last * share)), STOP)
    process = importing(export, halt)
    try:
        until(lambda: is_stopped(process) or process.poll() is not None, "it does not stop")
        assert process.poll() is None, end_of(process)
        fill(0)
        process.send_signal(signal.SIGCONT)
        status, said = end_of(process)
    finally:
        process.kill()
        process.wait()
    assert status != 0 and ("Make room" in said or share == 1.0), said
    assert not STORE.exists() and not STAGE.exists()
    assert site.store("list")[1]["stores"] == []
    FILLER.unlink()
    site.store("import", export, "records")
    opens(site)


# ---- what is let go

def test_rights_that_are_not_taken_over_are_named(site, tmp_path):
    site.fresh("alice")
    site.store("add", "records", "bob")
    assert site.print_page("recovery", "records")[0] == 0
    site.store("rotate", "records")
    target = tmp_path / "export"
    site.store("export", "records", target)
    site.empty()
    _, _, said = site.store("import", target, "records")
    assert "The right of bob is not taken over" in said
    assert "hygie store add" in said
    assert "hygie store recovery records" in said and "hygie store rotate records" in said
    assert site.holders() == {"alice": "held"}
    assert "audit: store-right-let-go: ok" in site.station.log()


def test_nothing_is_named_where_all_is_taken_over(site, export):
    site.empty()
    _, _, said = site.store("import", export, "records")
    assert "taken over" not in said and site.holders() == {"alice": "held", "bob": "held"}


def test_who_was_leaving_is_not_named(site, tmp_path):
    """He is in the envelope still, and leaving here as he was there; once he is out of it he is no
    holder, and nothing of his was let go."""
    site.fresh("alice", "bob")
    site.store("remove", "records", "bob")
    site.store("export", "records", tmp_path / "export")
    site.empty()
    _, _, said = site.store("import", tmp_path / "export", "records")
    assert "taken over" not in said and site.holders()["bob"] == "leaving"
