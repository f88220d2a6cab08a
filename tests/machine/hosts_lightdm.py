# SPDX-License-Identifier: Apache-2.0
"""lightdm and its GTK greeter on Xvfb, keys typed into it. The greeter's own log, with its
debugging on, tells when it shows a prompt, and how long the text is."""
import pathlib
import re

import hosts
import machine as mc
import screens

DISPLAY = "20"
AUTHORITY = "/var/run/lightdm/root/:" + DISPLAY
OUT = "/tmp/x-door-out"
LOG = "/var/log/lightdm/seat0-greeter.log"
XSERVER, XDOOR = "/usr/local/bin/xserver", "/usr/local/bin/x-door"
CONFIG = """[LightDM]
logind-check-graphical=false
minimum-display-number=%s
[Seat:*]
xserver-command=%s
greeter-session=lightdm-gtk-greeter
greeter-hide-users=true
session-wrapper=/usr/bin/env
user-session=door
""" % (DISPLAY, XSERVER)
# There are no virtual terminals, and no seat for the X server.
XSERVER_TEXT = """#!/bin/bash
words=()
while [ $# -gt 0 ]; do
	case $1 in
	vt*|-novtswitch) ;;
	-seat) shift ;;
	*) words+=("$1") ;;
	esac
	shift
done
exec Xvfb "${words[@]}" -screen 0 1024x768x24
"""
NO_VT = "session required pam_env.so conffile=/etc/security/no-vt.conf\n"
CANCEL = ("402", "446")  # its button, below a message
BARE = 20  # bytes of a message of lightdm's without the user's name and the text
PIN_PROMPT, PASSWORD_PROMPT = "PIN of %s Specimen: ", "Password: "
# What comes before the same words when the last PIN was refused just now.
AFTER_WRONG, AFTER_UNFIT = "Wrong PIN. Once more, ", "That cannot be the PIN, and no try was spent. "
EVENT = re.compile(r"Starting authentication for user (?P<user>\S+?)\.\.\.|"
                   r"Read (?P<size>\d+) bytes from daemon\s[^\n]*Prompt user with 1 message|"
                   r"Authentication complete for user .* with return code (?P<code>\d+)")


class Greeter(screens.Screen):
    """What lightdm shows."""
    CAMERA = screens.X.CAMERA
    type, press = screens.X.type, screens.X.press
    environment = ("DISPLAY=:" + DISPLAY, "XAUTHORITY=" + AUTHORITY)

    def start(self):
        """Anew: whatever was going on ends."""
        self.stop()
        self.machine.run("rm", "-f", LOG, OUT, "/tmp/.X%s-lock" % DISPLAY)
        self.machine.run("systemctl", "reset-failed", "lightdm.service", check=False)
        self.machine.run("systemctl", "start", "lightdm.service")
        self.told = 0

    def stop(self):
        """All that lightdm runs, at once: asked politely it may wait for its children."""
        self.machine.run("systemctl", "kill", "--signal=KILL", "lightdm.service", check=False)
        self.machine.run("systemctl", "stop", "lightdm.service")
        self.machine.run("loginctl", "terminate-seat", "seat0", check=False)

    def log(self):
        path = pathlib.Path("/proc/%d/root%s" % (self.machine.pid, LOG))
        return path.read_text(errors="replace") if path.exists() else ""

    def next(self):
        """The next event: ("start", user), ("text", its length with the user's name), ("end",
        code)."""
        def found():
            events = list(EVENT.finditer(self.log()))
            return events[self.told:self.told + 1]
        self.machine.wait_until(found, "to show the greeter")
        event = found()[0]
        self.told += 1
        if event["user"]:
            return "start", event["user"]
        if event["code"]:
            return "end", event["code"]
        return "text", int(event["size"])

    def texts(self, user, count):
        """The lengths of the next texts that PAM shows that user."""
        lengths = []
        while len(lengths) < count:
            kind, value = self.next()
            if kind == "text":
                lengths.append(value - BARE - len(user))
        return lengths

    def window(self):
        """Its window as a picture, once it does not change any more."""
        def settled():
            last, self.seen = self.seen, self.camera("--autoselect", "200,250,624,260")
            return self.seen == last
        self.seen = None
        self.machine.wait_until(settled, "to draw the greeter")
        return self.seen

    def next_prompt(self, user):
        """Until it asks: "PIN", "password", or the code of the end. What is said for the
        holder's PIN comes before its prompt; of the others only the password's is so short."""
        bare = BARE + len(user)
        prompt, last = bare + len(PIN_PROMPT % user), None
        while True:
            kind, value = self.next()
            if kind == "end":
                return value
            if kind == "text" and value == bare + len(PASSWORD_PROMPT):
                return "password"
            if (kind, value) == ("text", prompt) and last in (
                    prompt, prompt + len(AFTER_WRONG), prompt + len(AFTER_UNFIT)):
                return "PIN"
            last = value

    def enter_name(self, user):
        """Where a name is asked for first. Its prompt is a text, too."""
        while self.next()[0] != "text":
            pass
        self.type(user)
        self.press("Return")
        while self.next() != ("start", user):
            pass


class Lightdm(hosts.Host):
    """A name and what is asked for then, typed into the greeter. Open means that a session runs."""
    name = "lightdm"

    def set_up(self, machine):
        machine.write(XSERVER, XSERVER_TEXT, mode="755")
        machine.write(XDOOR, "#!/bin/sh\n%s >%s.new && mv %s.new %s\nexec sleep infinity\n"
                      % (hosts.DOOR, OUT, OUT, OUT), mode="755")
        machine.run("mkdir", "-p", "/etc/lightdm/lightdm.conf.d")
        machine.write("/etc/lightdm/lightdm.conf.d/50-doors.conf", CONFIG)
        machine.write("/etc/lightdm/lightdm-gtk-greeter.conf", "[greeter]\nallow-debugging=true\n")
        machine.write("/usr/share/xsessions/door.desktop", "[Desktop Entry]\nName=door\n"
                      "Exec=%s\nType=Application\n" % XDOOR)
        machine.run("mkdir", "-p", "/etc/gtk-3.0")
        machine.write("/etc/gtk-3.0/settings.ini", "[Settings]\ngtk-cursor-blink=0\n")
        machine.write("/etc/security/no-vt.conf", "XDG_VTNR DEFAULT=0 OVERRIDE=0\n")
        for service in ("lightdm", "lightdm-greeter"):
            path = "/etc/pam.d/" + service
            machine.write(path, NO_VT + machine.read(path))

    def open(self, machine, user, answer):
        with Greeter(machine) as greeter:
            greeter.enter_name(user)
            return self.answer(greeter, user, answer)

    def answer(self, greeter, user, answer, asked=None):
        """asked: the prompt that is shown already."""
        password = False
        while True:
            asked = asked or greeter.next_prompt(user)
            if asked == "0":
                greeter.machine.wait_until(
                    lambda: greeter.machine.run("test", "-e", OUT, check=False).returncode == 0,
                    "to start a session")
                text = greeter.machine.read(OUT)
                return hosts.Visit("open-for-" + user in text, text, password)
            if asked not in ("PIN", "password"):
                return hosts.Visit(False, "return code " + asked, password)
            if answer.hang_up:
                greeter.run("xdotool", "mousemove", *CANCEL, "click", "1")
                while greeter.next()[0] != "start":
                    pass
                return hosts.Visit(False, "cancelled", password)
            password = password or asked == "password"
            greeter.type(answer.pin if asked == "PIN" else answer.password)
            greeter.press("Return")
            asked = None
