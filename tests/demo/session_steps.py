# SPDX-License-Identifier: Apache-2.0
"""The last steps of the demonstration: a machine that really boots (systemd, logind, login), in
which a card opens a session, and the session is locked when the card is taken out.
"""
import sys
import time

import station as st

sys.path.insert(0, str(st.ROOT / "tests" / "machine"))

import lock  # noqa: E402
import machine as machines  # noqa: E402
import stacks  # noqa: E402
from steps import expect  # noqa: E402

# The session is on a terminal; a program in it stands in for the screen locker.
CONFIG = "[removal]\ntext_action = lock\n"
USER, PERSON = "alex", "Alex Specimen"


class SessionStage:
    """The machine, Alex's card, and what the bus says from the moment a step watches it."""

    def __init__(self, screen, machine, card):
        self.screen, self.machine, self.card = screen, machine, card
        self.terminal = self.session = None

    def known(self):
        return lock.known(self.machine)[self.session]

    def wait_phase(self, phase):
        self.machine.wait_until(lambda: self.known()["phase"] == phase, "until " + phase)


def since(began):
    return (time.monotonic() - began) * 1000


def audit_time(machine, session, event):
    """Milliseconds from the card's loss, as hygied's audit line says them."""
    machine.run("journalctl", "--sync")
    return int(machine.run("journalctl", "--no-pager", "-o", "json", "-n", "1", "HYGIE_AUDIT=1",
                           "HYGIE_SESSION=" + session, "HYGIE_EVENT=" + event).stdout
               .split('"HYGIE_MILLISECONDS":"')[1].split('"')[0])


def step_log_in(stage):
    """At the console: login asks through PAM."""
    began, terminal = time.monotonic(), stage.terminal
    stage.screen.row(0, "login: %s" % USER)
    terminal.expect(r"PIN of [^:]*: ")
    stage.screen.said(since(began), terminal.match.group(0) + "(typed unseen)")
    expect("prompt", "PIN of %s: " % PERSON, terminal.match.group(0))
    terminal.sendline(machines.PIN)
    terminal.expect(r"\$ ")
    stage.screen.row(since(began), "a shell; logind has a session more", "good")
    terminal.sendline("echo session''-$XDG_SESSION_ID-")
    terminal.expect(r"session-(\S+)-")
    stage.session = terminal.match.group(1)
    stage.machine.wait_ready()
    known = stage.known()
    expect("user, door, state", (USER, "login", "card in"),
           (known["user"], known["service"], known["phase"]))
    stage.screen.row(None, "session %s belongs to the card in %s; when it is taken out: %s" % (
        stage.session, known["reader"], known["on_removal"]))
    stage.screen.felt("From here on, the session is this card's.")


def step_walk_away(stage):
    machine, session = stage.machine, stage.session
    with lock.Bus(machine) as bus:
        expect("locked before", False, lock.hint(machine, session))
        began = time.monotonic()
        stage.card.remove()
        stage.screen.row(0, "the card is pulled out; nothing else is touched")
        bus.wait("Lock", session)
        stage.screen.row(since(began), "logind tells the session to lock "
                         "(this virtual reader notices within 400 ms)")
        stage.wait_phase("locked")
        expect("locked, says logind", True, lock.hint(machine, session))
        stage.screen.row(since(began), "it is locked, and was seen to be (what locks this terminal "
                         "is a stand-in for a screen locker)", "good")
    stage.screen.felt("%d ms after pcscd saw the card go, the session had said that it is locked. "
                      "hygied believes nothing less; else it shows the login screen." %
                      audit_time(machine, session, "locked"))


def step_come_back(stage):
    machine, session = stage.machine, stage.session
    began = time.monotonic()
    stage.card.insert()
    stage.screen.row(0, "Alex's card is put in again")
    machine.wait_ready()
    stage.screen.row(since(began), "it is read; the session stays locked", "quiet")
    expect("locked, with the card in", True, lock.hint(machine, session))
    done = machine.run("pamtester", "locker", USER, "authenticate", stdin=machines.PIN + "\n",
                       user=USER, check=False)
    expect("the locker's question to PAM", 0, done.returncode)
    lock.set_hint(machine, session, False, user=USER)
    stage.wait_phase("card in")
    stage.screen.row(since(began), "the PIN at the locker opens it", "good")
    stage.screen.felt("A card in the reader opens nothing by itself; its PIN does.")


STEPS = (
    ("A workstation boots; Alex logs in on its console", step_log_in),
    ("Alex takes the card out and walks away", step_walk_away),
    ("Alex comes back", step_come_back),
)


def play(screen, home, first):
    """All steps, numbered from `first`; raises what went wrong, with the number as `step`."""
    number = first
    began = time.monotonic()
    try:
        with machines.Machine(home, CONFIG, users=(USER,)) as machine:
            stacks.use(machine, "optional")
            machine.write("/etc/pam.d/locker",
                          "@include common-auth\n@include common-account\n")
            content = machine.make_card(USER, person=PERSON)
            with machine.card(content) as card:
                machine.wait_ready()
                machine.enrol(USER)
                machine.wait_ready()
                screen.blank()
                screen.paragraph("Now a whole machine: booted and set up in %.1f s, with systemd, "
                                 "logind and Debian's login." % (time.monotonic() - began))
                stage = SessionStage(screen, machine, card)
                with machine.terminal("login", "-p", USER, seat=True) as stage.terminal:
                    screen.heading(number, STEPS[0][0])
                    step_log_in(stage)
                    with lock.obedient_locker(machine, stage.session, user=USER):
                        for title, step in STEPS[1:]:
                            number += 1
                            screen.heading(number, title)
                            step(stage)
                    machine.run("loginctl", "terminate-session", stage.session)
    except Exception as problem:
        problem.step = (number, STEPS[number - first][0])
        raise
