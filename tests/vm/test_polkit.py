# SPDX-License-Identifier: Apache-2.0
"""A pcscd that asks polkit, as Debian 13's does: hygied's helpers reach the card by our rule and
nobody else does. In a booted tree of Debian 13, with the packages that tests/vm/check made sure
of; without QEMU."""
import os
import pathlib
import subprocess
import sys

import pytest

MACHINE = pathlib.Path(__file__).resolve().parents[1] / "machine"
sys.path.insert(0, str(MACHINE))

import machine as mc  # noqa: E402

RULE = "/usr/share/polkit-1/rules.d/50-hygie.rules"


@pytest.fixture(scope="module")
def machine(tmp_path_factory):
    made = subprocess.run([MACHINE / "root", "--small", "trixie", "polkitd"], text=True,
                          stdout=subprocess.PIPE, check=True)
    os.environ["HYGIE_MACHINE_ROOT"] = made.stdout.strip()
    try:
        with mc.Machine(tmp_path_factory.mktemp("machine"), users=("alice",)) as running:
            yield running
    finally:
        del os.environ["HYGIE_MACHINE_ROOT"]


def refused(machine):
    """The users whom pcscd sent away, by its own journal."""
    return [line for line in machine.journal("-u", "pcscd.service").splitlines()
            if "NOT authorized" in line]


def test_helpers_reach_the_card_and_other_users_do_not(machine):
    with machine.card(machine.make_card("alice")):
        machine.wait_ready()
        assert refused(machine) == []
        tool = machine.run("opensc-tool", "--list-readers", user="alice", check=False)
        assert "Virtual" not in tool.stdout
        uid = machine.run("id", "-u", "alice").stdout.strip()
        assert ["(user: %s)" % uid in line for line in refused(machine)] == [True]


def test_without_the_rule_pcscd_refuses_the_helper(machine):
    """The control of the one above."""
    machine.run("mv", RULE, "/root/")
    machine.run("systemctl", "restart", "polkit.service", "pcscd.service", "hygied.service")
    with machine.card(machine.make_card("alice")):
        machine.wait_readers(lambda readers: any(one["state"] == "unreadable" for one in readers))
    uid = machine.run("id", "-u", "hygie-token").stdout.strip()
    assert any("(user: %s)" % uid in line for line in refused(machine))
