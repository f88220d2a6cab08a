# SPDX-License-Identifier: Apache-2.0
"""The steps of the demonstration. Each does one thing that happens in a practice, shows it
with its times, and raises Unexpected where it came out otherwise than it must.
"""
import contextlib
import hashlib
import shlex
import time

import fr_igc_sante
import pamclient as pam
import pivcard
import pivclient
import station as st
import watched

SERVICE = "workstation"
HOLDER = [("CN", fr_igc_sante.RPPS), ("SN", "SPECIMEN"), ("GN", "Camille")]
PIN, WRONG_PIN, WRONG_AGAIN = st.PIN, "654321", "111111"
SECURITY_STATUS_NOT_SATISFIED = 0x6982
PAM_CODES = {
    pam.PAM_SUCCESS: ("PAM_SUCCESS", "logged in as"),
    pam.PAM_AUTH_ERR: ("PAM_AUTH_ERR", "refused"),
    pam.PAM_USER_UNKNOWN: ("PAM_USER_UNKNOWN", "no card opens this account"),
    pam.PAM_MAXTRIES: ("PAM_MAXTRIES", "the card is blocked"),
    pam.PAM_AUTHINFO_UNAVAIL: ("PAM_AUTHINFO_UNAVAIL", "no card, or no card service"),
    pam.PAM_CONV_ERR: ("PAM_CONV_ERR", "given up"),
    pam.PAM_SYSTEM_ERR: ("PAM_SYSTEM_ERR", "a fault of the set-up"),
}


class Unexpected(Exception):
    def __init__(self, expected, came):
        super().__init__("expected %s, came %s" % (expected, came))
        self.expected, self.came = expected, came


def expect(what, expected, came):
    if came != expected:
        raise Unexpected("%s %r" % (what, expected), repr(came))


def expect_text(part, text):
    if part not in text:
        raise Unexpected("a text with %r" % part, repr(text))


def plural(count, word):
    return "%d %s%s" % (count, word, "" if count == 1 else "s")


class Stage:
    """What the steps share: the screen, the workstation, the card that is in the reader."""

    def __init__(self, screen, station):
        self.screen, self.station = screen, station
        self.camille = self.alex = self.clone = None  # cards' contents
        self.card = None
        self.inside = contextlib.ExitStack()

    def prepare(self):
        for user in ("camille", "alex"):
            st.add_user(user)
        st.write_service(SERVICE)
        station = self.station
        self.camille = station.make_card("camille", scheme="fr-igc-sante", holder=HOLDER)
        self.alex = station.make_card("alex", person="Alex Specimen")
        self.clone = pivcard.make_card(
            station.home / "clone", {"9a": station.keys.key("rsa2048", "another")},
            station.keys, certificates={"9a": self.camille / "9a.crt"}, pin=PIN)

    def close(self):
        self.card = None
        self.inside.close()

    # Cards in and out.
    def insert(self, content, owner):
        """Puts the card in and shows how it comes to be ready."""
        if self.card:
            self.close()
        card = self.inside.enter_context(self.station.card(content, absent=True))
        seen = self.station.log().count("card inserted")
        began = time.monotonic()
        card.insert()
        self.screen.row(0, "%s card is put in" % owner)
        self.station.wait_log("card inserted", count=seen + 1)
        self.screen.row((time.monotonic() - began) * 1000,
                        "the reader has noticed (this virtual one: within 400 ms)", "quiet")
        self.station.wait_ready()
        self.screen.row((time.monotonic() - began) * 1000,
                        "read, its certificate checked, ready for a PIN; %s with the card" %
                        plural(card.count(), "exchange"))
        self.card = card
        expect("PINs that reached the card:", 0, card.verify_count())

    def settled(self):
        """Until the card is ready for the next login; nothing is counted before it."""
        self.station.wait_ready()
        self.card.reset_count()

    # What is shown of a program or a login.
    def moments(self, done):
        for at, kind, text in done.moments:
            if kind == "event":
                self.screen.row(at, text)
            else:
                self.screen.said(at, text + "(typed unseen)" if kind == "prompt" else text)

    def run(self, *command, answers=(), status=0):
        """A command on a terminal; shows it and what it says."""
        self.screen.row(0, "# " + shlex.join(command))
        done = watched.run(command, answers)
        self.moments(done)
        expect("exit status", status, done.status)
        return done

    def login(self, user, answers, code, text="", prompts=1):
        """A login without a program around it; shows what is said and PAM's answer."""
        self.screen.row(0, "login as %s" % user if user else "login, no user name given")
        done = watched.login(SERVICE, user, answers)
        self.moments(done)
        name, meaning = PAM_CODES.get(done.status, ("PAM code %d" % done.status, "refused"))
        if done.status == pam.PAM_SUCCESS:
            meaning += " " + done.user
        self.screen.row(done.ended, "%s: %s" % (name, meaning),
                        "good" if done.status == pam.PAM_SUCCESS else "refused")
        expect("from PAM", PAM_CODES[code][0], name)
        expect_text(text, done.text)
        expect("number of prompts", prompts, len(done.prompts()))
        return done

    # What the card counted.
    def counted(self, pins, signatures, tries):
        """Waits until the card rests, then holds it to what it must have seen."""
        self.station.wait_ready()
        card = self.card
        expect("PINs that reached the card:", pins, card.verify_count())
        expect("uses of its key:", signatures, card.sign_count())
        expect("tries left on the card:", tries, card.tries())
        expect("PIN still open on the card:", False, card.verified())

    def exchanges(self):
        """(all, from the PIN on) of the login since reset_count, told by the card's log.

        What comes behind the signature is the successor reading the card for the next one.
        """
        names = [apdu.name for apdu in self.card.log()]
        pin = names.index("VERIFY")
        end = pin + 1
        while end < len(names) and names[end] in ("GENERAL-AUTHENTICATE", "GET-RESPONSE"):
            end += 1
        return end, end - pin


def step_insert(stage):
    stage.insert(stage.camille, "Camille's")
    reader = next(r for r in stage.station.status()["readers"] if r["state"] == "ready")
    expect("holder", "Camille SPECIMEN", reader["holder"])
    expect("trust", "ok", reader["trust"])
    stage.screen.felt("Nothing: the card is read before anybody asks for it.")


def step_enrol(stage):
    stage.settled()
    done = stage.run("hygie", "enroll", "camille", answers=[PIN])
    for part in ("Camille SPECIMEN", fr_igc_sante.RPPS, "AC IGC-SPECIMEN FORT PERSONNES",
                 "enrolled"):
        expect_text(part, done.text)
    # A signature, and three ways of encrypting to an RSA key.
    stage.counted(pins=1, signatures=1 + 3, tries=3)
    cards = stage.station.run("cards")[1]["enrolments"]
    expect("enrolments", [("camille", fr_igc_sante.RPPS, "active")],
           [(card["user"], card["person_id"], card["state"]) for card in cards])
    stage.screen.felt("The administrator sees who is on the card before the PIN is typed; the "
                      "card proved that it holds the key, and can open records. %.0f ms after the PIN it is "
                      "enrolled." % done.after_answer())


def step_login(stage):
    stage.settled()
    done = stage.run("pamtester", SERVICE, "camille", "authenticate", "acct_mgmt",
                     answers=[PIN])
    expect("prompts", ["PIN of Camille SPECIMEN: "], done.prompts())
    expect_text("successfully authenticated", done.text)
    expect_text("account management done", done.text)
    stage.station.wait_ready()
    total, from_pin = stage.exchanges()
    stage.screen.row(None, "%s with the card, %d of them from the PIN on" %
                     (plural(total, "exchange"), from_pin))
    stage.counted(pins=1, signatures=1, tries=3)
    stage.screen.felt("Asked for the PIN after %.0f ms, logged in %.0f ms after typing it." %
                      (done.prompt_after(), done.after_answer()))


def step_rival(stage):
    """Right after a login: the state in which other software leaves the key open."""
    stage.settled()
    began = time.monotonic()
    stage.screen.row(0, "a program of another user asks the same card for a signature")
    with st.rival() as pcsc, pcsc.connect(stage.station.pcscd.readers[0]) as card, \
            card.transaction():
        pivclient.select(card)
        block = pivclient.pkcs1_block(hashlib.sha256(b"an order in Camille's name").digest())
        _, sw = pivclient.authenticate(card, "9a", "rsa2048", block)
    stage.screen.row((time.monotonic() - began) * 1000,
                     "the card refuses (%04X: PIN required)" % sw, "refused")
    expect("the card's status word", "6982", "%04X" % sw)
    expect("uses of its key:", 0, stage.card.sign_count())
    stage.screen.felt("A PIN serves the one login it was typed for, and nothing after it.")


def step_wrong_pin(stage):
    stage.settled()
    done = stage.login("camille", [WRONG_PIN], pam.PAM_AUTH_ERR, "Wrong PIN.")
    stage.counted(pins=1, signatures=0, tries=2)
    stage.screen.row(None, "tries left on the card: 2 of 3; one typed, one spent")
    stage.screen.felt("Refused %.0f ms after the PIN. Nothing is retried in secret." %
                      done.after_answer())


def step_last_try(stage):
    stage.settled()
    stage.login("camille", [WRONG_AGAIN], pam.PAM_AUTH_ERR, "another wrong PIN blocks the card")
    stage.counted(pins=1, signatures=0, tries=1)
    stage.settled()
    done = stage.login("camille", [PIN], pam.PAM_SUCCESS, "One try is left")
    expect_text("Last try", done.prompts()[0])
    stage.counted(pins=1, signatures=1, tries=3)
    stage.screen.row(None, "tries left on the card: 3 of 3 again")
    stage.screen.felt("The last try is typed knowingly, or not at all.")


def step_pulled(stage):
    stage.settled()
    station, card = stage.station, stage.card

    def pull(dialogue):
        before = station.log().count("card removed")
        card.remove()
        dialogue.note("event", "the card is pulled out; the prompt still stands")
        station.wait_log("card removed", count=before + 1)
        dialogue.note("event", "hygied has noticed; now the PIN is typed all the same")
        return PIN

    done = stage.login("camille", [pull], pam.PAM_AUTH_ERR, "The card was taken out")
    expect("PINs that reached the card:", 0, card.verify_count())
    stage.screen.row(None, "the PIN went nowhere: none reached the card")
    stage.screen.felt("Refused %.0f ms after the PIN, with the reason." % done.after_answer())


def step_next_person(stage):
    stage.insert(stage.alex, "Alex's")
    stage.settled()
    stage.station.enrol("alex", PIN)
    stage.screen.row(None, "enrolled for the user alex, by a script (--pin-stdin)")
    stage.settled()
    done = stage.login(None, [PIN], pam.PAM_SUCCESS)
    expect("prompts", ["PIN of Alex Specimen: "], done.prompts())
    expect("user", "alex", done.user)
    stage.station.wait_ready()
    total, from_pin = stage.exchanges()
    stage.screen.row(None, "%s with the card, %d of them from the PIN on" %
                     (plural(total, "exchange"), from_pin))
    stage.counted(pins=1, signatures=1, tries=3)
    stage.screen.felt("No name to type: the card says who. Logged in %.0f ms after the PIN." %
                      done.after_answer())


def step_other_account(stage):
    stage.settled()
    done = stage.login("camille", [PIN], pam.PAM_AUTH_ERR, "belongs to another user", prompts=0)
    stage.counted(pins=0, signatures=0, tries=3)
    stage.screen.row(None, "no PIN was asked for, none reached the card")
    stage.screen.felt("Alex's card does not open Camille's account: %.0f ms." % done.ended)


def step_clone(stage):
    stage.insert(stage.clone, "A forged")
    stage.settled()
    done = stage.login("camille", [PIN], pam.PAM_AUTH_ERR, "could not prove")
    stage.counted(pins=1, signatures=1, tries=3)
    stage.screen.row(None, "it showed Camille's own certificate, took the PIN, and signed; the "
                     "signature is not by her key")
    stage.screen.felt("A certificate is public; only the key in the chip counts. Refused "
                      "%.0f ms after the PIN." % done.after_answer())


def step_revoke(stage):
    stage.run("hygie", "revoke", "--user", "camille", "--reason", "card lost")
    stage.insert(stage.camille, "Camille's")
    stage.settled()
    stage.login("camille", [PIN], pam.PAM_AUTH_ERR, "revoked", prompts=0)
    stage.login(None, [PIN], pam.PAM_AUTH_ERR, "revoked", prompts=0)
    stage.counted(pins=0, signatures=0, tries=3)
    stage.screen.felt("From the next login on, without a restart. The PIN is not even asked.")


STEPS = (
    ("Camille puts her card into the reader", step_insert),
    ("The administrator enrols it for the user camille", step_enrol),
    ("Camille logs in (pamtester, an ordinary PAM program)", step_login),
    ("Another program tries to use the card after her login", step_rival),
    ("A wrong PIN", step_wrong_pin),
    ("A second wrong PIN; then the last try", step_last_try),
    ("The card is pulled out while the PIN prompt waits", step_pulled),
    ("The next practitioner, Alex, with a PIV card and no user name", step_next_person),
    ("Alex's card for Camille's account", step_other_account),
    ("A copy of Camille's certificate on a card with another key", step_clone),
    ("Camille's card is lost: the administrator revokes it", step_revoke),
)
