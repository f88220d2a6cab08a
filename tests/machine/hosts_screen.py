# SPDX-License-Identifier: Apache-2.0
"""Doors on a screen: lockers, run as the user whose screen it is. Open means that the locker has
ended and keys reach the client underneath again; none that was typed before did."""
import contextlib

import hosts
import hosts_net
import pexpect
import screens

HELD = "/usr/local/bin/held"
# A locker tells that it holds the screen by closing the descriptor that the variable names.
HELD_TEXT = """#!/bin/sh
# Says "locked" when the locker has closed descriptor 3, and "ended STATUS".
fifo=$(mktemp -u) && mkfifo "$fifo" || exit 1
( read -r _ <"$fifo"; rm "$fifo"; echo locked ) &
( XSS_SLEEP_LOCK_FD=3 exec "$@" 3>"$fifo" )
echo "ended $?"
"""


# Or its first process ends then, and the one that stays holds descriptor 3.
FORKED = "/usr/local/bin/held-forked"
FORKED_TEXT = """#!/bin/sh
fifo=$(mktemp -u) && mkfifo "$fifo" || exit 1
( cat "$fifo"; rm "$fifo"; echo "ended 0" ) &
( exec "$@" 3>"$fifo" ) && echo locked
wait
"""


@contextlib.contextmanager
def on_screens(machine, lockers):
    """Runs the screens that these lockers need."""
    with contextlib.ExitStack() as stack:
        running = {kind: stack.enter_context(kind(machine))
                   for kind in {locker.SCREEN for locker in lockers}}
        for locker in lockers:
            locker.screen = running[locker.SCREEN]
        yield


class Locker(hosts.Host):
    """`screen`: whose keyboard it takes; on_screens() sets it."""
    SCREEN = screens.X
    screen = None
    held = HELD
    command = ()
    process = ""  # its name

    def set_up(self, machine):
        machine.write(HELD, HELD_TEXT, mode="755")
        machine.write(FORKED, FORKED_TEXT, mode="755")
        # Debian's own services include it; it makes who fails wait, the tests need not.
        machine.run("sed", "-i", "s/delay=3000000/delay=1000/", "/etc/pam.d/login")

    def environment(self):
        return self.screen.environment

    @contextlib.contextmanager
    def locked(self, machine, user):
        """The locker, holding the screen, as a terminal that tells what comes of it."""
        with machine.terminal(self.held, *self.command, user=user,
                              environment=self.environment()) as terminal:
            try:
                terminal.expect("locked[\r\n]")
                yield terminal
            finally:
                machine.run("pkill", "-x", self.process, check=False)
                terminal.expect(pexpect.EOF)

    def open(self, machine, user, answer):
        with self.locked(machine, user) as terminal:
            visit = self.converse(terminal, answer)
        through = self.screen.reached()
        assert through == [], "keys went through %s: %s" % (self.name, through)
        return visit

    def converse(self, terminal, answer):
        raise NotImplementedError


class PreTyped(Locker):
    """Takes a text, then asks PAM and answers each prompt with it; shows no word of PAM's."""
    refused = ""  # what it says on its terminal

    def converse(self, terminal, answer):
        self.screen.type(answer.typed)
        self.screen.press("Return")
        found = terminal.expect(["ended 0", self.refused, pexpect.EOF])
        return hosts.Visit(found == 0, terminal.before, answer.typed == answer.password)

    def unlike(self, outcome, profile):
        return hosts_net.pretyped(outcome, profile)


class I3lock(PreTyped):
    name = "i3lock"
    process = "i3lock"
    command = ("i3lock", "--nofork", "--color=203040", "--debug")
    refused = "Authentication failure"


class Swaylock(PreTyped):
    name = "swaylock"
    SCREEN = screens.Sway
    held = FORKED
    process = "swaylock"
    command = ("swaylock", "--daemonize", "--color", "203040")
    refused = "pam_authenticate failed"


class Xsecurelock(Locker):
    """Shows each prompt and refusal of PAM's; asks PAM up to three times in one dialogue. Debian's
    asks the service common-auth."""
    name = "xsecurelock"
    process = "xsecurelock"
    command = ("xsecurelock",)
    PROMPT = r"P \d+\r\n([^\r\n]+)\r\n"
    # Its own program that calls PAM; what it says to the one that draws is told here as well.
    PROTOCOL = "/usr/local/bin/authproto"
    PROTOCOL_TEXT = """#!/bin/bash
set -o pipefail
echo >&2
/usr/libexec/xsecurelock/authproto_pam | tee /dev/stderr
status=$?
echo "asked $status" >&2
exit $status
"""

    def set_up(self, machine):
        super().set_up(machine)
        machine.write(self.PROTOCOL, self.PROTOCOL_TEXT, mode="755")

    def environment(self):
        return (*super().environment(), "XSECURELOCK_AUTHPROTO=" + self.PROTOCOL)

    @contextlib.contextmanager
    def asking(self, machine, user):
        """Locked, and awake at its first prompt. Yields the terminal and all that it showed."""
        with self.locked(machine, user) as terminal:
            self.screen.press("BackSpace")
            terminal.expect(self.PROMPT)
            yield terminal, terminal.before + terminal.match.group(1)

    def converse(self, terminal, answer):
        self.screen.press("BackSpace")  # wakes it
        text, password = "", False
        while True:
            found = terminal.expect(["ended 0", "asked [^0]", pexpect.EOF, self.PROMPT])
            text += terminal.before
            if found != 3:
                return hosts.Visit(found == 0, text, password)
            asked = terminal.match.group(1)
            text += asked
            if answer.hang_up:
                self.screen.press("Escape")
                continue
            password = password or "PIN" not in asked
            self.screen.type(answer.to(asked))
            self.screen.press("Return")
