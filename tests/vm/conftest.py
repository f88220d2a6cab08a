# SPDX-License-Identifier: Apache-2.0
"""Fixtures of the tests in the virtual machine: it boots once."""
import pathlib
import sys

import pytest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))

import guest as vm  # noqa: E402


@pytest.fixture(scope="session")
def guest(tmp_path_factory):
    """A booted guest with the user alice and her card, enrolled; the reader is unplugged."""
    with vm.Guest(tmp_path_factory.mktemp("guest"), vm.CONFIG, users=("alice",)) as running:
        running.alice = running.make_card("alice", kind="rsa2048")
        running.plug()
        with running.card(running.alice):
            running.wait_ready()
            running.enrol("alice")
        running.unplug()
        running.run("hygie", "pam", "enable")
        yield running
