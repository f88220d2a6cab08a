# SPDX-License-Identifier: Apache-2.0
"""Running the programs of this folder, and reading what they print."""
import contextlib
import errno
import os
import pathlib
import subprocess
import sysconfig
import time

import station as st

SUCCESS, SYSTEM_ERR, AUTH_ERR, AUTHINFO_UNAVAIL, USER_UNKNOWN = 0, 4, 7, 9, 10
SESSION_ERR, CONV_ERR = 14, 19
ALL_IGNORED = 6  # what libpam makes of a required stack that answered PAM_IGNORE
BUILD = pathlib.Path(os.environ.get("HYGIE_BUILD") or st.ROOT / "build").resolve()
MODULE = "/usr/lib/%s/security/pam_hygie.so" % sysconfig.get_config_var("MULTIARCH")
LONGEST = 120  # seconds, for a program that hangs
SERVICE = "hygie-host"
UNAVAILABLE = ("error", "The card service is not running. Ask your administrator to start "
               "hygied and pcscd.")


def write_service(module="pam_hygie.so", name=SERVICE):
    st.write_service(name, ["%s required %s" % (kind, module)
                            for kind in ("auth", "account", "session")])
    return name


def program(name, folder="tests"):
    return str(BUILD / folder / name)


def run(name, *words, env=None, status=0, folder="tests", prefix=(), **options):
    """Runs it to its end; what it printed, as lines. `prefix`: a command to run it by."""
    options = {"stderr": subprocess.PIPE, "timeout": LONGEST, **options}
    done = subprocess.run(
        [*prefix, program(name, folder), *map(str, words)], stdout=subprocess.PIPE,
        stdin=subprocess.DEVNULL, check=False,
        env={"PATH": os.environ["PATH"], "LC_ALL": "C", **(env or {})}, **options)
    assert done.returncode == status, done
    return done.stdout.decode(errors="surrogateescape").splitlines()


def application(*steps, options=(), user="alice", **more):
    """Runs pam_application (tests/pam) on the service of /etc/pam.d."""
    return run("pam_application", *options, "/etc/pam.d", SERVICE, user, *steps, **more)


def codes(lines, prefix=""):
    """{step: code}; a step that came twice has its last code."""
    found = {}
    for line in lines:
        words = line[len(prefix):].split()
        if line.startswith(prefix) and len(words) == 2 and words[1].isdigit():
            found[words[0]] = int(words[1])
    return found


def said(lines):
    """Pairs of style and text."""
    found = []
    for line in lines:
        words = line.split(" ", 3 if line.startswith("say 1 ") else 2)
        if words[0] == "say":
            found.append(tuple(words[-2:]))
    return found


@contextlib.contextmanager
def started(name, *words, env=None, **options):
    """The running program; its standard output is a pipe. Ended with the block."""
    process = subprocess.Popen(
        [program(name), *map(str, words)], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL, env={"PATH": os.environ["PATH"], "LC_ALL": "C", **(env or {})},
        **options)
    try:
        yield process
    finally:
        if process.poll() is None:
            process.kill()
        process.wait()
        process.stdout.close()


def finish(process):
    """(exit status, lines) of a program that comes to its end."""
    out, _ = process.communicate(timeout=LONGEST)
    return process.returncode, out.decode().splitlines()


def write_when_read(fifo, data=b"x", timeout=st.PATIENCE):
    """Once somebody has opened the fifo to read, gives it the bytes and closes."""
    os.close(wait_for_reader(fifo, data, timeout))


def wait_for_reader(fifo, data=b"", timeout=st.PATIENCE):
    """A descriptor for writing, from when somebody reads."""
    deadline = time.monotonic() + timeout
    while True:
        try:
            writer = os.open(fifo, os.O_WRONLY | os.O_NONBLOCK)
            break
        except OSError as error:
            assert error.errno == errno.ENXIO and time.monotonic() < deadline
            time.sleep(0.005)
    os.write(writer, data)
    return writer
