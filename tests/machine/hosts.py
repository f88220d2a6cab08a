# SPDX-License-Identifier: Apache-2.0
"""Programs that ask PAM, as doors: each is the real one, run in the booted machine, spoken to as a
person speaks to it, and opens or does not. Knows nothing of what ought to happen, except where a
door differs from the others (`unlike`).

    visit = Su().open(machine, "alice", Answer())
    assert visit.open

A host of a family's own derives from Host and is listed by that family's test file.
"""
import dataclasses
import os
import re
import subprocess

import pexpect

PROMPT = r"(?:^|[\r\n])([^\r\n]*(?:PIN of|assword)[^\r\n]*:) ?$"
GETTY_DROP_IN = "/usr/share/doc/hygie/examples/getty@card.conf"
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

    def title(self):
        """As docs/hosts.md names it."""
        return self.name if self.kind == "run" else "%s (%s)" % (self.name, self.kind)

    def set_up(self, machine):
        """Once for a machine."""

    def open(self, machine, user, answer):
        """Tries the door as that user would, typing what `answer` says. Returns a Visit."""
        raise NotImplementedError

    def unlike(self, outcome, profile):
        """Where it differs from what `outcome` expects of a door: (code, door), or None. A cell
        that cannot be is ("n/a: why", "n/a")."""
        return None


def converse(terminal, answer, opened, shut=(), prompt=PROMPT, name=None):
    """Answers a terminal's prompts until the door opens or shows that it does not. `name` is
    what a prompt for a name is answered with."""
    text, password = "", False
    while True:
        found = terminal.expect([opened, pexpect.EOF, *shut, prompt])
        text += terminal.before + (terminal.after if isinstance(terminal.after, str) else "")
        if found != 2 + len(shut):
            return Visit(found == 0, text, password)
        if answer.hang_up:
            terminal.send("\x04")
            continue
        asked = terminal.match.group(terminal.match.lastindex)
        if asked == "login:":
            terminal.sendline(name)
            continue
        password = password or "PIN" not in asked
        terminal.sendline(answer.to(asked))


def converse_by_pipe(process, answer, opened):
    """The same with a process whose standard streams are pipes."""
    text, asked, password = "", 0, False
    with process:
        while (piece := os.read(process.stdout.fileno(), 4096)):
            text += piece.decode(errors="replace")
            prompt = re.search(PROMPT, text[asked:])
            if not prompt:
                continue
            asked = len(text)
            if answer.hang_up:
                process.stdin.close()
                continue
            password = password or "PIN" not in prompt.group(1)
            process.stdin.write((answer.to(prompt.group(1)) + "\n").encode())
            process.stdin.flush()
    return Visit(re.search(opened, text) is not None, text, password)


def set_up(machine):
    """What all doors lead to."""
    machine.write(DOOR, '#!/bin/sh\necho "open-for-$(id -un)"\n', mode="755")


def nobody_asked(outcome):
    """unlike() of a door at which nobody is asked anything: what the card or the person does
    cannot matter to it."""
    if outcome.name in ("wrong-pin", "other-card", "blocked", "silent", "hang-up"):
        return "n/a: nobody is asked", "n/a"
    return "", "open"


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
            return self.leave(terminal, converse(
                terminal, answer, opened_for(user), ["Login incorrect"]))

    @staticmethod
    def leave(terminal, visit):
        """The shell is ended, and with it the session."""
        if visit.open:
            terminal.sendline("exit")
            terminal.expect(pexpect.EOF)
        return visit


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
        return nobody_asked(outcome)


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


class SudoFromPipe(Sudo):
    """sudo -S: no terminal; prompts on standard error, answers on standard input."""
    name = "sudo -S"

    def open(self, machine, user, answer):
        process = machine.start_aside("sudo", "-S", DOOR, user=user, stdin=subprocess.PIPE,
                                      stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        return converse_by_pipe(process, answer, opened_for("root"))


class Polkit(Host):
    """polkitd, asked by pkcheck, which registers polkit's own agent of the terminal: that starts
    polkit-agent-helper-1, which asks PAM as root and tells polkitd."""
    name = "polkit"
    ACTION = "test.hygie.door"
    POLICY = """<?xml version="1.0"?><!DOCTYPE policyconfig PUBLIC
"-//freedesktop//DTD PolicyKit Policy Configuration 1.0//EN"
"http://www.freedesktop.org/standards/PolicyKit/1/policyconfig.dtd">
<policyconfig><action id="%s"><message>the door</message><defaults>
<allow_any>auth_self</allow_any><allow_inactive>auth_self</allow_inactive>
<allow_active>auth_self</allow_active></defaults></action></policyconfig>
""" % ACTION

    def set_up(self, machine):
        machine.write("/usr/share/polkit-1/actions/%s.policy" % self.ACTION, self.POLICY)
        machine.write("/usr/local/bin/ask-polkit", "#!/bin/sh\npkcheck --action-id %s --process $$ "
                      "--allow-user-interaction --enable-internal-agent && %s\n"
                      % (self.ACTION, DOOR), mode="755")
        machine.run("systemctl", "restart", "polkit.service")

    def open(self, machine, user, answer):
        with machine.terminal("/usr/local/bin/ask-polkit", user=user) as terminal:
            return converse(terminal, answer, opened_for(user))

    def unlike(self, outcome, profile):
        return ("", "open") if outcome.user == "root" else None


class Vlock(Host):
    """vlock, run by the holder, who is the only one to be let in: it asks for root's password
    where his own way fails."""
    name = "vlock"

    def open(self, machine, user, answer):
        with machine.terminal("sh", "-c", "'vlock -c && %s'" % DOOR, user=user) as terminal:
            terminal.expect(r"press \[ENTER\] to unlock")
            terminal.sendline("")
            shut = [r"press \[ENTER\]"]
            if user != "root":
                shut.append(r"[\r\n]+root's [^:]*:")
            return converse(terminal, answer, opened_for(user), shut)


class Getty(Login):
    """login as the getty drop-in starts it: no name is typed, the card says whose it is. Where
    there is no card, the password module asks for the name."""
    name = "login without a name"

    def set_up(self, machine):
        super().set_up(machine)
        # As it is shipped, it asks for a name before any card is asked for.
        machine.run("sed", "-i", r"s/^auth\(\s*requisite\s*pam_nologin.so\)/account\1/",
                    "/etc/pam.d/login")
        lines = machine.read(GETTY_DROP_IN).splitlines()
        self.agetty = lines[-1].partition("=-")[2].replace("$TERM", "dumb").split()

    def command(self, user):
        return self.agetty

    def open(self, machine, user, answer):
        with machine.terminal(*self.agetty, seat=self.seat) as terminal:
            return self.leave(terminal, converse(
                terminal, answer, opened_for(user), ["Login incorrect"],
                prompt=r"\S+ (login:) $|" + PROMPT, name=user))

    def unlike(self, outcome, profile):
        if profile == "required":
            return "n/a: its exempt lines ask for a name first, then it is as login", "n/a"
        if outcome.name in ("other-card", "no-enrolment"):
            return "n/a: it is the card's own holder who is asked", "n/a"
        return None
