# SPDX-License-Identifier: Apache-2.0
"""A disk for fscrypt, on a loop device that goes when it is unmounted; and the kernel's side of
it, by its calls (linux/fscrypt.h), independent of the code under test.

    disk = Disk("one"); ...; disk.end()

    python3 disk.py     says why there is no fscrypt here, or nothing
"""
import base64
import errno
import fcntl
import functools
import hashlib
import hmac
import os
import pathlib
import struct
import subprocess
import sys
import tempfile

import pytest

SKIPPED = "no fscrypt here: "  # tests/check counts such skips apart

V2, XTS, CTS, PAD_32 = 2, 1, 4, 3
BY_IDENTIFIER = 2
ABSENT, PRESENT, INCOMPLETE = 1, 2, 3


def _ioc(direction, number, size):
    return direction << 30 | size << 16 | ord("f") << 8 | number


SET_POLICY, GET_POLICY = _ioc(2, 19, 12), _ioc(3, 22, 9)
ADD_KEY, REMOVE_KEY, KEY_STATUS = _ioc(3, 23, 80), _ioc(3, 25, 64), _ioc(3, 26, 128)


class Opened:
    """A folder, for ioctl."""

    def __init__(self, path):
        self.path = path

    def __enter__(self):
        self.fd = os.open(self.path, os.O_RDONLY)
        return self.fd

    def __exit__(self, *_):
        os.close(self.fd)


def key_id(secret):
    """How the kernel calls the key (fscrypt.rst: HKDF-SHA512 without salt, context 1)."""
    key = base64.b64decode(secret)
    extracted = hmac.new(b"\0" * 64, key, hashlib.sha512).digest()
    return hmac.new(extracted, b"fscrypt\0\1\1", hashlib.sha512).digest()[:16]


def policy(folder):
    """(version, contents, names, flags, key) of a folder; None: it is not encrypted."""
    order = bytearray(struct.pack("Q24x", 24))
    with Opened(folder) as fd:
        try:
            fcntl.ioctl(fd, GET_POLICY, order, True)
        except OSError as error:
            if error.errno in (errno.ENODATA, errno.EOPNOTSUPP, errno.ENOTTY):
                return None
            raise
    return struct.unpack_from("BBBB4x16s", order, 8)


def set_policy(folder, identifier):
    with Opened(folder) as fd:
        fcntl.ioctl(fd, SET_POLICY, struct.pack("BBBB4x16s", V2, XTS, CTS, PAD_32, identifier))


def _specifier(order, identifier):
    struct.pack_into("I4x16s", order, 0, BY_IDENTIFIER, identifier)
    return order


def key_status(folder, identifier):
    """ABSENT, PRESENT or INCOMPLETE, in the file system of that folder."""
    order = _specifier(bytearray(128), identifier)
    with Opened(folder) as fd:
        fcntl.ioctl(fd, KEY_STATUS, order, True)
    return struct.unpack_from("I", order, 64)[0]


def add_key(folder, secret):
    order = bytearray(struct.pack("I36xI36x", BY_IDENTIFIER, 32)) + base64.b64decode(secret)
    with Opened(folder) as fd:
        fcntl.ioctl(fd, ADD_KEY, order, True)


def remove_key(folder, identifier):
    with Opened(folder) as fd:
        fcntl.ioctl(fd, REMOVE_KEY, _specifier(bytearray(64), identifier), True)


def make_image(path, features="encrypt", size="64M"):
    with open(path, "wb"):
        os.truncate(path, int(size[:-1]) << 20)
    subprocess.run(["mkfs.ext4", "-q", "-F", "-O", features, path], check=True)
    return path


class Disk:
    def __init__(self, name, features="encrypt", size="64M"):
        self.root = pathlib.Path("/mnt/disk-" + name)
        self.image = pathlib.Path(tempfile.gettempdir()) / ("disk-%s.img" % name)
        self.root.mkdir(mode=0o700)
        make_image(self.image, features, size)
        subprocess.run(["mount", "-o", "loop", self.image, self.root], check=True)
        self.root.chmod(0o700)

    def device(self):
        """What it is mounted from."""
        with open("/proc/self/mountinfo", encoding="utf-8") as table:
            return next(line for line in table
                        if line.split()[4] == str(self.root)).split(" - ")[1].split()[1]

    def end(self):
        device = self.device()
        subprocess.run(["umount", self.root], check=True)
        self.root.rmdir()
        self.image.unlink()
        assert str(self.image) not in subprocess.run(
            ["losetup", "--noheadings", "--output", "BACK-FILE", device], capture_output=True,
            text=True, check=False).stdout, "the loop device is used still"


@functools.lru_cache(maxsize=None)
def why_not():
    """Why this machine has no fscrypt to test with; "" if it has."""
    with tempfile.TemporaryDirectory() as folder:
        image = pathlib.Path(folder, "image")
        point = pathlib.Path(folder, "point")
        point.mkdir()
        with open(image, "wb"):
            os.truncate(image, 16 << 20)
        for command in (["mkfs.ext4", "-q", "-F", "-O", "encrypt", image],
                        ["mount", "-o", "loop", image, point]):
            done = subprocess.run(command, capture_output=True, text=True, check=False)
            if done.returncode != 0:
                return "%s: %s" % (command[0], done.stderr.strip().split("\n")[0])
        try:
            inner = point / "inner"
            inner.mkdir()
            set_policy(inner, key_id(base64.b64encode(bytes(32))))
        except OSError as error:
            return "a folder of ext4 cannot be encrypted: %s" % error.strerror
        finally:
            subprocess.run(["umount", point], check=True)
    return ""


@pytest.fixture(scope="module")
def disk():
    if why_not():
        pytest.skip(SKIPPED + why_not())
    one = Disk("fscrypt")
    yield one
    one.end()


if __name__ == "__main__":
    print(why_not())
    sys.exit(0)
