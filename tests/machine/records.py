# SPDX-License-Identifier: Apache-2.0
"""A record store on the booted machine, made without Hygie: openssl's keys, gocryptfs's folder,
and the test tool that seals the envelope.

    store = Records(machine, {"alice": KEY, "bob": KEY}, others=98)
    store.is_open(), store.wait_open(), store.wait_shut(), store.status()
"""
import base64
import contextlib
import ctypes
import hashlib
import json
import os
import pathlib
import socket
import subprocess

import machine as mc

TOOL = mc.ROOT / os.environ.get("BUILD", "build") / "tests" / "envelope-tool"
GROUP = "records"


def spki(key):
    """SHA-256 of the key's SubjectPublicKeyInfo, in hexadecimal."""
    der = subprocess.run(["openssl", "pkey", "-in", key, "-pubout", "-outform", "DER"],
                         capture_output=True, check=True).stdout
    return hashlib.sha256(der).hexdigest()


def outside_pid(machine, pid):
    """The pid, as seen from here, of a process of the machine."""
    space = os.readlink("/proc/%d/ns/pid" % machine.pid)
    for entry in pathlib.Path("/proc").iterdir():
        try:
            if entry.name.isdigit() and os.readlink(entry / "ns/pid") == space and \
                    (entry / "status").read_text().split("NSpid:")[1].split("\n")[0].split()[-1] \
                    == str(pid):
                return int(entry.name)
        except OSError:
            pass
    raise AssertionError("no process %d in the machine" % pid)


@contextlib.contextmanager
def borrowed_socket(pid, number):
    """Another process's socket (pidfd_getfd)."""
    process = os.pidfd_open(pid)
    try:
        descriptor = ctypes.CDLL(None, use_errno=True).syscall(438, process, number, 0)
        assert descriptor >= 0, os.strerror(ctypes.get_errno())
    finally:
        os.close(process)
    with socket.socket(fileno=descriptor) as connection:
        yield connection


class Records:
    def __init__(self, machine, holders, name="records", others=0):
        """`holders`: {user: RSA key file}. `others`: holders before them, who have an EC key
        each and never log in."""
        self.machine, self.name = machine, name
        self.mount = "/srv/hygie/" + name
        self.folder = "/var/lib/hygie/store/" + name
        self.secret = base64.b64encode(os.urandom(32)).decode()
        for user in holders:
            machine.run("usermod", "-aG", GROUP, user)
        machine.run("sh", "-ec", "umask 077; mkdir -p '%s/cipher' '%s/holders'; umask 022; "
                    "mkdir -p /srv/hygie; mkdir -m 700 '%s'; chgrp %s '%s/cipher'; "
                    "chmod 2770 '%s/cipher'; cat >/run/secret; "
                    "gocryptfs -init -q -scryptn 10 -passfile /run/secret '%s/cipher'; "
                    "rm /run/secret" % (self.folder, self.folder, self.mount, GROUP, self.folder,
                                        self.folder, self.folder), stdin=self.secret + "\n")
        recovery = machine.keys.key("p256", name + "-recovery")
        rights = [("other%d" % i, machine.keys.key("p256", "%s-other%d" % (name, i)), "ec", "ec")
                  for i in range(others)]
        rights += [(user, key, "oaep-sha256", "rsa-oaep-sha256") for user, key in holders.items()]
        envelope = subprocess.run(
            [TOOL, "seal-as", self.secret, name, "1", "%s:ec" % recovery,
             *("%s:%s" % (key, wrap) for _, key, wrap, _ in rights)],
            capture_output=True, check=True).stdout
        self.write("keys.cms", envelope)
        self.text = ("[store]\nformat = 1\nbackend = gocryptfs\ncipher = %s/cipher\nmount = %s\n"
                "group = %s\nidle = 0\ngeneration = 1\nrecovery = %s\n"
                % (self.folder, self.mount, GROUP, spki(recovery)))
        for user, key, _, wrap in rights:
            self.text += ("\n[holder %s]\nuser = %s\nname = %s Specimen\ncard = %s\n"
                          "wrap = %s\nstate = held\ngrants = no\n"
                          % (spki(key), user, user.capitalize(), spki(key), wrap))
        self.set_idle(0)

    def set_idle(self, seconds):
        self.write("store.ini", self.text.replace("idle = 0", "idle = %d" % seconds).encode())

    def write(self, name, data):
        path = pathlib.Path("/proc/%d/root%s/%s" % (self.machine.pid, self.folder, name))
        path.write_bytes(data)
        path.chmod(0o600)

    def mounts(self):
        table = pathlib.Path("/proc/%d/mountinfo" % self.machine.pid).read_text()
        return [line for line in table.splitlines() if line.split()[4] == self.mount]

    def ciphers(self):
        """The processes that hold a store's key."""
        return self.machine.run("pgrep", "-x", "gocryptfs", check=False).stdout.split()

    def is_open(self):
        return bool(self.mounts())

    def is_shut(self):
        return not self.mounts() and not self.ciphers()

    def wait_open(self):
        self.wait(self.is_open, "to open the store")

    def wait_shut(self):
        self.wait(self.is_shut, "to close the store")

    def wait(self, condition, what):
        try:
            self.machine.wait_until(condition, what, 20)
        except AssertionError as error:
            self.machine.run("journalctl", "--sync")
            raise AssertionError("%s\n%s" % (error, self.machine.journal(
                "-n", "60", "-u", "hygied", "-u", "hygie-store@*"))) from error

    def status(self):
        """What hygie store status says of it, and the programs that keep it busy."""
        said = json.loads(self.machine.run("hygie", "store", "status", "--json").stdout)
        return ([one for one in said["stores"] if one["store"] == self.name][0], said["programs"])

    def events(self):
        """The audit's events about it, in order, with their outcomes."""
        self.machine.run("journalctl", "--sync")
        lines = self.machine.run("journalctl", "--no-pager", "-o", "json", "HYGIE_AUDIT=1",
                                 "HYGIE_STORE=" + self.name).stdout.splitlines()
        return [(one["HYGIE_EVENT"], one["HYGIE_OUTCOME"]) for one in map(json.loads, lines)]
