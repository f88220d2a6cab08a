# SPDX-License-Identifier: Apache-2.0
"""What can come of asking for a card: the state that the machine is put into, who comes then and
what they type, and what pam_hygie and the door are expected to answer. Knows no host.

    outcome = OUTCOMES["wrong-pin"]
    with outcome.state(machine) as card:        # once for all hosts
        outcome.again(machine, card)            # before each visit
        visit = host.open(machine, outcome.user, outcome.answer)
"""
import contextlib
import dataclasses

import machine as mc

WRONG_PIN = "654321"
# Cells wait for these, so they are short; what a site would have is longer.
CONFIG = "[login]\ncard_wait = 1s\ndeadline = 3s\nbusy_deadline = 1s\n"

CARD, PASSWORD, SHUT = "open", "open by password", "shut"


@dataclasses.dataclass(frozen=True)
class Answer:
    """What a person types: `pin` where a PIN is asked for, `password` at any other prompt that
    shows nothing, `typed` where one text answers every prompt (lockers, ssh's password method).
    hang_up: at the first prompt they end the conversation instead (^C, EOF, closed)."""
    pin: str = mc.PIN
    password: str = mc.PASSWORD
    typed: str = mc.PASSWORD
    hang_up: bool = False

    def to(self, prompt):
        """The answer to that prompt's text."""
        return self.pin if "PIN" in prompt else self.password


@dataclasses.dataclass(frozen=True)
class Outcome:
    """`what`: in words, for docs/hosts.md. `code`: the outcome that pam_hygie logs, "" where it is not asked. `door`: by profile."""
    name: str
    what: str
    code: str
    optional: str
    required: str
    state: object
    answer: Answer = Answer()
    user: str = "alice"
    again: object = lambda machine, card: None

    def door(self, profile):
        return {"optional": self.optional, "required": self.required}[profile]

    def code_under(self, profile):
        """Under `optional` nobody is exempt, and nobody needs to be: the password is there."""
        if self.name in ("exempt", "root") and profile == "optional":
            return "unavailable"
        return self.code


@contextlib.contextmanager
def _nothing(machine):
    yield None


def _card_of(name):
    @contextlib.contextmanager
    def state(machine):
        with machine.card(machine.cards[name]) as card:
            machine.wait_ready()
            yield card
    return state


@contextlib.contextmanager
def _blocked(machine):
    with machine.card(machine.cards["alice"], absent=True) as card:
        card.set_tries(0)
        card.insert()
        machine.wait_ready()
        yield card


def _whole_again(machine, card):
    """As a card that was just put in: all tries, and its helper warm."""
    card.set_tries(3)
    machine.wait_ready()


def _speak(machine, card):
    """It answers again and is read. Where pcscd could not reset it, hygied looks at it no more
    until somebody logs in, or it is put in again."""
    card.speak()
    card.clear_faults()
    try:
        machine.wait_ready(timeout=5.0)
    except AssertionError:
        card.remove()
        machine.wait_readers(lambda readers: all(one["state"] == "empty" for one in readers))
        card.insert()
        machine.wait_ready()


def _silent_again(machine, card):
    """The next command gets no answer."""
    _speak(machine, card)
    card.silent_at(1)


@contextlib.contextmanager
def _silent(machine):
    with _card_of("alice")(machine) as card:
        yield card
        # Not out in the middle of pcscd's reset: it would be taken for mute when it is in again.
        _speak(machine, card)


@contextlib.contextmanager
def stopped(machine, *units):
    """Without these units, and without the sockets that start them."""
    machine.run("systemctl", "stop", *units)
    try:
        yield None
    finally:
        # Stopped and started so often, they look like failing; systemd would refuse.
        machine.run("systemctl", "reset-failed", *units)
        machine.run("systemctl", "start", *units)
        machine.wait_readers(lambda readers: len(readers) > 0)


@contextlib.contextmanager
def hygied_dead(machine):
    with stopped(machine, "hygied.socket", "hygied.service"):
        machine.run("rm", "-f", "/run/hygie/hygied.sock")
        yield None


@contextlib.contextmanager
def pcscd_dead(machine):
    with stopped(machine, "pcscd.socket", "pcscd.service"):
        machine.wait_until(lambda: "pcscd is gone" in machine.journal("-t", "hygied", "-n", "20"),
                           "to notice that pcscd is gone")
        yield None


_ALL = (
    Outcome("right-pin", "The user's card is in, the PIN is right.",
            "ok", CARD, CARD, _card_of("alice"), Answer(typed=mc.PIN),
            again=_whole_again),
    Outcome("wrong-pin", "The user's card is in, the PIN is wrong.",
            "pin-wrong", PASSWORD, SHUT, _card_of("alice"),
            Answer(pin=WRONG_PIN, typed=WRONG_PIN), again=_whole_again),
    Outcome("no-card", "No card is in, and none comes.",
            "no-card", PASSWORD, SHUT, _nothing),
    Outcome("other-card", "Somebody else's card is in, enrolled for that other user.",
            "card-other-user", PASSWORD, SHUT, _card_of("bob"),
            Answer(typed=mc.PIN), again=_whole_again),
    Outcome("blocked", "The user's card is in; its PIN is blocked.",
            "pin-blocked", PASSWORD, SHUT, _blocked, Answer(typed=mc.PIN)),
    Outcome("silent", "The card stops answering when the PIN is sent to it.",
            "card-silent", PASSWORD, SHUT, _silent, Answer(typed=mc.PIN),
            again=_silent_again),
    Outcome("hang-up", "The person ends the conversation at each prompt (end of file, closed).",
            "gave-up", SHUT, SHUT, _card_of("alice"), Answer(hang_up=True),
            again=_whole_again),
    Outcome("no-enrolment", "The user has no card enrolled. Somebody else's is in.",
            "user-unknown", PASSWORD, PASSWORD, _card_of("alice"), user="carol",
            again=_whole_again),
    Outcome("hygied-dead", "hygied and its socket are stopped, the socket's file is gone.",
            "unavailable", PASSWORD, SHUT, hygied_dead),
    Outcome("exempt", "A member of hygie-exempt, whose card is at home, while hygied is dead.",
            "", PASSWORD, PASSWORD, hygied_dead, user="erin"),
    Outcome("root", "Root, while hygied is dead.",
            "", PASSWORD, PASSWORD, hygied_dead, user="root"),
    Outcome("pcscd-dead", "pcscd and its socket are stopped.",
            "unavailable", PASSWORD, SHUT, pcscd_dead),
)
OUTCOMES = {outcome.name: outcome for outcome in _ALL}
