# SPDX-License-Identifier: Apache-2.0
"""The keeper of a side of a store that is being reencrypted: root alone sees it, it joins no opening
that is there, and it closes when nobody is connected any more."""
import os
import shutil
import subprocess

import pytest

from keeping import (FOLDER, OUTSIDER, Keeper, Link, members, mounts, until,  # noqa: F401
                     wait_gone)


class Side(Keeper):
    def __init__(self):
        super().__init__("records")
        self.end()
        self.name = ".records.new"
        self.mount = FOLDER / self.name
        self.start()


@pytest.fixture
def side():
    one = Side()
    one.order_init()
    one.wait("DONE")
    yield one
    one.end()
    shutil.rmtree(one.cipher.parent)


def test_its_place_is_made_for_it_and_goes_with_it(side):
    assert not side.mount.exists()
    side.open()
    assert mounts(side.mount)
    (side.mount / "record").write_text("a record")
    side.close()
    assert not side.mount.exists()
    side.open()
    assert (side.mount / "record").read_text() == "a record"
    side.close()


def test_nobody_but_root_reaches_it(side):
    side.open()
    side.mount.chmod(0o777)  # of the records' own top, which is the group's
    command = ["ls", str(side.mount)]
    assert subprocess.run(command, check=False).returncode == 0  # the control
    theirs = subprocess.run(command, user=OUTSIDER, group=OUTSIDER, extra_groups=[0],
                            capture_output=True, text=True, check=False)
    assert "Permission denied" in theirs.stderr
    side.close()


def test_what_is_to_be_left_alone_cannot_be_written(side):
    side.open()
    (side.mount / "record").write_text("a record")
    side.close()
    side.open(fixed=1)
    with pytest.raises(OSError, match="Read-only"):
        (side.mount / "record").write_text("another")
    with pytest.raises(OSError, match="Read-only"):
        (side.mount / "new").mkdir()
    assert (side.mount / "record").read_text() == "a record"
    side.close()


def test_an_opening_is_not_joined_to_one_that_is_there(side):
    """It may be another store's, of the run before."""
    side.open()
    side.order_open()
    side.fails("WRONG_TIME")
    with open(side.mount / "held", "w", encoding="utf-8"):
        side.order("CLOSE")
        side.wait("BUSY")
        side.order_open()
        side.fails("WRONG_TIME")
    side.wait("CLOSED")


def test_it_closes_when_nobody_is_connected(side):
    other = Link(side.name)
    side.open()
    gocryptfs = side.child()
    side.hang_up()
    assert other.state().get("STATE") == "open"  # somebody is
    other.hang_up()
    wait_gone(gocryptfs)
    until(lambda: not side.mount.exists(), "its place stays")


def test_it_closes_when_nobody_is_connected_and_it_is_not_busy_any_more(side):
    side.open()
    gocryptfs = side.child()
    with open(side.mount / "held", "w", encoding="utf-8"):
        side.hang_up()
        os.kill(gocryptfs, 0)
    wait_gone(gocryptfs)


@pytest.mark.parametrize("name", [".records", ".records.newer", "..old", ".new", ".a/b.new", ".-a.new",
                                  "." + "n" * 65 + ".new"])
def test_no_other_name_with_a_dot_is_one(name):
    done = subprocess.run(["/usr/libexec/hygie/hygie-store", name], capture_output=True, check=False,
                          timeout=20)
    assert done.returncode == 2
