# SPDX-License-Identifier: Apache-2.0
"""Plays the demonstration inside tests/enclave; see demo. The steps are in steps.py."""
import contextlib
import os
import pathlib
import re
import signal
import subprocess
import sys
import tempfile
import time
import traceback

sys.path[:0] = [str(pathlib.Path(__file__).resolve().parents[1])]

import screen as screens  # noqa: E402
import station as st  # noqa: E402
import session_steps  # noqa: E402
import steps  # noqa: E402

NOT_WHOLE = 3  # exit status: all that was shown is right, and something was not shown
LONGEST = 240  # seconds; it takes about ten, and more where the machine is busy
LOG_LINES = 25
PARTS = (("pcscd", "pcscd"), ("OpenSC", "opensc-pkcs11"), ("Linux-PAM", "libpam0g"),
         ("OpenSSL", "openssl"))


def version(package):
    done = subprocess.run(["dpkg-query", "-W", "-f", "${Version}", package],
                          capture_output=True, text=True, check=False)
    found = re.match(r"(?:\d+:)?([0-9.]+[0-9])", done.stdout)
    return found.group(1) if found else "(version unknown)"


def introduce(screen):
    hygie = subprocess.run(["hygie", "--version"], capture_output=True, text=True, check=True)
    screen.blank()
    screen.paragraph("%s: the professional card opens the workstation" %
                     hygie.stdout.strip().capitalize(), "heading")
    screen.blank()
    screen.paragraph(
        "It happens now, on a private copy of this machine that is gone afterwards. Real are "
        "%s. Simulated are the reader and the cards (PIV, RSA-2048; one of them bears a "
        "certificate in the French health card's format). The practitioners are invented." %
        ", ".join("%s %s" % (name, version(package)) for name, package in PARTS))
    screen.blank()
    screen.paragraph(
        "Times are milliseconds from what starts a step: a card put in, a command, a login. "
        "A script types the PINs, at once. Lines after | are what the person reads; = says "
        "what it means. Exchanges with the card are counted by the card; each takes a real "
        "chip longer than this one, which is why there are few.")


def explain(screen, station, number, title, problem):
    """What one needs to know when a step came out otherwise."""
    screen.blank()
    screen.verdict(False, "FAILED: step %d, %s" % (number, title))
    if isinstance(problem, steps.Unexpected):
        screen.lines(["  expected: %s" % problem.expected, "  came:     %s" % problem.came])
    else:
        screen.lines(["  " + line for line in
                      "".join(traceback.format_exception(problem)).rstrip().splitlines()[-12:]])
    log = station.log().splitlines()[-LOG_LINES:] if station else []
    screen.lines(["  the end of hygied's log:"] + ["  | " + line for line in log])


def on_alarm(_signal, _frame):
    raise steps.Unexpected("an end within %d s" % LONGEST, "still waiting")


def play(screen, home):
    """Sets up, plays all steps, takes down; the status to exit with."""
    began = time.monotonic()
    station = st.Station(home)
    stage = steps.Stage(screen, station)
    number, title = 0, "setting up the workstation"
    try:
        station.start()
        stage.prepare()
        screen.blank()
        screen.paragraph("Set up in %.1f s: pcscd, hygied, a CA for each kind of card, the "
                         "users camille and alex, three cards." % (time.monotonic() - began))
        for number, (title, step) in enumerate(steps.STEPS, 1):
            screen.heading(number, title)
            step(stage)
        stage.close()
    except Exception as problem:  # whatever it is, it is told, and it fails the run
        explain(screen, station, number, title, problem)
        return 1
    finally:
        signal.alarm(0)
        with contextlib.suppress(Exception):
            stage.close()
        station.stop()
    return play_session(screen, home, began)


def play_session(screen, home, began):
    """What needs a machine that boots; without one the demonstration is not whole."""
    first = len(steps.STEPS) + 1
    if not os.environ.get("HYGIE_MACHINE_ROOT"):
        screen.blank()
        screen.verdict(False, "Not shown: how a session is locked when its card is taken out. "
                       "That needs a machine to boot, which could not be made here (see above).")
        return NOT_WHOLE
    try:
        last = session_steps.play(screen, pathlib.Path(home, "machine"), first)
    except Exception as problem:
        explain(screen, None, *getattr(problem, "step", (first, "booting")), problem)
        return 1
    screen.blank()
    screen.verdict(True, "%d steps, and each came out as it should. %.0f s." %
                   (last, time.monotonic() - began))
    return 0


def main():
    signal.signal(signal.SIGALRM, on_alarm)
    signal.alarm(LONGEST)
    screen = screens.Screen()
    introduce(screen)
    with tempfile.TemporaryDirectory(prefix="hygie-demo-") as home:
        return play(screen, home)


if __name__ == "__main__":
    try:
        sys.exit(main())
    except KeyboardInterrupt:
        sys.exit(130)
