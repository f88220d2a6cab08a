# SPDX-License-Identifier: Apache-2.0
"""A folder that somebody else prepared: root's export into it and import from it touch nothing
but the store, and give nobody a right in it. Each attack has its control in test_export.py: the
same without the attack succeeds."""
import hashlib
import os
import pathlib
import shutil
import subprocess

import pytest

import station as st
from storesite import STORE, STORES
from test_export import STAGE, elsewhere, export, site, tree  # noqa: F401 (fixtures)

VICTIM = STORES / "victim"


@pytest.fixture
def victim():
    """Another store's folder, with a file."""
    (VICTIM / "inner").mkdir(parents=True)
    (VICTIM / "keys.cms").write_bytes(b"another store's")
    os.chmod(VICTIM, 0o700)
    before = tree(STORES.parent / "store/victim"), VICTIM.stat().st_mode
    yield VICTIM
    assert (tree(VICTIM), VICTIM.stat().st_mode) == before
    shutil.rmtree(VICTIM)


def digest(content):
    return hashlib.sha256(content).hexdigest()


def relist(export, name):  # noqa: F811
    """The manifest as it must be for what stands in that file now."""
    path = export / "MANIFEST.sha256"
    line = "%s  %s\n" % (digest((export / name).read_bytes()), name)
    path.write_text("".join(line if one.endswith("  %s\n" % name) else one
                            for one in path.read_text().splitlines(keepends=True)))


def add(export, *lines):  # noqa: F811
    with open(export / "MANIFEST.sha256", "a", encoding="utf-8") as manifest:
        manifest.writelines(line + "\n" for line in lines)


def refused_import(site, export):  # noqa: F811
    status, told, _ = site.store("import", export, "records", check=False)
    assert status != 0 and told["text"]
    assert not STORE.exists() and not STAGE.exists()
    return told["text"]


# Import: a link that the export itself brings, and entries beyond it.


@pytest.mark.parametrize("where", ["cipher/x", "cipher/folder-of-a-patient/x"])
def test_import_writes_through_no_link_of_the_export(site, export, elsewhere,  # noqa: F811
                                                     victim, where):
    target = "../" * (where.count("/") + 1) + "victim"
    (export / "records" / where).symlink_to(target)
    (export / "victim").mkdir()
    (export / "victim/keys.cms").write_bytes(b"the stranger's")
    add(export, "#link %s  records/%s" % (digest(target.encode()), where),
        "%s  records/%s/keys.cms" % (digest(b"the stranger's"), where))
    assert "symbolic link" in refused_import(site, export)


def test_import_changes_no_folder_through_a_link(site, export, elsewhere, victim):  # noqa: F811
    target = "../../victim"
    (export / "records/cipher/x").symlink_to(target)
    (export / "victim/inner").mkdir(parents=True)
    os.chmod(export / "victim/inner", 0o777)
    add(export, "#link %s  records/cipher/x" % digest(target.encode()),
        "#folder records/cipher/x/inner")
    assert "symbolic link" in refused_import(site, export)


def test_import_reads_through_no_link(site, export, elsewhere, tmp_path):  # noqa: F811
    """Else root would copy any file that has the right checksum."""
    patient = export / "records/cipher/folder-of-a-patient"
    patient.rename(tmp_path / "aside")
    patient.symlink_to(tmp_path / "aside")
    assert "symbolic link" in refused_import(site, export) or "Not a directory" in \
        refused_import(site, export)


def manifest_is_a_pipe(path):
    os.mkfifo(path)


def manifest_is_endless(path):
    path.symlink_to("/dev/zero")


def manifest_is_one_line(path):
    path.touch()
    os.truncate(path, 1 << 40)


@pytest.mark.parametrize("make", [manifest_is_a_pipe, manifest_is_endless, manifest_is_one_line])
def test_manifest_that_is_none_is_refused_at_once(site, export, elsewhere, make):  # noqa: F811
    (export / "MANIFEST.sha256").unlink()
    make(export / "MANIFEST.sha256")
    refused_import(site, export)


# Import: rights that the envelope does not have.


def holder_of(export, user):  # noqa: F811
    """The section of that user in the export's store.ini."""
    text = (export / "records/store.ini").read_text()
    return next(part for part in text.split("\n\n") if "user = %s\n" % user in part + "\n")


def stranger(site, export, state):  # noqa: F811
    """A holder who is none, with his certificate, in an export whose checksums are right."""
    key = site.station.keys.key("rsa2048", "stranger-9a")
    spki = subprocess.run(["openssl", "pkey", "-in", key, "-pubout", "-outform", "DER"],
                          check=True, capture_output=True).stdout
    name = digest(spki)
    certificate = subprocess.run(
        ["openssl", "req", "-x509", "-new", "-key", key, "-subj", "/CN=stranger", "-outform",
         "DER"], check=True, capture_output=True).stdout
    (export / "records/holders" / (name + ".der")).write_bytes(certificate)
    add(export, "%s  records/holders/%s.der" % (digest(certificate), name))
    with open(export / "records/store.ini", "a", encoding="utf-8") as ini:
        ini.write("\n[holder %s]\nuser = mallory\nname = Mallory\ncard = %s\n"
                  "wrap = rsa-oaep-sha256\nstate = %s\ngrants = yes\n" % (name, name, state))
    relist(export, "records/store.ini")


def test_pending_right_of_a_stranger_is_let_go(site, export, elsewhere):  # noqa: F811
    stranger(site, export, "pending")
    site.store("import", export, "records")
    assert "mallory" not in (STORE / "store.ini").read_text()
    assert "user = alice" in (STORE / "store.ini").read_text()


def test_right_that_the_envelope_does_not_have_is_refused(site, export, elsewhere):  # noqa: F811
    stranger(site, export, "held")
    assert "holder" in refused_import(site, export)


def edit(export, old, new):  # noqa: F811
    path = export / "records/store.ini"
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new))
    relist(export, "records/store.ini")


def test_mount_point_of_the_export_is_not_taken_over(site, export, elsewhere):  # noqa: F811
    edit(export, "mount = /srv/hygie/records", "mount = /usr/local/sbin")
    site.store("import", export, "records")
    assert "mount = /srv/hygie/records\n" in (STORE / "store.ini").read_text()


def test_files_of_another_group_are_refused(site, export, elsewhere):  # noqa: F811
    os.chown(export / "records/cipher", 0, 12345)
    assert "12345" in refused_import(site, export)


# Export.


def prepared(tmp_path, name):
    folder = tmp_path / "stick"
    (folder / name).parent.mkdir(parents=True)
    return folder


@pytest.mark.parametrize("name", ["records", "records/cipher", "records/holders",
                                  "records/cipher/folder-of-a-patient"])
def test_export_touches_nothing_through_a_prepared_link(site, tmp_path, victim, name):  # noqa: F811
    folder = prepared(tmp_path, name)
    (folder / name).symlink_to(victim)
    status, told, _ = site.store("export", "records", folder, check=False)
    if name == "records/cipher/folder-of-a-patient":  # within the store's folder it is pruned
        assert status == 0 and (folder / name).is_dir() and not (folder / name).is_symlink()
        return
    assert status != 0 and str(folder) in told["text"]


@pytest.mark.parametrize("folder", [STORES, STORE, STORE / "cipher/export", STORES / "export"])
def test_store_is_not_exported_into_stores(site, folder):  # noqa: F811
    before = tree(STORE)
    status, told, _ = site.store("export", "records", folder, check=False)
    assert status != 0 and "within" in told["text"]
    if folder.name == "export":
        folder.rmdir()
    assert tree(STORE) == before


@pytest.mark.parametrize("mode,uid", [(0o777, 0), (0o770, 0), (0o700, 1000)])
def test_folder_that_others_may_write_is_refused(site, tmp_path, mode, uid):  # noqa: F811
    folder = tmp_path / "stick"
    folder.mkdir()
    os.chown(folder, uid, 0)
    folder.chmod(mode)
    status, told, _ = site.store("export", "records", folder, check=False)
    assert status != 0 and "others may write" in told["text"]
    assert not list(folder.iterdir())


def test_copy_that_was_changed_is_not_called_whole(site, export):  # noqa: F811
    """A run that goes on looks at more than size and time."""
    path = export / "records/cipher/folder-of-a-patient/record-9"
    times = path.stat()
    path.write_bytes(b"y" * times.st_size)
    os.utime(path, ns=(times.st_atime_ns, times.st_mtime_ns))
    (export / "MANIFEST.sha256").unlink()
    site.store("export", "records", export)
    assert tree(export / "records") == tree(STORE)
