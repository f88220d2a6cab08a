# SPDX-License-Identifier: Apache-2.0
"""A record store that the file system encrypts (fscrypt): made by the command, opened by the login
by card, closed without it, on an ext4 of its own that others use, too."""
import json
import pathlib

import pytest

import disk
import machine as mc
import records
import shell
from recordsite import CONFIG, USERS, ask_open, cards, store  # noqa: F401

POINT = "/srv/disk"
CIPHER = POINT + "/records/cipher"


@pytest.fixture(scope="module")
def machine(tmp_path_factory):
    home = tmp_path_factory.mktemp("machine")
    if disk.why_not():
        pytest.skip(disk.SKIPPED + disk.why_not())
    with mc.Machine(home, CONFIG, disk=disk.make_image(home / "disk")) as running:
        yield running


def create(machine, *words):
    """hygie store create, as root at a terminal. What it says after the page."""
    with machine.terminal("hygie", "store", "create", *words) as terminal:
        terminal.expect(r"\n\s*([0-9A-Z]{4})-[0-9A-Z-]{29}\s")
        noted = terminal.match.group(1)
        terminal.expect("four characters")
        terminal.sendline(noted)
        terminal.expect(mc.pexpect.EOF)
        return terminal.before


class Store(records.Records):
    """One whose key is the kernel's."""

    def __init__(self, machine, name="records"):  # pylint: disable=super-init-not-called
        self.machine, self.name = machine, name
        self.mount = "/srv/hygie/" + name
        self.identifier = disk.policy(self.outside(CIPHER))[-1]

    def outside(self, path):
        return pathlib.Path("/proc/%d/root%s" % (self.machine.pid, path))

    def ciphers(self):
        present = disk.key_status(self.outside(POINT), self.identifier) != disk.ABSENT
        processes = self.machine.run("pgrep", "-x", "hygie-fscrypt", check=False).stdout.split()
        return ["the kernel"] * present + processes


@pytest.fixture(scope="module")
def made(machine, cards):
    for user in USERS:
        machine.run("usermod", "-aG", records.GROUP, user)
    said = create(machine, "records", "--group", records.GROUP, "--backend", "fscrypt",
                  "--cipher", CIPHER, *USERS)
    assert "/srv/hygie/records" in said, said
    made = Store(machine)
    assert made.identifier and made.is_shut(), "its folder is encrypted, and its key is gone"
    return made


def test_two_practitioners_share_it_and_its_key_goes_with_the_session(machine, store, cards):
    with machine.card(cards["alice"]):
        machine.wait_ready()
        with shell.session(machine) as terminal:
            assert store.is_open(), "it is there before the shell is"
            assert shell.say(terminal, "echo 'first visit' >%s/patient" % store.mount)[1] == 0
            assert disk.key_status(store.outside(POINT), store.identifier) == disk.PRESENT
        store.wait_shut()
    names = [path.name for path in store.outside(CIPHER).iterdir()]
    assert len(names) == 1 and "patient" not in names[0], "the name is encrypted"
    with pytest.raises(OSError):
        next(store.outside(CIPHER).iterdir()).read_bytes()
    with machine.card(cards["bob"]):
        machine.wait_ready()
        with shell.session(machine, "bob") as terminal:
            assert shell.say(terminal, "cat %s/patient" % store.mount) == ("first visit", 0)
            seen = machine.run("cat", store.mount + "/patient", user="carol", check=False)
            assert seen.returncode != 0, "carol is not of its group"
            seen = machine.run("cat", CIPHER + "/patient", user="bob", check=False)
            assert seen.returncode != 0, "and nobody reaches it but where it is seen"


def test_card_pulled_closes_it_when_the_editor_has_ended(machine, store, cards):
    with machine.card(cards["alice"]) as card:
        machine.wait_ready()
        with shell.session(machine) as terminal:
            shell.say(terminal, "exec 3>>%s/letter; echo begun >&3" % store.mount)
            card.remove()
            machine.wait_until(lambda: store.status()[0]["state"] == "closing", "to be busy")
            programs = store.status()[1]
            assert [(one["value"], one["file"]) for one in programs] == \
                [("bash", store.mount + "/letter")], programs
            assert shell.say(terminal, "echo more >&3; exec 3>&-; echo here") == ("here", 0)
            store.wait_shut()
        card.insert()
        machine.wait_ready()
        with shell.session(machine) as terminal:
            assert shell.say(terminal, "cat %s/letter" % store.mount) == ("begun\r\nmore", 0)


def test_others_on_the_same_disk_do_not_keep_it_open(machine, store, cards):
    with machine.card(cards["alice"]), \
            open(store.outside(POINT + "/somebody's"), "w", encoding="ascii") as file:
        machine.wait_ready()
        with shell.session(machine):
            assert store.is_open()
        file.write("still here")
        store.wait_shut()


def test_program_that_only_watches_it_is_named_and_shuts_nobody_out(machine, store, cards):
    with machine.card(cards["alice"]):
        machine.wait_ready()
        with shell.session(machine) as terminal:
            shell.say(terminal, "echo seen >%s/seen" % store.mount)
            shell.say(terminal, "(: >/dev/shm/x; tail -F /dev/shm/x %s/none >/dev/null 2>&1 &)"
                      % store.mount)
            machine.wait_until(lambda: machine.run(  # also the folder, for what is not there
                "sh", "-c", "cat /proc/$(pgrep -x tail)/fdinfo/*", check=False
            ).stdout.count("sdev:") >= 3, "to watch")
            machine.run("hygie", "store", "close", store.name)
            machine.wait_until(lambda: store.status()[1], "to name who watches")
            assert [(one["value"], one["file"]) for one in store.status()[1]] == \
                [("tail", store.mount)]
            assert not store.mounts() and store.ciphers()
            assert ask_open(machine, terminal) == 0
            assert store.is_open() and store.status()[0]["state"] == "open"
            assert shell.say(terminal, "cat %s/seen" % store.mount) == ("seen", 0)
            shell.say(terminal, "kill $(pgrep -x tail); rm /dev/shm/x")
        store.wait_shut()


def test_service_that_began_meanwhile_with_mounts_of_its_own_does_not_keep_it(machine, store, cards):
    """Many have PrivateTmp: their copy of the mount goes with it."""
    with machine.card(cards["alice"]):
        machine.wait_ready()
        with shell.session(machine) as terminal:
            shell.say(terminal, "echo seen >%s/seen" % store.mount)
            machine.run("systemd-run", "--unit=private", "-p", "PrivateTmp=yes",
                        "-p", "ProtectSystem=strict", "sleep", "1000")
            pid = machine.run("systemctl", "show", "-P", "MainPID", "private").stdout.strip()
            machine.wait_until(lambda: machine.run("cat", "/proc/%s/comm" % pid).stdout == "sleep\n",
                               "to begin")
            assert store.mount in machine.run("cat", "/proc/%s/mountinfo" % pid).stdout
        store.wait_shut()
        machine.run("systemctl", "stop", "private")


def test_keeper_that_is_killed_leaves_no_key(machine, store, cards):
    with machine.card(cards["alice"]):
        machine.wait_ready()
        with shell.session(machine) as terminal:
            shell.say(terminal, "echo kept >%s/kept" % store.mount)
            machine.run("systemctl", "kill", "-s", "KILL", "hygie-store@records.service")
            store.wait_shut()
        machine.wait_ready()
        with shell.session(machine) as terminal:
            assert shell.say(terminal, "cat %s/kept" % store.mount) == ("kept", 0)


@pytest.mark.parametrize("words", [("reencrypt", "records"), ("export", "records", "/run/export")],
                         ids=lambda words: words[0])
def test_what_cannot_be_done_with_it_is_said(machine, store, words):
    done = machine.run("hygie", "store", *words, "--json", check=False)
    assert done.returncode != 0
    assert "fscrypt" in json.dumps(json.loads(done.stdout)), done.stdout


def test_disk_that_is_not_there_is_told(machine, store):
    """As after a restart without it: the folder is another."""
    machine.run("mount", "-t", "tmpfs", "-o", "mode=700", "tmpfs", POINT + "/records")
    try:
        done = machine.run("hygie", "store", "check", "records", check=False)
        assert done.returncode == 1 and "is its disk mounted?" in done.stdout, done.stdout
    finally:
        machine.run("umount", POINT + "/records")
    assert "is its disk mounted?" not in machine.run("hygie", "store", "check", "records",
                                                     check=False).stdout


def test_file_system_that_does_not_encrypt_is_told_before_a_page_is_printed(machine, store):
    done = machine.run("hygie", "store", "create", "other", "--group", records.GROUP, "--backend",
                       "fscrypt", "--pin-stdin", "--json", check=False)
    assert done.returncode != 0 and "tune2fs" in done.stdout, (done.stdout, done.stderr)
    assert "-" * 10 not in done.stderr, "no page"


def test_backend_that_there_is_none_of_is_told(machine, store):
    done = machine.run("hygie", "store", "create", "other", "--group", records.GROUP, "--backend",
                       "luks", "--pin-stdin", check=False)
    assert done.returncode != 0 and "gocryptfs or fscrypt" in done.stderr, done.stderr
