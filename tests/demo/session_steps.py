# SPDX-License-Identifier: Apache-2.0
"""The last steps of the demonstration: a machine that really boots (systemd, logind, login), in
which a card opens a session, and the session is locked when the card is taken out.
"""
import json
import sys
import time

import station as st

sys.path.insert(0, str(st.ROOT / "tests" / "machine"))

import lock  # noqa: E402
import machine as machines  # noqa: E402
import stacks  # noqa: E402
from steps import expect  # noqa: E402

# The session is on a terminal; a program in it stands in for the screen locker.
GRACE = 1  # seconds; ten minutes unless the site says otherwise
CONFIG = ("[removal]\ntext_action = lock\n[store]\ngrace = %ds\n"
          "services = login locker\n" % GRACE)
USER, PERSON = "alex", "Alex Specimen"
OTHER, OTHER_PERSON = "kim", "Kim Specimen"
STORE, MOUNT = "records", "/srv/hygie/records"
RECORD = MOUNT + "/patient-17"


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


def is_open(machine):
    """Whether the records are there to be read, as everybody's eyes see it."""
    return machine.run("mountpoint", "-q", MOUNT, check=False).returncode == 0


def make_store(screen, machine):
    """hygie store create, with somebody who notes the passphrase."""
    began = time.monotonic()
    command = ("hygie", "store", "create", STORE, "--group", STORE, USER, OTHER)
    screen.row(0, " ".join(command))
    with machine.terminal(*command) as terminal:
        terminal.expect(r"\r\n *([0-9A-Z]{4})(-[0-9A-Z]{4}){6}\s")
        first = terminal.match.group(1)
        terminal.expect(": $")
        terminal.sendline(first)
        terminal.expect(machines.pexpect.EOF)
    status = json.loads(machine.run("hygie", "store", "list", "--json").stdout)["stores"]
    expect("stores", [STORE], [one["store"] for one in status])
    screen.row(since(began), "a page with the recovery key, for the safe; its first group was typed "
               "back", "quiet")
    screen.row(None, "an encrypted folder; %s's and %s's cards open it, root does not" % (
        USER.capitalize(), OTHER.capitalize()))
    expect("open", False, is_open(machine))


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
    expect("records open", True, is_open(stage.machine))
    terminal.sendline("echo 'seen today' >%s; echo written''-$?-" % RECORD)
    terminal.expect(r"written-(\d+)-")
    expect("writing a record", "0", terminal.match.group(1))
    stage.screen.row(None, "the records were open before the shell was; Alex writes one", "good")
    stage.screen.felt("One PIN for both. From here on, the session is this card's.")


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
    machine.wait_until(lambda: not is_open(machine), "to shut the records")
    stage.screen.row(since(began), "the records are shut, %d s after the card went (ten minutes "
                     "unless set)" % GRACE, "good")
    expect("a record, by root", 1, machine.run("cat", RECORD, check=False).returncode)
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
    machine.wait_until(lambda: is_open(machine), "to open the records")
    stage.screen.row(since(began), "and the records with it", "good")
    stage.screen.felt("A card in the reader opens nothing by itself; its PIN does.")


def step_other(screen, machine):
    began = time.monotonic()
    screen.row(0, "login: %s" % OTHER)
    with machine.terminal("login", "-p", OTHER) as terminal:
        terminal.expect(r"PIN of [^:]*: ")
        expect("prompt", "PIN of %s: " % OTHER_PERSON, terminal.match.group(0))
        screen.said(since(began), terminal.match.group(0) + "(typed unseen)")
        terminal.sendline(machines.PIN)
        terminal.expect(r"\$ ")
        terminal.sendline("cat %s" % RECORD)
        terminal.expect("seen today")
        screen.row(since(began), "$ cat %s: seen today" % RECORD, "good")
        terminal.sendline("exit")
        terminal.expect(machines.pexpect.EOF)
    machine.wait_until(lambda: not is_open(machine), "to shut the records")
    screen.row(since(began), "Kim logs out, and they are shut", "good")
    screen.felt("Each has a card, none has a password to share, and there is a page in the safe.")


STORE_TITLE = "A workstation boots; the practice makes a store for its records"
STEPS = (
    ("Alex logs in on its console", step_log_in),
    ("Alex takes the card out and walks away", step_walk_away),
    ("Alex comes back", step_come_back),
)
OTHER_TITLE = "Alex leaves; Kim logs in and reads what Alex wrote"


def set_up(machine):
    """Two practitioners with cards. Returns the directories of these."""
    stacks.use(machine, "optional")
    machine.write("/etc/pam.d/locker", "@include common-auth\n@include common-account\n")
    machine.run("groupadd", STORE)
    contents = []
    for user, person in ((USER, PERSON), (OTHER, OTHER_PERSON)):
        machine.run("usermod", "-aG", STORE, user)
        contents.append(machine.make_card(user, "rsa2048", person=person))
        with machine.card(contents[-1]):
            machine.wait_ready()
            machine.enrol(user)
    return contents


def play_alex(stage, begin):
    with stage.machine.terminal("login", "-p", USER, seat=True) as stage.terminal:
        begin(STEPS[0][0])
        step_log_in(stage)
        with lock.obedient_locker(stage.machine, stage.session, user=USER):
            for title, step in STEPS[1:]:
                begin(title)
                step(stage)
        stage.machine.run("loginctl", "terminate-session", stage.session)
        stage.machine.wait_until(lambda: not is_open(stage.machine), "to shut the records")


def play(screen, home, first):
    """All steps, numbered from `first`; returns the last number. Raises what went wrong, with the
    number and the title as `step`."""
    begun = []

    def begin(title):
        begun.append(title)
        screen.heading(first + len(begun) - 1, title)

    booting = time.monotonic()
    try:
        with machines.Machine(home, CONFIG, users=(USER, OTHER)) as machine:
            alex, kim = set_up(machine)
            screen.blank()
            screen.paragraph("Now a whole machine: booted and set up in %.1f s, with systemd, "
                             "logind and Debian's login." % (time.monotonic() - booting))
            begin(STORE_TITLE)
            make_store(screen, machine)
            with machine.card(alex) as card:
                machine.wait_ready()
                play_alex(SessionStage(screen, machine, card), begin)
            with machine.card(kim):
                machine.wait_ready()
                begin(OTHER_TITLE)
                step_other(screen, machine)
        return first + len(begun) - 1
    except Exception as problem:
        problem.step = (first + max(len(begun), 1) - 1, (begun or [STORE_TITLE])[-1])
        raise
