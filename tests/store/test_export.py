# SPDX-License-Identifier: Apache-2.0
"""A store is exported into a folder and taken in again: every file as it was, damage found
before it takes effect, and whatever is killed, there is the old state or the new."""
import os
import pathlib
import random
import shutil
import signal
import subprocess

import pytest

import station as st
from storesite import KEYS, ROUNDS, STORE, STORES, site_at
from traced import at, calls_of, ended, traced

STAGE = STORES / ".records.new"


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    made = site_at(tmp_path_factory.mktemp("site"))
    site = next(made)
    site.fresh("alice", "bob")
    site.mounts(site.secret_by_key("alice"))  # puts a record into it
    cipher = STORE / "cipher"
    folder = cipher / "folder-of-a-patient"
    folder.mkdir()
    for number in range(20):
        path = folder / ("record-%d" % number)
        path.write_bytes(os.urandom(number * 3001))
        os.chown(path, st.pwd.getpwnam("bob" if number % 2 else "alice").pw_uid, 100)
        path.chmod(0o640 if number % 3 else 0o4755)
    (folder / "link").symlink_to("../nowhere")
    yield site
    next(made, None)


@pytest.fixture
def export(site, tmp_path):
    """An export of the store."""
    target = tmp_path / "export"
    site.store("export", "records", target)
    return target


def tree(folder, with_owner=True):
    """What lies there: {path: (kind and mode, owner, content)}."""
    found = {}
    for path in sorted(pathlib.Path(folder).rglob("*")):
        about = path.lstat()
        content = os.readlink(path) if path.is_symlink() else path.read_bytes() if path.is_file() else None
        found[str(path.relative_to(folder))] = (
            about.st_mode & ~0o4000, about.st_uid, about.st_gid, content)
    return found


def checked(target):
    return subprocess.run(["sha256sum", "--check", "--strict", "--quiet", "MANIFEST.sha256"],
                          cwd=target, check=False, capture_output=True).returncode


def without_store(site):
    """The store set aside, as on another machine."""
    aside = STORES.parent / "aside"
    shutil.rmtree(aside, ignore_errors=True)
    STORE.rename(aside)
    return aside


@pytest.fixture
def elsewhere(site):
    """No store of that name; afterwards the first one again."""
    site.empty_keeper()
    aside = without_store(site)
    yield aside
    shutil.rmtree(STORE, ignore_errors=True)
    shutil.rmtree(STAGE, ignore_errors=True)
    aside.rename(STORE)


def test_export_is_what_was_there_and_sha256sum_says_so(site, export):
    assert tree(export / "records") == tree(STORE)
    assert checked(export) == 0
    listed = (export / "MANIFEST.sha256").read_text()
    for name in ("store.ini", "keys.cms", "recovery.der", "recovery.pub", "cipher/gocryptfs.conf"):
        assert "  records/" + name + "\n" in listed
    (export / "records/cipher/folder-of-a-patient/record-7").write_bytes(b"other")
    assert checked(export) == 1  # the control


def test_import_makes_the_same_store_that_opens(site, export, elsewhere):
    before = tree(elsewhere)
    site.store("import", export, "records")
    assert tree(STORE) == before
    assert not STAGE.exists() and site.store("check")[0] == 0
    for secret in (site.secret_by_key("alice"), site.secret_by_key("bob"), site.secret_by_paper()):
        assert site.mounts(secret)
    site.store("rotate", "records")
    site.login("alice")  # hygied opens its envelope, too
    assert site.store("list")[1]["stores"][0]["generation"] == 2


def test_import_is_never_over_a_store(site, export):
    before = tree(STORE)
    status, told, _ = site.store("import", export, "records", check=False)
    assert status != 0 and "is there already" in told["text"]
    assert tree(STORE) == before and not STAGE.exists()


def damage_content(export):
    (export / "records/cipher/folder-of-a-patient/record-3").write_bytes(b"x")


def damage_bit(export):
    path = export / "records/keys.cms"
    content = bytearray(path.read_bytes())
    content[100] ^= 1
    path.write_bytes(content)


def damage_missing(export):
    (export / "records/recovery.der").unlink()


def damage_unlisted(export):
    """A store.ini that the manifest does not know."""
    text = (export / "MANIFEST.sha256").read_text().splitlines(keepends=True)
    (export / "MANIFEST.sha256").write_text("".join(
        line for line in text if not line.endswith("store.ini\n")))


def damage_link(export):
    (export / "records/cipher/folder-of-a-patient/link").unlink()
    (export / "records/cipher/folder-of-a-patient/link").symlink_to("/etc/passwd")


def damage_swapped(export):
    path = export / "records/cipher/folder-of-a-patient/record-4"
    path.rename(export / "aside")
    path.symlink_to(export / "aside")


def damage_manifest(export):
    text = (export / "MANIFEST.sha256").read_text()
    (export / "MANIFEST.sha256").write_text(text[:-5])


def damage_way_out(export):
    with open(export / "MANIFEST.sha256", "a", encoding="utf-8") as manifest:
        manifest.write("#folder records/cipher/../../../../../tmp/out\n")


def damage_no_manifest(export):
    (export / "MANIFEST.sha256").unlink()


def damage_parsing(export):
    """Right for the manifest, wrong for a store."""
    path = export / "records/store.ini"
    path.write_text(path.read_text() + "unknown = yes\n")
    hashed = subprocess.run(["sha256sum", "records/store.ini"], cwd=export, check=True,
                            capture_output=True, text=True).stdout
    text = (export / "MANIFEST.sha256").read_text().splitlines(keepends=True)
    (export / "MANIFEST.sha256").write_text("".join(
        hashed if line.endswith("store.ini\n") else line for line in text))


@pytest.mark.parametrize("damage", [value for name, value in sorted(globals().items())
                                    if name.startswith("damage_")])
def test_damaged_export_takes_no_effect(site, export, elsewhere, damage):
    damage(export)
    status, told, _ = site.store("import", export, "records", check=False)
    assert status != 0 and told["text"]
    assert not STORE.exists() and not STAGE.exists() and not pathlib.Path("/tmp/out").exists()


def test_store_keeps_its_name(site, export):
    status, told, _ = site.store("import", export, "others", check=False)
    assert status != 0 and "another store" in told["text"]
    assert [path.name for path in STORES.iterdir()] == ["records"]


def test_others_than_root_export_and_import_nothing(site, export, tmp_path):
    uid = st.pwd.getpwnam("alice").pw_uid
    for words in (("export", "records", tmp_path / "hers"), ("import", export, "records")):
        status, _, _ = site.station.run("store", *words, uid=uid, check=False)
        assert status != 0
    assert not (tmp_path / "hers").exists()


def command(*words):
    return ["hygie", "store", *map(str, words), "--json"]


def killed_at(call, *words):
    """The command, killed at that call of those that change something."""
    status = ended(command(*words), at(call))
    assert status in (0, -signal.SIGKILL), status


def test_export_that_was_killed_goes_on(site, tmp_path):
    target, dice = tmp_path / "export", random.Random(11)
    whole = calls_of(command("export", "records", target), tmp_path / "log")
    expected, cut = tree(STORE), 0
    for _ in range(max(ROUNDS // 4, 5)):
        shutil.rmtree(target)
        while not (target / "MANIFEST.sha256").exists():
            killed_at(dice.choice(whole), "export", "records", target)
            cut += not (target / "MANIFEST.sha256").exists()
        assert checked(target) == 0 and tree(target / "records") == expected
    assert cut > 0


def test_export_is_not_complete_while_a_folder_cannot_be_read_to_its_end(site, tmp_path):
    target = tmp_path / "export"
    calls = calls_of(command("export", "records", target), tmp_path / "log", "getdents64")
    assert len(calls) >= 6
    for call in calls:
        shutil.rmtree(target)
        status = ended(command("export", "records", target), at(call, "error=EIO", onwards=True),
                       "getdents64")
        assert status > 0 and not (target / "MANIFEST.sha256").exists(), call
    site.store("export", "records", target)
    assert checked(target) == 0 and tree(target / "records") == tree(STORE)


def test_export_that_goes_on_forgets_what_the_store_has_no_more(site, export):
    (export / "MANIFEST.sha256").unlink()
    extra = STORE / "cipher/folder-of-a-patient/record-extra"
    (export / "records/cipher/folder-of-a-patient/gone").write_text("deleted since")
    (export / "records/cipher/gone").mkdir()
    extra.write_text("new since")
    try:
        site.store("export", "records", export)
        assert tree(export / "records") == tree(STORE) and checked(export) == 0
    finally:
        extra.unlink()


def test_complete_export_is_not_written_over(site, export):
    before = (export / "MANIFEST.sha256").stat().st_mtime_ns
    status, told, _ = site.store("export", "records", export, check=False)
    assert status != 0 and "empty folder" in told["text"]
    assert (export / "MANIFEST.sha256").stat().st_mtime_ns == before


def test_kill_at_any_moment_of_an_import_leaves_no_store_or_all_of_it(
        site, export, elsewhere, tmp_path):
    """The command, hygied, or both; whatever is left stands in nobody's way."""
    dice, before, whole = random.Random(13), tree(elsewhere), 0
    calls = calls_of(command("import", export, "records"), tmp_path / "log")
    shutil.rmtree(STORE)
    with traced(site.station.hygied.pid, tmp_path / "log") as own:
        site.store("import", export, "records")
    assert STORE.exists() and len(own) > 3
    for number in range(ROUNDS):
        shutil.rmtree(STORE, ignore_errors=True)
        if number % 4 == 3:
            with traced(site.station.hygied.pid, tmp_path / "log", at(dice.choice(own))):
                site.store("import", export, "records", check=False)
            site.kill_hygied()
        elif number == 0:
            site.store("import", export, "records")
        else:
            killed_at(dice.choice(calls), "import", export, "records")
        listed = site.store("list")[1]["stores"]  # after what hygied was asked before
        if STORE.exists():
            whole += 1
            assert tree(STORE) == before and len(listed) == 1
            assert site.secret_by_key("alice")
        else:
            assert listed == []
    assert 0 < whole < ROUNDS
    shutil.rmtree(STORE, ignore_errors=True)
    site.store("import", export, "records")
    assert tree(STORE) == before and not STAGE.exists()
