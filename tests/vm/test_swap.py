# SPDX-License-Identifier: Apache-2.0
"""A kernel of its own, with swap: what holds an open store's key is not written there, however
short memory gets."""
import base64
import pathlib

import pytest

import console
import records

SWAP = "/var/swap"
MARK = "a" * 64  # the control's memory


class Records(records.Records):
    """In a guest, which has no files and processes on the host."""

    def write(self, name, data):
        path = "%s/%s" % (self.folder, name)
        self.machine.run("sh", "-ec", "umask 077; base64 -d >'%s'" % path,
                         stdin=base64.b64encode(data).decode())

    def mounts(self):
        table = self.machine.run("cat", "/proc/self/mountinfo").stdout
        return [line for line in table.splitlines() if line.split()[4] == self.mount]


def group(guest, unit):
    """The folder of the unit's control group."""
    name = guest.run("systemctl", "show", "-p", "ControlGroup", "--value", unit).stdout.strip()
    assert name, unit
    return pathlib.PurePosixPath("/sys/fs/cgroup" + name)


def squeeze(guest, folder):
    """The kernel takes what memory it can from the group. How much of it is swapped, in bytes."""
    guest.run("sh", "-c", "echo 256M >'%s/memory.reclaim'" % folder, check=False)
    return int(guest.run("cat", folder / "memory.swap.current").stdout)


def swapped(guest, text):
    """Whether it lies in the swap file, which is not read from the cache: the kernel writes its
    pages past that."""
    guest.run("sh", "-c", "sync; echo 1 >/proc/sys/vm/drop_caches")
    return guest.run("grep", "-aFq", "--", text, SWAP, check=False).returncode == 0


@pytest.fixture
def swap(guest):
    guest.run("sh", "-ec", "umask 077; dd if=/dev/zero of=%s bs=1M count=128 status=none; "
              "mkswap -q %s; swapon %s" % (SWAP, SWAP, SWAP))
    yield
    guest.run("sh", "-ec", "swapoff %s; rm %s" % (SWAP, SWAP))


@pytest.fixture
def control(guest, swap):
    """A unit with 64 MB of its own."""
    guest.run("systemd-run", "--unit=control", "--collect", "sh", "-c",
              "x=$$(head -c 64M /dev/zero | tr '\\0' a); touch /run/control; sleep infinity & wait")
    guest.wait_file("/run/control")
    yield group(guest, "control.service")
    guest.run("systemctl", "stop", "control.service")


def test_open_stores_memory_is_not_swapped(guest, control):
    guest.run("groupadd", "-f", records.GROUP)
    store = Records(guest, {"alice": guest.keys.key("rsa2048", "alice-9a")})
    guest.plug()
    try:
        guest.wait_readers(lambda readers: len(readers) == 1)
        with guest.card(guest.alice):
            guest.wait_ready()
            with console.login(guest):
                store.wait_open()
                keeper = group(guest, "hygie-store@%s.service" % store.name)
                assert squeeze(guest, keeper) == 0
                squeeze(guest, group(guest, "hygied.service"))
                assert squeeze(guest, control) > 0
                assert swapped(guest, MARK)
                assert not swapped(guest, store.secret)
            store.wait_shut()
    finally:
        guest.unplug()
