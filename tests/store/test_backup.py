# SPDX-License-Identifier: Apache-2.0
"""A store comes back from rsync, borg and restic by the commands of docs/backup.md, and opens by
the recovery key with openssl and gocryptfs alone."""
import os
import pathlib
import re
import shutil
import subprocess

import pytest

from test_envelope import ROOT, Store, keys, run  # noqa: F401 (a fixture)

METHODS = ["rsync", "borg", "restic"]
NEXT_DAY = "seen again\n"


def commands(section):
    """The indented blocks of a section of docs/backup.md, each as one script."""
    text = (ROOT / "docs" / "backup.md").read_text()
    body = text.split("\n## %s\n" % section)[1].split("\n## ")[0]
    return [re.sub(r"(?m)^    ", "", block) for block in re.findall(r"(?m)(?:^    .*\n?)+", body)]


class Backup:
    def __init__(self, home, keys):
        self.store = Store(home / "store", keys)
        self.environment = {**os.environ, "HOME": str(home), "STORE": str(self.store.home),
                            "BACKUP": str(home / "backup"), "RESTORED": str(home / "restored"),
                            "BORG_UNKNOWN_UNENCRYPTED_REPO_ACCESS_IS_OK": "yes",
                            "RESTIC_PASSWORD": "of restic's own"}
        self.restored = home / "restored"

    def run(self, script):
        done = subprocess.run(["bash", "-euo", "pipefail", "-c", script], env=self.environment,
                              capture_output=True, text=True, check=False)
        assert done.returncode == 0, (script, done.stdout, done.stderr)


class Mounted:
    """A store's folder, opened by its recovery key: the folder in the clear."""

    def __init__(self, home):
        self.home, self.mount = home, home.parent / "look"

    def secret(self):
        script = """openssl pkcs8 -inform DER -in recovery.der -passin file:passphrase -out r.pem
            openssl cms -decrypt -inform DER -in keys.cms -inkey r.pem; rm r.pem"""
        return run("bash", "-euc", script, cwd=self.home)

    def __enter__(self):
        self.mount.mkdir(exist_ok=True)
        run("gocryptfs", "-q", "-passfile", "/dev/stdin", self.home / "cipher", self.mount,
            data=self.secret())
        return self.mount

    def __exit__(self, *_):
        run("fusermount3", "-u", self.mount)


def records(folder):
    """{path: content, target or None} of a tree."""
    found = {}
    for path in folder.rglob("*"):
        name = str(path.relative_to(folder))
        if path.is_symlink():
            found[name] = os.readlink(path)
        else:
            found[name] = path.read_bytes() if path.is_file() else None
    return found


def write_records(folder):
    (folder / "2026" / "Ménard, Zoé").mkdir(parents=True)
    (folder / "2026" / "Ménard, Zoé" / "notes.txt").write_text("seen\n")
    (folder / "2026" / ("long" * 50)).write_bytes(os.urandom(70000))
    (folder / "empty").touch()
    (folder / "scan.bin").write_bytes(os.urandom(1 << 20))
    (folder / "latest").symlink_to("2026/Ménard, Zoé/notes.txt")


@pytest.fixture(params=METHODS)
def backup(request, tmp_path, keys):  # noqa: F811
    """A store with records; the method's commands in it: once, each night, back."""
    (tmp_path / "store").mkdir()
    (tmp_path / "restored").mkdir()
    made = Backup(tmp_path, keys)
    made.first, made.nightly, made.back = ([""] + commands(request.param))[-3:]
    with Mounted(made.store.home) as clear:
        write_records(clear)
        made.records = records(clear)
    return made


def bring_back(backup):
    shutil.rmtree(backup.store.home)
    backup.run(backup.back)
    return backup.restored


def test_lost_store_comes_back_with_every_record(backup):
    backup.run(backup.first)
    backup.run(backup.nightly)
    with Mounted(bring_back(backup)) as clear:
        assert records(clear) == backup.records


def test_second_night_has_what_changed(backup):
    backup.run(backup.first)
    backup.run(backup.nightly)
    with Mounted(backup.store.home) as clear:
        (clear / "latest").write_text(NEXT_DAY)
        (clear / "empty").unlink()
    backup.run(backup.nightly)
    expected = dict(backup.records)
    del expected["empty"]
    expected["2026/Ménard, Zoé/notes.txt"] = NEXT_DAY.encode()
    with Mounted(bring_back(backup)) as clear:
        assert records(clear) == expected


def test_backup_holds_no_record_in_the_clear(backup):
    backup.run(backup.first)
    backup.run(backup.nightly)
    shutil.rmtree(backup.store.home)
    everything = b"".join(path.read_bytes() for path in
                          pathlib.Path(backup.environment["BACKUP"]).rglob("*") if path.is_file())
    assert everything
    for word in ("seen\n".encode(), "Ménard".encode(), backup.records["scan.bin"][:64]):
        assert word not in everything


def test_damaged_record_is_named_and_gives_no_content(backup):
    backup.run(backup.first)
    backup.run(backup.nightly)
    folder = bring_back(backup)
    (check,) = commands("Looking whether a backup is good")
    backup.environment["secret"] = Mounted(folder).secret().split(b"\n")[0].decode()
    backup.run(check)  # the control
    largest = max((path for path in (folder / "cipher").rglob("*") if path.is_file()),
                  key=lambda path: path.stat().st_size)
    with open(largest, "r+b") as file:
        file.seek(500000)
        byte = file.read(1)
        file.seek(500000)
        file.write(bytes([byte[0] ^ 1]))
    done = subprocess.run(["bash", "-c", check], env=backup.environment, capture_output=True,
                          text=True, check=False)
    assert done.returncode != 0
    assert "scan.bin" in done.stdout + done.stderr
    with Mounted(folder) as clear, pytest.raises(OSError):
        (clear / "scan.bin").read_bytes()
