# SPDX-License-Identifier: Apache-2.0
"""Screens of the booted machine: an X server that shows nothing to anybody, keys typed into it as
from its keyboard, pictures of it, and a client underneath that tells which keys reach it.

    with screens.X(machine) as screen:
        screen.type("123456")
        screen.press("Return")
        assert screen.reached() == []       # by what a locker let through
        screen.picture("i3lock")            # build/screens/i3lock.png
"""
import os
import pathlib
import re
import select
import subprocess
import time

import machine as mc

FOLDER = mc.ROOT / os.environ.get("BUILD", "build") / "screens"
FENCE = "F12"  # no locker means anything by it


class Underneath:
    """A client of the screen that has the keyboard unless something takes it away, by its
    process, which prints what `pattern` finds for each key."""

    def __init__(self, process, pattern):
        self.process, self.pattern, self.text = process, re.compile(pattern), ""

    def wait(self, found, what):
        """Until found(text) is true; returns that."""
        deadline = time.monotonic() + mc.PATIENCE
        stream = self.process.stdout.fileno()
        while not (result := found(self.text)):
            left = deadline - time.monotonic()
            assert left > 0, "the client underneath did not get " + what
            if select.select([stream], [], [], left)[0]:
                piece = os.read(stream, 65536)
                assert piece, "the client underneath ended"
                self.text += piece.decode(errors="replace")
        return result

    def wait_key(self, key):
        """Until it got that key; returns the ones before it, and forgets all of them."""
        keys = self.wait(lambda text: [k for k in [self.pattern.findall(text)] if key in k], key)[0]
        self.text = ""
        return keys[:keys.index(key)]


class Screen:
    """What X and Wayland have in common. `environment`: for its clients."""
    environment = ()

    def __init__(self, machine):
        self.machine = machine
        self.underneath = None
        self.running = []

    def __enter__(self):
        try:
            self.start()
        except BaseException:
            self.stop()
            raise
        return self

    def __exit__(self, *_):
        self.stop()

    def stop(self):
        """The server ends, and its clients with it."""
        for name in self.PROCESSES:
            self.machine.run("pkill", "-x", name, check=False)
        for process in self.running:
            process.wait(mc.PATIENCE)
            process.stdout.close()

    def aside(self, *argv, **options):
        """A process that goes on, with its standard output on a pipe."""
        process = self.machine.start_aside(*argv, environment=self.environment,
                                           stdout=subprocess.PIPE, **options)
        self.running.append(process)
        return process

    def run(self, *argv, **options):
        return self.machine.run(*argv, environment=self.environment, **options)

    def reached(self):
        """The keys that the client underneath got since it was asked last. No screen may be
        locked: the key that is pressed now has to reach it."""
        self.press(FENCE)
        return self.underneath.wait_key(FENCE)

    def camera(self, *options):
        """A picture, as PNG."""
        self.run(*self.CAMERA, *options, "/tmp/screen.png")
        path = pathlib.Path("/proc/%d/root/tmp/screen.png" % self.machine.pid)
        content = path.read_bytes()
        path.unlink()
        return content

    def picture(self, name):
        """build/screens/NAME.png"""
        FOLDER.mkdir(parents=True, exist_ok=True)
        path = FOLDER / (name + ".png")
        path.write_bytes(self.camera())
        return path


class X(Screen):
    """Xvfb, which every user of the machine may be a client of."""
    PROCESSES = ("Xvfb", "xev")
    CAMERA = ("scrot", "--overwrite")
    KEY = r"KeyPress event[^\n]*\n[^\n]*\n[^\n]*keysym 0x\w+, (\w+)\)"

    def start(self):
        server = self.aside("Xvfb", "-displayfd", "1", "-screen", "0", "1024x768x24", "-ac",
                            "-nolisten", "tcp", stderr=subprocess.DEVNULL)
        self.environment = ("DISPLAY=:" + server.stdout.readline().decode().strip(),)
        xev = self.aside("xev", "-event", "keyboard", "-geometry", "1024x768+0+0", user="mallory")
        self.underneath = Underneath(xev, self.KEY)
        self.run("xdotool", "search", "--sync", "--onlyvisible", "--name", "Event Tester",
                 "windowfocus", "--sync")
        assert self.reached() == []

    def type(self, text):
        self.run("xdotool", "type", "--delay", "1", text)

    def press(self, key):
        self.run("xdotool", "key", key)


class Sway(Screen):
    """sway with an output in memory. Its seat has a keyboard for as long as a client holds one:
    one does, so that a key that is typed is not the one that plugs it in."""
    PROCESSES = ("sway", "wev", "wtype")
    CAMERA = ("grim",)
    KEY = r"key: serial[^\n]*\(pressed\)\s+sym: (\w+)"
    FOLDER = "/run/wayland"
    CONFIG = """output HEADLESS-1 resolution 1024x768
exec sh -c 'chmod 777 %s/$WAYLAND_DISPLAY; echo display $WAYLAND_DISPLAY; exec stdbuf -oL wev'
""" % FOLDER
    FOR_EVER = "2000000000"  # milliseconds

    def start(self):
        self.machine.run("install", "-d", "-o", "mallory", self.FOLDER)
        self.machine.write("/etc/sway/screen", self.CONFIG)
        self.environment = ("XDG_RUNTIME_DIR=" + self.FOLDER, "WLR_BACKENDS=headless",
                            "WLR_RENDERER=pixman", "WLR_LIBINPUT_NO_DEVICES=1")
        server = self.aside("sway", "-c", "/etc/sway/screen", user="mallory",
                            stderr=subprocess.DEVNULL)
        name = server.stdout.readline().decode().partition("display ")[2].strip()
        self.environment = ("WAYLAND_DISPLAY=%s/%s" % (self.FOLDER, name),)
        self.aside("wtype", "-s", self.FOR_EVER, user="mallory")
        self.underneath = Underneath(server, self.KEY)
        self.underneath.wait(lambda text: "wl_keyboard] enter" in text, "the keyboard")
        assert self.reached() == []

    def type(self, text):
        self.run("wtype", text)

    def press(self, key):
        self.run("wtype", "-k", key)
