# SPDX-License-Identifier: Apache-2.0
"""A Debian in QEMU: a kernel of its own, virtual terminals with a keyboard, and a USB reader
that is plugged and unplugged. It is a tests/machine Machine in all but how it runs.

    with Guest(home) as guest:                          # up when this is entered
        guest.plug()                                    # a USB reader (CCID)
        with guest.card(guest.make_card("alice")):      # put in
            guest.type("alice\n")                       # on the keyboard
            guest.wait_screen(1, "PIN")                 # on tty1

Instructions are translated one by one: the host needs no KVM, and things take their time.
Nothing that the guest writes is kept.
"""
import contextlib
import json
import os
import pathlib
import shlex
import shutil
import signal
import socket
import subprocess
import sys

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "machine"))

import machine as mc  # noqa: E402
import pivcard  # noqa: E402
import qmp  # noqa: E402

PATIENCE = 120.0  # seconds; events end the waiting, this only a test that fails
CONFIG = "[login]\ncard_wait = 1s\n"
PORT = 35999  # where the card reaches its reader
KEYS = {"\n": ("ret",), " ": ("spc",), "-": ("minus",)}
KERNEL = ("root=/dev/vda rw console=ttyS0 quiet systemd.show_status=no mitigations=off "
          "random.trust_cpu=on modprobe.blacklist=libata,ata_piix,floppy,psmouse,pcspkr")


def image():
    """The folder that tests/vm/image made, before the enclave lost the network."""
    return pathlib.Path(subprocess.run([HERE / "image"], stdout=subprocess.PIPE, text=True,
                                       check=True).stdout.strip())


def listen(path):
    """A socket that QEMU connects to."""
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(str(path))
    listener.listen(1)
    listener.settimeout(PATIENCE)
    return listener


class Control:
    """Commands in the guest, see guest/hygie-test-control: one after the other."""

    def __init__(self, link):
        self.link = link
        self.link.settimeout(PATIENCE)
        self.lines = self.link.makefile("rb")

    def wait_ready(self):
        assert self.lines.readline() == b"ready\n"

    def run(self, script):
        """(exit status, output and errors) of it in bash, as root."""
        script = script.encode()
        self.link.sendall(b"%d\n%s" % (len(script), script))
        status, length = self.lines.readline().split()
        return int(status), self.lines.read(int(length)).decode(errors="replace")

    def close(self):
        self.lines.close()
        self.link.close()


class Guest(mc.Machine):
    def start(self):
        self.control = self.qmp = None
        self.plugged = False
        layer = self.home / "layer"
        self.write_site(layer)
        shutil.rmtree(layer / "etc" / "reader.conf.d")  # its readers are real ones
        # QEMU's reader says that it has keys for PINs, and fails when they are to be used.
        profile = (mc.STAGE / "usr/share/hygie/cards.d/90-piv.conf").read_text()
        (layer / "etc/hygie/cards.d").mkdir()
        (layer / "etc/hygie/cards.d/90-piv.conf").write_text(profile + "pin_pad = no\n")
        subprocess.run(["cp", "-a", "%s/." % mc.STAGE, layer], check=True)
        disk = self.home / "layer.disk"
        subprocess.run(["/usr/sbin/mke2fs", "-q", "-t", "ext4", "-d", layer, disk, "64M"],
                       check=True, stdout=subprocess.DEVNULL)
        with listen(self.home / "qmp") as monitor, listen(self.home / "control") as control:
            self.process = subprocess.Popen(self.qemu(image(), disk), stdin=subprocess.DEVNULL)
            self.control = Control(control.accept()[0])
            self.qmp = qmp.Qmp(monitor.accept()[0], PATIENCE)
        self.control.wait_ready()
        self.run("systemctl", "is-system-running", "--wait")

    def qemu(self, made, layer):
        def drive(path, more):
            return ["-drive", "file=%s,if=virtio,format=raw,%s" % (path, more)]

        return ["qemu-system-x86_64", "-accel", "tcg,thread=multi", "-smp", "2", "-m", "768",
                "-cpu", "qemu64,-svm,+rdrand", "-nodefaults", "-no-user-config",
                "-display", "none", "-vga", "std", "-no-reboot",
                "-kernel", str(made / "vmlinuz"), "-initrd", str(made / "initrd"),
                "-append", KERNEL, "-serial", "file:%s" % (self.home / "console"),
                *drive(made / "disk", "snapshot=on"), *drive(layer, "readonly=on"),
                "-chardev", "socket,id=control,path=%s" % (self.home / "control"),
                "-device", "virtio-serial-pci",
                "-device", "virtserialport,chardev=control,name=hygie.test",
                "-chardev", "socket,id=card,host=127.0.0.1,port=%d,server=on,wait=off" % PORT,
                "-device", "qemu-xhci,id=usb", "-qmp", "unix:%s" % (self.home / "qmp")]

    def stop(self):
        for one in (self.control, self.qmp):
            if one:
                one.close()
        if self.process and self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            self.process.wait(PATIENCE)
        self.process = None

    def set_up(self):
        """`make install`, and what its administrator does then. hygied is not enabled: a
        reader starts it."""
        self.run("sh", "-c", "mount -o ro /dev/vdb /mnt && cp -a /mnt/. / && umount /mnt")
        self.run("systemd-sysusers")
        self.run("systemctl", "daemon-reload")
        self.run("udevadm", "control", "--reload")
        for user in self.users:
            self.run("useradd", "--create-home", "--shell", "/bin/bash", user)
        self.run("chpasswd", "--crypt-method", "SHA256", "--sha-rounds", "1000", stdin="".join(
            "%s:%s\n" % (user, mc.PASSWORD) for user in (*self.users, "root")))

    # Commands.
    def command(self, *argv, user=None, environment=()):
        inner = [*mc.ENVIRONMENT]
        if user:
            inner += ["setpriv", "--reuid", user, "--regid", user, "--init-groups", "--reset-env"]
        return [*inner, *(["env", *environment] if environment else []), *map(str, argv)]

    def run(self, *argv, stdin=None, check=True, user=None, environment=(), timeout=PATIENCE):
        """As Machine.run, but errors come with the output."""
        script = shlex.join(self.command(*argv, user=user, environment=environment))
        if stdin is not None:
            script = "printf %%s %s | %s" % (shlex.quote(stdin), script)
        self.control.link.settimeout(timeout)
        status, output = self.control.run(script)
        if check and status != 0:
            raise AssertionError("%s: %d\n%s" % (" ".join(map(str, argv)), status, output))
        return subprocess.CompletedProcess(argv, status, output, "")

    def wait_file(self, path):
        self.wait_until(lambda: self.run("test", "-e", path, check=False).returncode == 0,
                        "to make " + path)

    def readers(self):
        """What hygied says of them; none until it runs."""
        return json.loads(self.run("hygie", "status", "--json", check=False).stdout
                          ).get("readers", [])

    def wait_readers(self, condition, timeout=PATIENCE):
        """A failure tells what pcscd knows."""
        try:
            super().wait_readers(condition, timeout)
        except AssertionError as error:
            raise AssertionError("%s\nfor pcscd: %s" % (
                error, self.run("opensc-tool", "-l", check=False).stdout)) from error

    # The reader on its USB port, and the card in it.
    def plug(self):
        """Plugs in the reader, empty."""
        self.qmp.execute("device_add", driver="usb-ccid", id="ccid", bus="usb.0")
        self.qmp.execute("device_add", driver="ccid-card-passthru", id="slot", bus="ccid.0",
                         chardev="card")
        self.plugged = True

    def unplug(self):
        """Unplugs it, where it is plugged in."""
        if not self.plugged:
            return
        self.qmp.execute("device_del", id="ccid")
        self.qmp.wait_event("DEVICE_DELETED", device="ccid")
        self.plugged = False

    @contextlib.contextmanager
    def card(self, content, **options):
        """In the reader, which knows the protocol T=0 alone, hence no YubiKey's ATR. It tells
        the card of no reset: selecting the application anew ends what a PIN opened."""
        with pivcard.PivCard(content, vscard=True, port=PORT, **options) as card:
            card.reselect("drops")
            yield card

    # The keyboard and the screens.
    def press(self, *keys):
        """Keys by QEMU's names, all of them held at once."""
        self.qmp.execute("send-key", keys=[{"type": "qcode", "data": key} for key in keys])

    def type(self, text):
        for one in text:
            key = KEYS.get(one, (one.lower(),))
            self.press(*(("shift",) if one.isupper() else ()), *key)

    def screen(self, terminal):
        """What stands on that virtual terminal."""
        text = self.run("fold", "-w", "80", "/dev/vcs%d" % terminal).stdout
        return "\n".join(line.rstrip() for line in text.splitlines()).rstrip()

    def wait_screen(self, terminal, text):
        """Until the text stands in its last line; returns the whole. Above it may stand what
        a session left that is over."""
        seen = [""]

        def look():
            seen[0] = self.screen(terminal)
            return text in seen[0].rpartition("\n")[2]
        try:
            self.wait_until(look, "to show %r" % text)
        except AssertionError as error:
            raise AssertionError("%s; tty%d shows:\n%s\n%s" % (
                error, terminal, seen[0], self.journal("-n", "60"))) from error
        return seen[0]

    def foreground(self):
        """The number of the virtual terminal that is shown."""
        return int(self.run("cat", "/sys/class/tty/tty0/active").stdout.strip()[len("tty"):])
