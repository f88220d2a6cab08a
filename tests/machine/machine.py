# SPDX-License-Identifier: Apache-2.0
"""A Debian machine that really boots: systemd, logind, PAM's own services, and Hygie put in as
`make install` does it. Runs inside tests/enclave, whose network it shares: a virtual card on
127.0.0.1 is in its reader.

    with Machine() as machine:                      # up when this is entered
        machine.run("loginctl", "list-sessions")
        with machine.terminal("login", "-p", "alice") as terminal:
            terminal.expect("PIN")

One machine per enclave. It is gone, with all that it wrote, when the `with` ends.
"""
import contextlib
import os
import pathlib
import select
import shutil
import signal
import socket
import subprocess
import sys
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]
for folder in ("tests", "tests/card", "tests/pki"):
    sys.path.insert(0, str(ROOT / folder))

import certificates  # noqa: E402
import pexpect  # noqa: E402
import pivcard  # noqa: E402
import pki  # noqa: E402
import wire  # noqa: E402

HERE = pathlib.Path(__file__).resolve().parent
STAGE = ROOT / os.environ.get("BUILD", "build") / "stage"
PATIENCE = 60.0  # seconds; events end the waiting, this only a test that fails
PIN = "123456"
PASSWORD = "Fallback-7"
ENVIRONMENT = ["env", "-i", "PATH=/usr/sbin:/usr/bin:/sbin:/bin", "LANG=C.UTF-8", "TERM=dumb"]


def tree():
    """The file tree to boot; made by tests/machine/root, before the enclave lost the network."""
    given = os.environ.get("HYGIE_MACHINE_ROOT")
    return given or subprocess.run([HERE / "root"], stdout=subprocess.PIPE, text=True,
                                   check=True).stdout.strip()


def cgroup_folder():
    """Where cgroups of version 2 are made on this host."""
    base = pathlib.Path("/sys/fs/cgroup")
    unified = base / "unified"
    return unified if unified.is_dir() else base


class Machine:
    """See above. `config` is added to hygie.conf; `users` are made, with passwords; `disk` is an
    image that is mounted at /srv/disk."""

    def __init__(self, home, config="", users=("alice", "bob", "carol"), disk=None):
        self.home = pathlib.Path(home)
        self.home.mkdir(parents=True, exist_ok=True)
        self.config, self.users, self.disk = config, users, disk
        self.keys = pivcard.KeyStore(self.home / "keys")
        self.pki = pki.Pki(self.keys.directory / "pki", unfit=False)
        self.cgroup = cgroup_folder() / ("hygie-machine-%d-%d" % (
            os.stat("/proc/self/ns/pid").st_ino, os.getpid()))
        self.process = self.pid = None

    # Up and down.
    def __enter__(self):
        try:
            self.start()
            self.set_up()
        except BaseException:
            self.stop()
            raise
        return self

    def __exit__(self, *_):
        self.stop()

    def start(self):
        if self.cgroup.exists():  # a run that was killed left it, and its number came round
            self.cgroup_is_gone()
        self.cgroup.mkdir()
        layer = self.home / "layer"
        self.write_site(layer)
        self.process = subprocess.Popen(
            [str(HERE / "boot"), tree(), str(self.cgroup), str(STAGE), str(layer)],
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=None,
            env={**os.environ, **({"HYGIE_DISK": str(self.disk)} if self.disk else {})},
            start_new_session=True)
        self.pid = self.first_process()
        self.wait_until(lambda: self.run("systemctl", "is-system-running", check=False).stdout
                        .strip() in ("running", "degraded"), "to boot")

    def first_process(self):
        """The pid, as seen from here, of the machine's PID 1 once it is systemd."""
        found = []

        def look():
            children = pathlib.Path("/proc/%d/task/%d/children" % (
                self.process.pid, self.process.pid))
            found[:] = [pid for pid in children.read_text().split()
                        if pathlib.Path("/proc", pid, "comm").read_text() == "systemd\n"]
            return bool(found)
        self.wait_until(look, "to start systemd")
        return int(found[0])

    def stop(self):
        if self.process and self.process.poll() is None:
            if self.pid:
                os.kill(self.pid, signal.SIGRTMIN + 14)  # systemd: power off now
                self.wait_end(20)
            if self.process.poll() is None:
                self.process.kill()
                self.process.wait()
        self.process = None
        if self.cgroup.exists():
            self.wait_until(self.cgroup_is_gone, "to leave its cgroup")

    def wait_end(self, timeout):
        deadline = time.monotonic() + timeout
        while self.process.poll() is None and time.monotonic() < deadline:
            self.reap()
            time.sleep(0.02)

    def reap(self):
        """Processes of the machine that fell to us, or that a test which failed has left: while one
        is not asked for its end, neither the machine nor its cgroup goes."""
        for child in pathlib.Path("/proc/self/task/%d/children" % os.getpid()).read_text().split():
            if not self.process or int(child) != self.process.pid:
                with contextlib.suppress(ChildProcessError):
                    os.waitpid(int(child), os.WNOHANG)

    def cgroup_is_gone(self):
        self.reap()
        for folder, _, _ in os.walk(self.cgroup, topdown=False):
            with contextlib.suppress(OSError):
                os.rmdir(folder)
        return not self.cgroup.exists()

    def wait_until(self, condition, what, timeout=PATIENCE):
        deadline = time.monotonic() + timeout
        while not condition():
            if self.process and self.process.poll() is not None:
                raise AssertionError("the machine ended with %s" % self.process.returncode)
            if time.monotonic() > deadline:
                raise AssertionError("the machine took too long %s" % what)
            time.sleep(0.02)

    # What an administrator puts on it.
    def write_site(self, layer):
        """The CAs and the configuration, laid over the tree before it boots."""
        etc = layer / "etc"
        for scheme, authorities in self.pki.ca.items():
            folder = etc / "hygie" / "ca" / scheme
            folder.mkdir(parents=True, exist_ok=True)
            for name in ("root", "issuing"):
                (folder / (name + ".pem")).write_text(pki.pem(authorities[name].der))
        (etc / "hygie" / "hygie.conf").write_text("[log]\nlevel = debug\n" + self.config)
        reader = etc / "reader.conf.d" / "vpcd"
        reader.parent.mkdir()
        reader.write_text('FRIENDLYNAME "Virtual PCD"\nDEVICENAME /dev/null:0x8C7B\n'
                          "LIBPATH /usr/lib/pcsc/drivers/serial/libifdvpcd.so\nCHANNELID 0x8C7B\n")
        for path in (etc, etc / "hygie", etc / "reader.conf.d"):
            path.chmod(0o755)

    def set_up(self):
        """Users with passwords, the daemon and its socket as a package would enable them."""
        for user in self.users:
            self.run("useradd", "--create-home", "--shell", "/bin/bash", user)
        self.run("chpasswd", stdin="".join("%s:%s\n" % (user, PASSWORD)
                                           for user in (*self.users, "root")))
        self.run("systemctl", "enable", "--now", "hygied.socket", "hygied.service")

    # Commands.
    def command(self, *argv, user=None, environment=()):
        """argv as it is run from here: root inside the machine, in a cgroup of its own."""
        inner = [*ENVIRONMENT]
        if user:
            inner += ["setpriv", "--reuid", user, "--regid", user, "--init-groups", "--reset-env"]
        if environment:
            inner += ["env", *environment]
        return [str(HERE / "inside"), str(self.pid), str(self.cgroup), *inner, *map(str, argv)]

    def run(self, *argv, stdin=None, check=True, user=None, environment=(), timeout=PATIENCE):
        """Runs it inside and returns subprocess.CompletedProcess with text."""
        done = subprocess.run(self.command(*argv, user=user, environment=environment), text=True,
                              input=stdin, stdin=subprocess.DEVNULL if stdin is None else None,
                              capture_output=True, timeout=timeout, check=False, errors="replace")
        if check and done.returncode != 0:
            raise AssertionError("%s: %d\n%s%s" % (" ".join(map(str, argv)), done.returncode,
                                                   done.stdout, done.stderr))
        return done

    def start_aside(self, *argv, **options):
        """A process inside that goes on; the caller ends it."""
        return subprocess.Popen(self.command(*argv, **{
            name: options.pop(name) for name in ("user", "environment") if name in options}),
            **{"stdin": subprocess.DEVNULL, "start_new_session": True, **options})

    @contextlib.contextmanager
    def terminal(self, *argv, user=None, environment=(), seat=False):
        """The command on a terminal of the machine's own, as a pexpect.spawn. seat: as on the
        console, so that logind makes a session on seat0."""
        extra = ["XDG_SEAT=seat0"] if seat else []
        command = self.command("script", "-qec", "exec " + " ".join(map(str, argv)), "/dev/null",
                               user=user, environment=[*environment, *extra])
        spawned = pexpect.spawn(command[0], command[1:], timeout=PATIENCE, encoding="utf-8",
                                codec_errors="replace", echo=False)
        try:
            yield spawned
        finally:
            spawned.close(force=True)

    def write(self, path, text, mode="644"):
        """A file inside, whole at once."""
        self.run("sh", "-c", "umask 077; cat >'%s.new' && chmod %s '%s.new' && mv '%s.new' '%s'"
                 % (path, mode, path, path, path), stdin=text)

    def wait_file(self, path):
        """Until something inside made it."""
        inside = pathlib.Path("/proc/%d/root%s" % (self.pid, path))
        self.wait_until(inside.exists, "to make " + path)

    def read(self, path):
        return self.run("cat", path).stdout

    def journal(self, *options):
        return self.run("journalctl", "--no-pager", "-o", "cat", *options).stdout

    # Cards.
    def make_card(self, name, kind="p256", person=None, **changes):
        """A directory for piv-card whose 9A names `person`, trusted here."""
        person = person or name.capitalize() + " Specimen"
        key = self.keys.key(kind, name + "-9a")
        path = self.home / (name + ".crt")
        content = self.pki.issue("us-piv", "person", certificates.public_key(key),
                                 common_name=person,
                                 upns=(person.lower().replace(" ", ".") + "@clinic.test",))
        path.write_text(pki.pem(content))
        return pivcard.make_card(self.home / "cards" / name, {"9a": kind}, self.keys, name=name,
                                 certificates={"9a": path}, pin=PIN, **changes)

    @contextlib.contextmanager
    def card(self, content, **options):
        with pivcard.PivCard(content, atr=options.pop("atr", "yubikey"), **options) as card:
            yield card
            card.clear_faults()
            self.wait_readers(wire.at_rest)  # see Station.wait_idle()
        self.wait_readers(lambda readers: all(one["state"] == "empty" for one in readers))

    def enrol(self, user):
        self.run("hygie", "enroll", user, "--pin-stdin", "--json", stdin=PIN + "\n")

    def readers(self):
        """What hygied says of the readers, asked from here, without a process: for asking often."""
        with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as link:
            link.settimeout(PATIENCE)
            link.connect("/proc/%d/root/run/hygie/hygied.sock" % self.pid)
            return wire.readers(link)[0]

    def wait_readers(self, condition, timeout=PATIENCE):
        seen = []

        def look():
            seen[:] = self.readers()
            return condition(seen)
        try:
            self.wait_until(look, "until its readers were so", timeout)
        except AssertionError as error:
            raise AssertionError("%s: %s\n%s" % (error, seen, self.journal("-n", "40"))) from error

    def wait_ready(self, timeout=PATIENCE):
        self.wait_readers(lambda readers: any(one["state"] == "ready" for one in readers), timeout)
