# SPDX-License-Identifier: Apache-2.0
"""A store is reencrypted on the booted machine: systemd starts the keepers of both sides, in their
own units' confinement; the card opens the new store. And hygied, in its own, removes what an import
left."""
import re

import pytest

import machine as mc
import shell
import stacks

CONFIG = ("[login]\ncard_wait = 1s\n[removal]\naction = none\ntext_action = none\n"
          "[store]\ngrace = 2s\n")
MOUNT, STORES = "/srv/hygie/records", "/var/lib/hygie/store"
# Whoever's it is, whatever its mode, and deeper than a path can name.
LEFT = """
umask 077
mkdir -p %(stage)s/cipher/sticky %(stage)s/cipher/closed
chmod 1777 %(stage)s/cipher/sticky
touch %(stage)s/cipher/sticky/hers %(stage)s/cipher/closed/hers
perl -e 'chdir $ARGV[0]; for (1..40) { mkdir "d" x 200; chdir "d" x 200 }' %(stage)s/cipher
chown -R alice:records %(stage)s/cipher
chmod 0 %(stage)s/cipher/closed
""" % {"stage": STORES + "/.records.new"}


@pytest.fixture(scope="module")
def card(machine):
    stacks.use(machine, "optional")
    machine.run("groupadd", "records")
    machine.run("usermod", "-aG", "records", "alice")
    with machine.card(machine.make_card("alice-store", kind="rsa2048", person="Alice Specimen")) as card:
        machine.wait_ready()
        machine.enrol("alice")
        yield card


@pytest.fixture
def passphrase(machine, card):
    """Of a fresh store, made where an import was killed."""
    machine.run("rm", "-rf", STORES)
    machine.run("sh", "-euc", LEFT)
    with machine.terminal("hygie", "store", "create", "records", "--group", "records",
                          "alice") as terminal:
        terminal.expect(r"\b((?:[0-9A-Z]{4}-){6}[0-9A-Z]{4})\b")
        found = terminal.match.group(1)
        terminal.expect("first four")
        terminal.sendline(found[:4])
        terminal.expect(mc.pexpect.EOF)
    return found


def in_session(machine, command):
    """What Alice's session prints, which her card has opened."""
    machine.wait_ready()
    with shell.session(machine) as terminal:
        said = shell.say(terminal, command)
    machine.wait_until(lambda: machine.run("pgrep", "-x", "gocryptfs", check=False).returncode != 0,
                       "to close the store")
    return said


def running_units(machine):
    return machine.run("systemctl", "list-units", "--no-legend", "--plain", "--state=active",
                       "hygie-store@*").stdout


@pytest.mark.parametrize("words, asked", [((), "passphrase"), (("--card",), "PIN")])
def test_records_outlive_their_keys(machine, passphrase, words, asked):
    machine.wait_until(lambda: machine.run("ls", "-A", STORES).stdout.split() == ["records"],
                       "to remove what was left")
    since = machine.run("date", "+%s").stdout.strip()
    assert in_session(machine, "echo a visit >%s/patient" % MOUNT)[1] == 0
    machine.wait_ready()
    with machine.terminal("hygie", "store", "reencrypt", "records", *words) as terminal:
        terminal.expect(asked)
        terminal.sendline(mc.PIN if words else passphrase)
        assert terminal.expect(["Done", "hygie:"]) == 0, terminal.after
        terminal.expect(mc.pexpect.EOF)
    # What opened both sides has ended, and has left nothing.
    machine.wait_until(lambda: ".records." not in running_units(machine), "to end the sides")
    assert not re.search(r"\.records\.(old|new)$", machine.run("ls", "-A", "/run/hygie/store").stdout, re.M)
    said = machine.run("journalctl", "--no-pager", "--since", "@" + since, "-u", "hygie-store@.records.new",
                       "-u", "hygie-store@.records.old").stdout
    assert "is open at /run/hygie/store/.records.new" in said
    assert "is open at /run/hygie/store/.records.old" in said
    assert "Failed with result" not in said
    assert in_session(machine, "cat %s/patient" % MOUNT) == ("a visit", 0)
    machine.run("hygie", "store", "reencrypt", "records", "--discard-old")
    assert machine.run("ls", "-A", STORES).stdout.split() == ["records"]
    assert in_session(machine, "cat %s/patient" % MOUNT) == ("a visit", 0)
