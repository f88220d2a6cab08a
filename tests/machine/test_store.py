# SPDX-License-Identifier: Apache-2.0
"""A record store opens with the login by card, and closes without it: real login, sudo, logind,
pcscd, systemd and gocryptfs."""
import pathlib

import machine as mc
import shell
from recordsite import CONFIG, ask_open, card, cards, made, store  # noqa: F401


def test_the_session_begins_with_its_records_and_ends_with_them(machine, store, card):
    with shell.session(machine) as terminal:
        assert store.is_open(), "it is there before the shell is"
        assert shell.say(terminal, "echo 'first visit' >%s/patient" % store.mount)[1] == 0
        state, programs = store.status()
        assert (state["state"], state["sessions"], programs) == ("open", 1, [])
    store.wait_shut()
    assert store.status()[0]["state"] == "shut"
    assert store.events()[-3:] == [("store-open", "ok"), ("store-close", "ok"),
                                   ("store-closed", "ok")]
    machine.wait_ready()
    with shell.session(machine) as terminal:
        assert shell.say(terminal, "cat %s/patient" % store.mount) == ("first visit", 0)


def test_another_practitioner_reads_it_and_nobody_else(machine, store, cards):
    with machine.card(cards["alice"]):
        machine.wait_ready()
        with shell.session(machine) as terminal:
            shell.say(terminal, "echo shared >%s/shared" % store.mount)
        store.wait_shut()
    with machine.card(cards["bob"]):
        machine.wait_ready()
        with shell.session(machine, "bob") as terminal:
            assert shell.say(terminal, "cat %s/shared" % store.mount) == ("shared", 0)
            seen = machine.run("cat", store.mount + "/shared", user="carol", check=False)
            assert seen.returncode != 0


def test_a_card_pulled_closes_it_after_the_grace_and_not_the_session(machine, store, card):
    with shell.session(machine) as terminal:
        card.remove()
        store.wait_shut()
        assert shell.say(terminal, "ls %s" % store.mount)[1] != 0
        assert shell.say(terminal, "echo here") == ("here", 0)


def test_a_card_back_within_the_grace_keeps_it(machine, store, card):
    with shell.session(machine):
        machine.wait_ready()
        card.remove()
        machine.wait_readers(lambda readers: all(one["state"] == "empty" for one in readers))
        card.insert()
        machine.wait_ready()
        machine.run("sleep", "3")  # longer than the grace: nothing may happen in that time
        assert store.is_open()
        card.remove()
        store.wait_shut()
        card.insert()


def test_sudo_opens_nothing(machine, store, cards):
    with machine.terminal("login", "-p", "alice") as terminal:
        terminal.expect("[Pp]assword")
        terminal.sendline(mc.PASSWORD)
        terminal.expect(r"\$ ")
        with machine.card(cards["alice"]):
            machine.wait_ready()
            terminal.sendline("sudo -k; sudo sh -c 'echo got-$(id -un)-'")
            terminal.expect("PIN")
            terminal.sendline(mc.PIN)
            terminal.expect("got-root-")
            machine.wait_ready()
            assert store.is_shut()
        terminal.sendline("exit")
        terminal.expect(mc.pexpect.EOF)


def test_a_second_session_of_the_card_keeps_it(machine, store, card):
    with shell.session(machine) as first:
        machine.wait_ready()
        with shell.session(machine):
            assert store.status()[0]["sessions"] == 2
            shell.log_out(machine, first)
            machine.wait_until(lambda: store.status()[0]["sessions"] == 1, "to let go")
            assert store.is_open()
        store.wait_shut()


def test_a_login_that_opens_no_session_lets_go(machine, store, card):
    """The ticket of an authentication that nobody redeems; its minute is not waited for here:
    the card goes first."""
    done = machine.run("pamtester", "login", "alice", "authenticate", stdin=mc.PIN + "\n")
    assert "successfully" in done.stdout + done.stderr
    store.wait_open()
    card.remove()
    store.wait_shut()
    card.insert()


def test_it_is_opened_and_closed_by_command_in_a_session(machine, store, card):
    with shell.session(machine) as terminal:
        assert shell.say(terminal, "hygie store close %s" % store.name)[1] == 0
        store.wait_shut()
        assert ask_open(machine, terminal) == 0 and store.is_open()
        assert "open" in shell.say(terminal, "hygie store status")[0]
    store.wait_shut()


def test_a_wrong_pin_opens_nothing(machine, store, card):
    with shell.session(machine) as terminal:
        shell.say(terminal, "hygie store close")
        store.wait_shut()
        assert ask_open(machine, terminal, "654321") != 0 and store.is_shut()


def test_a_store_that_does_not_open_refuses_no_login(machine, store, card):
    mount = pathlib.Path("/proc/%d/root%s/in-the-way" % (machine.pid, store.mount))
    mount.write_text("")
    try:
        with shell.session(machine) as terminal:
            assert shell.say(terminal, "echo in") == ("in", 0)
            assert store.is_shut()
            assert store.events()[-1] == ("store-open", "fault")
    finally:
        mount.unlink()


def test_an_envelope_that_was_changed_opens_nothing_and_refuses_no_login(machine, store, card):
    path = pathlib.Path("/proc/%d/root%s/keys.cms" % (machine.pid, store.folder))
    whole = path.read_bytes()
    path.write_bytes(whole[:-1] + bytes([whole[-1] ^ 1]))
    try:
        with shell.session(machine) as terminal:
            assert shell.say(terminal, "echo in") == ("in", 0)
            assert store.is_shut()
            assert store.events()[-1] == ("store-unsealed", "refused")
    finally:
        path.write_bytes(whole)
