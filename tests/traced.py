# SPDX-License-Identifier: Apache-2.0
"""A running process, which is sent a signal (KILL, unless told otherwise) at one of its system
calls, by strace.

    with traced(pid, log) as calls:                    how many calls, of which each may be the last
        ...
    with traced(pid, log, 3): ...                      killed at the third
    with traced(pid, log, 1, "kill", "STOP"): ...      stands still at its first kill(2); is_stopped(log)
"""
import contextlib
import pathlib
import subprocess
import time

# Those that change something, or tell somebody.
CALLS = "openat,write,fsync,rename,unlink,fchmod,fchown,mkdir,sendmsg,sendto"
PATIENCE = 30.0


def _tracer(pid):
    for line in pathlib.Path("/proc/%d/status" % pid).read_text().splitlines():
        if line.startswith("TracerPid:"):
            return int(line.split()[1])
    raise AssertionError("no such process")


@contextlib.contextmanager
def traced(pid, log, at=0, which=CALLS, signal="KILL"):
    """Yields a list, which holds the calls after the with statement."""
    inject = ["-e", "inject=%s:signal=%s:when=%d" % (which, signal, at)] if at else []
    calls = []
    with subprocess.Popen(["strace", "-qq", "-p", str(pid), "-o", str(log), "-e", "trace=" + which,
                           *inject]) as tracer:
        deadline = time.monotonic() + PATIENCE
        while not _tracer(pid):
            assert tracer.poll() is None and time.monotonic() < deadline, "not traced"
            time.sleep(0.001)
        try:
            yield calls
        finally:
            tracer.terminate()
    calls += pathlib.Path(log).read_text().splitlines()


def is_stopped(log):
    """Whether the process stands still by that signal, not just for the tracer to look at it."""
    return "stopped by SIGSTOP" in pathlib.Path(log).read_text()
