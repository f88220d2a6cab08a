# SPDX-License-Identifier: Apache-2.0
"""A pcscd of one's own, with vpcd's two virtual readers, inside a private namespace.

    with Pcscd() as pcscd: ...                      # "Virtual PCD 00 00" and "... 00 01"
    with Pcscd("Yubico YubiKey CCID") as pcscd: ... # the name that ykcs11 looks for

A card for the first reader connects to `port`, one for the second to `port` + 1. There is
one entry only, because the driver mixes up the readers of two.
The socket is made here and handed over, as systemd does: a client may connect at once,
and is refused as soon as pcscd is dead. It refuses to start beside another.
"""
import pathlib
import shutil
import signal
import socket
import subprocess
import tempfile

DRIVER = "/usr/lib/pcsc/drivers/serial/libifdvpcd.so"
SOCKET = pathlib.Path("/run/pcscd/pcscd.comm")


def answered():
    """Whether a pcscd lives here already."""
    with socket.socket(socket.AF_UNIX) as link:
        try:
            link.connect(str(SOCKET))
        except (FileNotFoundError, ConnectionRefusedError):
            return False
    return True


class Pcscd:
    def __init__(self, name="Virtual PCD", port=35963, options=()):
        """options: more of pcscd's, such as "-d"; "-a" writes PINs into the log."""
        self._name, self._port, self._options = name, port, options
        self.readers = [name + " 00 00", name + " 00 01"]
        self._home = None
        self.process = None

    def __enter__(self):
        return self.start()

    def __exit__(self, *_):
        self.stop()
        if self._home:
            shutil.rmtree(self._home)

    @property
    def pid(self):
        return self.process.pid

    def view(self):
        """Its threads' system calls, its reader's connections and the end of its log."""
        home = pathlib.Path("/proc", str(self.pid))
        calls = [(task / "syscall").read_text().strip() for task in (home / "task").iterdir()]
        port = ":%04X " % self._port
        sockets = [line.split()[1:10] for line in (home / "net" / "tcp").read_text().splitlines()
                   if port in line]
        log = (self._home / "log").read_text(errors="replace").splitlines()[-20:]
        return "\n".join([*calls, *map(" ".join, sockets), *log])

    def _configuration(self):
        if not self._home:
            self._home = pathlib.Path(tempfile.mkdtemp(prefix="pcscd-"))
            (self._home / "conf").mkdir()
            (self._home / "conf" / "reader").write_text(
                'FRIENDLYNAME "%s"\nDEVICENAME /dev/null:0x%X\nLIBPATH %s\nCHANNELID 0x%X\n'
                % (self._name, self._port, DRIVER, self._port))
        return self._home

    def start(self):
        if answered():
            raise RuntimeError("a pcscd runs here: a test's own needs a private /run")
        home = self._configuration()
        SOCKET.parent.mkdir(exist_ok=True)
        for leftover in SOCKET.parent.iterdir():
            leftover.unlink()
        listener = socket.socket(socket.AF_UNIX)
        listener.bind(str(SOCKET))
        SOCKET.chmod(0o666)
        listener.listen(16)
        # The descriptor must be number 3 and LISTEN_PID the process that becomes pcscd.
        script = 'exec 3<&%d; LISTEN_PID=$$ LISTEN_FDS=1 exec pcscd -f -c %s %s' % (
            listener.fileno(), home / "conf", " ".join(self._options))
        with listener, open(home / "log", "ab") as log:
            self.process = subprocess.Popen(["bash", "-c", script], stdin=subprocess.DEVNULL,
                                            stdout=log, stderr=log,
                                            pass_fds=[listener.fileno()])
        return self

    def stop(self, how=signal.SIGTERM):
        """Ends it; SIGKILL to see what a crash does."""
        if self.process:
            self.process.send_signal(how)
            try:
                self.process.wait(10)
            except subprocess.TimeoutExpired:  # it waits for ever for a silent card
                self.process.kill()
                self.process.wait()
                raise
            finally:
                self.process = None

    def restart(self, how=signal.SIGTERM):
        self.stop(how)
        return self.start()

    def log(self):
        return (self._home / "log").read_text(errors="replace")
