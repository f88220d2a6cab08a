# SPDX-License-Identifier: Apache-2.0
"""lightdm with its GTK greeter, under each outcome; and what one sees there."""
import contextlib
import json
import re

import hosts_lightdm
import machine as mc
import outcomes
import pytest
import stacks
import walk

CONFIG = outcomes.CONFIG
LIGHTDM = hosts_lightdm.Lightdm()
HOSTS = (LIGHTDM,)
DROP_IN = "/etc/hygie/hygie.conf.d/50-prompts.conf"


@pytest.fixture
def card(doors, card):
    stacks.use(doors, "optional")
    return card


@contextlib.contextmanager
def setting(machine, line):
    """With that line under [login]. A card that is in is read anew."""
    machine.write(DROP_IN, "[login]\n%s\n" % line)
    machine.run("systemctl", "restart", "hygied.service")
    machine.wait_readers(lambda readers: len(readers) > 0)
    try:
        yield
    finally:
        machine.run("rm", DROP_IN)
        machine.run("systemctl", "restart", "hygied.service")
        machine.wait_readers(lambda readers: len(readers) > 0)


@pytest.fixture
def nameless(doors):
    """As docs/hosts.md tells it: nothing asks for a name before the card is looked at."""
    debian = doors.read("/etc/pam.d/lightdm")
    changed = re.sub(r"(?m)^auth(\s+requisite\s+pam_nologin.so)", r"account\1", debian)
    assert changed != debian
    doors.write("/etc/pam.d/lightdm", changed)
    yield doors
    doors.write("/etc/pam.d/lightdm", debian)


def ask(machine, who, name, count):
    """With that user's card in, the greeter shows so many texts before a name is typed. Returns
    their lengths and what its window looks like; the whole screen goes to build/screens."""
    with machine.card(machine.cards[who]):
        machine.wait_ready()
        with hosts_lightdm.Greeter(machine) as greeter:
            lengths = greeter.texts("", count)
            window = greeter.window()
            greeter.picture(name)
            return lengths, window


def test_greeter_shows_whose_pin_is_asked_for(nameless):
    stacks.use(nameless, "optional")
    lengths, alice = ask(nameless, "alice", "lightdm-alice", 2)
    assert lengths == [len("PIN of Alice Specimen: ")] * 2
    assert alice == ask(nameless, "alice", "lightdm-alice", 2)[1]
    assert alice != ask(nameless, "bob", "lightdm-bob", 2)[1]


def test_control_greeter_does_not_show_the_prompt_itself(nameless):
    stacks.use(nameless, "optional")
    with setting(nameless, "hidden_prompts ="):
        lengths, alice = ask(nameless, "alice", "lightdm-hidden", 1)
        assert lengths == [len("PIN of Alice Specimen: ")]
        assert alice == ask(nameless, "bob", "lightdm-hidden", 1)[1]


def test_card_says_who_and_the_session_is_its_own(nameless, card):
    with hosts_lightdm.Greeter(nameless) as greeter:
        greeter.texts("", 2)
        assert LIGHTDM.answer(greeter, "alice", outcomes.Answer(), asked="PIN").open
        (bound,) = json.loads(nameless.run("hygie", "status", "--json").stdout)["sessions"]
        assert (bound["user"], bound["service"]) == ("alice", "lightdm")
        shown = nameless.run("loginctl", "show-session", bound["session"]).stdout.splitlines()
        assert {"Name=alice", "Seat=seat0", "Active=yes"} <= set(shown)


def test_greeter_says_that_it_is_the_last_try(doors):
    stacks.use(doors, "optional")
    with doors.card(doors.cards["alice"], absent=True) as card:
        card.set_tries(1)
        card.insert()
        doors.wait_ready()
        with hosts_lightdm.Greeter(doors) as greeter:
            greeter.enter_name("alice")
            last = len("Last try. PIN of Alice Specimen, or nothing to stop: ")
            assert greeter.texts("alice", 3)[1:] == [last, last]
            greeter.window()
            greeter.picture("lightdm-last-try")


def test_greeter_says_why_a_pin_was_refused(doors, card):
    with hosts_lightdm.Greeter(doors) as greeter:
        greeter.enter_name("alice")
        assert greeter.next_prompt("alice") == "PIN"
        asked = greeter.window()
        greeter.type(outcomes.WRONG_PIN)
        greeter.press("Return")
        assert greeter.next_prompt("alice") == "password"
        assert greeter.window() != asked
        greeter.picture("lightdm-refused")


def test_reason_is_said_again_when_the_greeter_begins_anew(doors, card):
    """Under `required` it does so at once, with "Your password is incorrect"."""
    stacks.use(doors, "required")
    assert LIGHTDM.open(doors, "alice", outcomes.Answer()).open  # nothing to tell from before
    doors.wait_ready()
    with hosts_lightdm.Greeter(doors) as greeter:
        greeter.enter_name("alice")
        assert greeter.next_prompt("alice") == "PIN"
        asked = greeter.window()
        greeter.type(outcomes.WRONG_PIN)
        greeter.press("Return")
        while greeter.next()[0] != "start":
            pass
        prompt = "PIN of Alice Specimen: "
        assert greeter.texts("alice", 2) == [
            len(hosts_lightdm.AFTER_WRONG + prompt), len(prompt)]
        assert greeter.window() != asked
        greeter.picture("lightdm-refused-anew")


def test_password_in_the_greeter_is_not_sent_to_the_card(doors, card):
    assert LIGHTDM.open(doors, "alice", outcomes.Answer(pin=mc.PASSWORD)).open
    assert (card.verify_count(), card.tries()) == (0, 3)


def test_one_prompt_takes_pin_or_password_where_the_site_wants_it(doors, card):
    """So nobody types a PIN at the password's prompt, whose text is hidden."""
    with setting(doors, "card_or_password = lightdm"):
        with hosts_lightdm.Greeter(doors) as greeter:
            greeter.enter_name("alice")
            assert greeter.texts("alice", 2) == [len("PIN of Alice Specimen, or password: ")] * 2
            greeter.window()
            greeter.picture("lightdm-pin-or-password")
            greeter.type(mc.PASSWORD)
            greeter.press("Return")
            assert greeter.next() == ("end", "0")
    assert (card.verify_count(), card.tries()) == (0, 3)


@walk.cells(HOSTS)
def test_door(stage, host, matrix):
    stage.check(host, matrix)


def test_page_tells_what_was_run(matrix):
    assert matrix.differences() == []
