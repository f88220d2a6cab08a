# SPDX-License-Identifier: Apache-2.0
"""Programs that ask PAM, as doors: each is the real one, run in the booted machine, spoken to as a
person speaks to it, and opens or does not. Knows nothing of what ought to happen, except where a
door differs from the others (`unlike`).

    visit = Su().open(machine, "alice", Answer())
    assert visit.open

A host of a family's own derives from Host and is listed by that family's test file.
"""
import dataclasses
import re

import pexpect

PROMPT = r"(?:^|[\r\n])([^\r\n]*(?:PIN of|assword)[^\r\n]*:) ?$"
DOOR = "/usr/local/bin/door"  # what runs behind a door: says for whom it is open


@dataclasses.dataclass
class Visit:
    """open: what lies behind the door was reached. password: one was typed on the way.
    text: all that was shown."""
    open: bool
    text: str
    password: bool = False

    def door(self, code):
        """In the matrix' words; `code` is what pam_hygie came to."""
        if not self.open:
            return "shut"
        return "open by password" if self.password and code != "ok" else "open"


class Host:
    """A door. `kind`: "run" for real, or "contract": only its calls of PAM are made."""
    name = ""
    kind = "run"

    def set_up(self, machine):
        """Once for a machine."""

    def open(self, machine, user, answer):
        """Tries the door as that user would, typing what `answer` says. Returns a Visit."""
        raise NotImplementedError

    def unlike(self, outcome, profile):
        """Where it differs from what `outcome` expects of a door: (code, door), or None. A cell
        that cannot be is ("n/a: why", "n/a")."""
        return None


def converse(terminal, answer, opened, shut=(), goodbye="\x04"):
    """Answers a terminal's prompts until the door opens or shows that it does not."""
    text, password = "", False
    while True:
        found = terminal.expect([opened, pexpect.EOF, PROMPT, *shut])
        text += terminal.before + (terminal.after if isinstance(terminal.after, str) else "")
        if found != 2:
            return Visit(found == 0, text, password)
        if answer.hang_up:
            terminal.send(goodbye)
            continue
        prompt = terminal.match.group(1)
        password = password or "PIN" not in prompt
        terminal.sendline(answer.to(prompt))


def set_up(machine):
    """What all doors lead to."""
    machine.write(DOOR, '#!/bin/sh\necho "open-for-$(id -un)"\n', mode="755")


def opened_for(user):
    return re.escape("open-for-" + user)


class Login(Host):
    """login on a terminal of the seat, as getty starts it."""
    name = "login"
    seat = True

    def set_up(self, machine):
        machine.write("/etc/profile.d/door.sh", DOOR + "\n")
        # It makes who fails wait; the tests need not.
        machine.run("sed", "-i", "s/delay=3000000/delay=1000/", "/etc/pam.d/login")

    def command(self, user):
        return ["login", "-p", user]

    def open(self, machine, user, answer):
        with machine.terminal(*self.command(user), seat=self.seat) as terminal:
            return converse(terminal, answer, opened_for(user), ["Login incorrect"])


class Su(Host):
    """su by an ordinary user to the account of the card's holder."""
    name = "su"

    def open(self, machine, user, answer):
        with machine.terminal("su", user, "-c", DOOR, user="mallory") as terminal:
            return converse(terminal, answer, opened_for(user))


class SuByRoot(Host):
    """su by root, whom pam_rootok lets through."""
    name = "su by root"

    def open(self, machine, user, answer):
        with machine.terminal("su", user, "-c", DOOR) as terminal:
            return converse(terminal, answer, opened_for(user))

    def unlike(self, outcome, profile):
        return "", "open"


class Sudo(Host):
    """sudo on a terminal."""
    name = "sudo"
    SUDOERS = ("alice", "bob", "carol", "erin", "root")

    def set_up(self, machine):
        # One attempt a visit: else it starts PAM anew up to three times.
        machine.write("/etc/sudoers.d/doors", "Defaults passwd_tries=1, timestamp_timeout=0, "
                      "!lecture\n" + "".join("%s ALL=(ALL) ALL\n" % user for user in self.SUDOERS),
                      mode="440")

    def open(self, machine, user, answer):
        with machine.terminal("sudo", "sh", "-c", DOOR, user=user) as terminal:
            return converse(terminal, answer, opened_for("root"))

    def unlike(self, outcome, profile):
        return ("", "open") if outcome.user == "root" else None
