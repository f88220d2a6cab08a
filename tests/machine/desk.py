# SPDX-License-Identifier: Apache-2.0
"""A person's session with a screen, and `hygie session-lock` in it: opened by card and PIN on a
terminal, from which the display server is started, as one starts sway.

    with desk.open_x(machine) as at:
        at.start_lock("i3lock", "-c", "203040")
        card.remove()
        at.wait_locked()
        at.type(PIN)
        at.press("Return")
"""
import contextlib
import os
import pathlib
import re
import shlex

import lock
import machine as mc

FOLDER = mc.ROOT / os.environ.get("BUILD", "build") / "screens"
LOG = "/tmp/session-lock.log"
KEYS = "/tmp/keys"
NOTIFIED = "/tmp/notified"
DISPLAY = "/tmp/display"
PROMPT = "desk-is-ready"
SWAY_CONFIG = "output HEADLESS-1 resolution 1024x768\n"


class Desk:
    """What both kinds of screen have in common."""

    def __init__(self, machine, terminal, user="alice"):
        self.machine, self.terminal, self.user = machine, terminal, user
        self.environment = []
        self.session = None

    def log_in(self):
        self.terminal.expect("PIN")
        self.terminal.sendline(mc.PIN)
        self.terminal.expect(r"\$ ")
        self.terminal.sendline("PS1=%s''%s" % (PROMPT[:4], PROMPT[4:]))
        self.terminal.expect_exact(PROMPT)
        self.shell("echo session''=$XDG_SESSION_ID=$XDG_RUNTIME_DIR=")
        self.session, folder = self.shell_match(r"session=([^=]+)=([^=]+)=")
        self.environment.append("XDG_RUNTIME_DIR=" + folder)

    def shell(self, line):
        """A line of the person's shell, in the session; waits until it is done."""
        self.terminal.sendline(line + "; echo done''-$?-")
        self.terminal.expect(r"done-(\d+)-")
        self.said, status = self.terminal.before, int(self.terminal.match.group(1))
        self.terminal.expect_exact(PROMPT)
        return status

    def shell_match(self, pattern):
        return re.search(pattern, self.said).groups()

    def run(self, *argv, **options):
        """A command as the person, on this screen."""
        return self.machine.run(*argv, user=self.user, environment=self.environment, **options)

    def start_aside(self, command, log="/dev/null"):
        """In the session, from its shell; its pid."""
        assert self.shell("%s >%s 2>&1 & echo pid''=$!=" % (command, log)) == 0
        return self.shell_match(r"pid=(\d+)=")[0]

    def text(self, path):
        """Of a file that may not be there yet."""
        return self.machine.run("cat", path, check=False).stdout

    # What the person does and sees.
    def keys(self):
        """The keys that reached the client underneath, so far."""
        return self.machine.run("grep", "-oE", self.KEY, KEYS, check=False).stdout.split()

    def wait_key(self, key):
        """Presses it, and waits until it reaches the client underneath."""
        count = self.keys().count(key)
        self.press(key)
        self.machine.wait_until(lambda: self.keys().count(key) > count, "until %s arrived" % key)

    def picture(self, name):
        """build/screens/NAME.png"""
        FOLDER.mkdir(parents=True, exist_ok=True)
        self.run(*self.CAMERA, "/tmp/desk.png")
        (FOLDER / (name + ".png")).write_bytes(
            pathlib.Path("/proc/%d/root/tmp/desk.png" % self.machine.pid).read_bytes())
        self.machine.run("rm", "/tmp/desk.png")

    # hygie session-lock.
    def start_lock(self, *locker, environment=""):
        """Returns its pid once Lock is heard and hygied knows of it."""
        self.shell("rm -f " + LOG)
        pid = self.start_aside("%s hygie session-lock %s" % (environment, shlex.join(locker)), LOG)
        for line in ("is heard", "hygied knows"):
            self.wait_log(line)
        return pid

    def start_notified(self):
        """A desktop's notifications, on the person's bus."""
        program = (mc.ROOT / os.environ.get("BUILD", "build") / "tests" / "notified").read_bytes()
        pathlib.Path("/proc/%d/root/usr/local/bin/notified" % self.machine.pid).write_bytes(program)
        self.machine.run("chmod", "755", "/usr/local/bin/notified")
        self.start_aside("notified", NOTIFIED)
        self.machine.wait_until(lambda: self.text(NOTIFIED).startswith("ready\n"),
                                "to show notifications")

    def notified(self):
        return self.text(NOTIFIED).splitlines()[1:]

    def log(self):
        return self.text(LOG)

    def wait_log(self, text, times=1):
        self.machine.wait_until(lambda: self.log().count(text) >= times,
                                "to say \"%s\": %s" % (text, self.log()))

    def phase(self):
        return lock.known(self.machine).get(self.session, {}).get("phase")

    def wait_phase(self, *phases):
        self.machine.wait_until(lambda: self.phase() in phases,
                                "until the session was %s: %s\n%s" % (phases, self.phase(), self.log()))

    def wait_hint(self, locked):
        self.machine.wait_until(lambda: lock.hint(self.machine, self.session) == locked,
                                "until LockedHint was %s: %s" % (locked, self.log()))

    def lockers(self, name):
        """Processes of that name, as pids."""
        return self.machine.run("pgrep", "-x", name, check=False).stdout.split()


class X(Desk):
    CAMERA = ("scrot", "--overwrite")
    KEY = r"Key(Press|Release)|keysym 0x[0-9a-f]+, \w+"

    def start_screen(self):
        self.start_aside("Xvfb -displayfd 3 -screen 0 1024x768x24 -nolisten tcp 3>%s" % DISPLAY)
        self.machine.wait_until(lambda: self.text(DISPLAY).endswith("\n"), "to start the X server")
        display = "DISPLAY=:" + self.text(DISPLAY).strip()
        self.environment.append(display)
        self.shell("export " + display)
        self.start_aside("stdbuf -oL xev -event keyboard -geometry 1024x768+0+0", KEYS)
        self.run("xdotool", "search", "--sync", "--onlyvisible", "--name", "Event Tester",
                 "windowfocus", "--sync")

    def keys(self):
        """Those pressed here: of one that opened the locker, only the release arrives."""
        words = super().keys()
        return [words[i + 3] for i, word in enumerate(words[:-3]) if word == "KeyPress"]

    def wait_grabbed(self):
        """Until another client holds the keyboard: a key does not arrive."""
        def grabbed():
            count = len(self.keys())
            self.press("g")
            self.press("g")
            return len(self.keys()) == count
        self.machine.wait_until(grabbed, "until the keyboard was taken")

    def type(self, text):
        self.run("xdotool", "type", "--delay", "1", text)

    def press(self, key):
        self.run("xdotool", "key", key)


class Sway(Desk):
    CAMERA = ("grim",)
    KEY = r"\(pressed\)|sym: \w+"

    def start_screen(self):
        self.machine.write("/etc/sway/desk", SWAY_CONFIG +
                           "exec sh -c 'echo $WAYLAND_DISPLAY >%s'\n"
                           "exec stdbuf -oL wev >%s\n" % (DISPLAY, KEYS))
        self.shell("export WLR_BACKENDS=headless WLR_LIBINPUT_NO_DEVICES=1 WLR_RENDERER=pixman")
        self.start_aside("sway -c /etc/sway/desk")
        self.machine.wait_until(lambda: self.text(DISPLAY).endswith("\n"), "to start sway")
        display = "WAYLAND_DISPLAY=" + self.text(DISPLAY).strip()
        self.environment.append(display)
        self.shell("export " + display)
        # The seat has a keyboard as long as somebody holds one.
        self.start_aside("wtype -s 2000000000")
        self.machine.wait_until(lambda: "wl_keyboard] enter" in self.text(KEYS),
                                "until there was a keyboard")

    def keys(self):
        words = super().keys()
        return [after for one, after in zip(words, words[2:]) if one == "(pressed)"]

    def type(self, text):
        self.run("wtype", text)

    def press(self, key):
        self.run("wtype", "-k", key)


@contextlib.contextmanager
def _opened(machine, kind):
    """The card of alice is in."""
    machine.run("rm", "-f", DISPLAY, KEYS, LOG, NOTIFIED)
    with machine.terminal("login", "-p", "alice", seat=True) as terminal:
        desk = kind(machine, terminal)
        desk.log_in()
        machine.wait_ready()
        try:
            desk.start_screen()
            yield desk
        finally:
            # However it is, locked or ended, nothing of it is left for the next one.
            # The service manager of the user stays: a login finds its folder ready.
            machine.run("loginctl", "kill-session", "--signal=KILL", desk.session, check=False)
    machine.wait_until(lambda: not lock.exists(machine, desk.session), "to end the session")


def open_x(machine):
    return _opened(machine, X)


def open_sway(machine):
    return _opened(machine, Sway)


def hints(bus, session):
    """What LockedHint became, in order, since the bus is listened to."""
    bus.read(0)
    found = []
    for one in bus.seen:
        if one.get("member") == "PropertiesChanged" and one.get("path") == lock.path_of(session):
            changed = one["payload"]["data"][1]
            if "LockedHint" in changed:
                found.append(changed["LockedHint"]["data"])
    return found
