# SPDX-License-Identifier: Apache-2.0
"""A person's shell after `login`, by card or by password, and what is said in it.

    with shell.session(machine, "alice") as terminal:       # by her card, which is in
        shell.say(terminal, "id -un")                       # ("alice", 0)
"""
import contextlib

import machine as mc


@contextlib.contextmanager
def session(machine, user="alice", seat=False, by="PIN"):
    """At the shell's prompt; `terminal.session` is what logind calls it. Logs out at the end."""
    with machine.terminal("login", "-p", user, seat=seat) as terminal:
        terminal.expect(by)
        terminal.sendline(mc.PIN if by == "PIN" else mc.PASSWORD)
        terminal.expect(r"\$ ")
        terminal.sendline("stty -echo; PS1=; echo ready''-$XDG_SESSION_ID-")
        terminal.expect(r"ready-(\S+)-")
        terminal.session = terminal.match.group(1)
        yield terminal
        log_out(machine, terminal)


def log_out(machine, terminal):
    if not terminal.isalive():
        return
    terminal.sendline("exit")
    terminal.expect(mc.pexpect.EOF)
    machine.wait_until(lambda: machine.run("loginctl", "show-session", terminal.session,
                                           check=False).returncode != 0, "to end the session")


def say(terminal, command):
    """What a command in the session prints, and its exit status."""
    terminal.sendline("%s; echo sa''id-$?-" % command)
    terminal.expect(r"(?s)(.*)said-(\d+)-")
    return terminal.match.group(1).strip(), int(terminal.match.group(2))
