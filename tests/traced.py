# SPDX-License-Identifier: Apache-2.0
"""A running process, killed (SIGKILL) at one of its system calls, by strace.

    with traced(pid, log) as calls:                    how many calls, of which each may be the last
        ...
    with traced(pid, log, kill_at=3): ...
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
def traced(pid, log, kill_at=0):
    """Yields a list, which holds the calls after the with statement."""
    kill = ["-e", "inject=%s:signal=KILL:when=%d" % (CALLS, kill_at)] if kill_at else []
    calls = []
    with subprocess.Popen(["strace", "-qq", "-p", str(pid), "-o", str(log), "-e", "trace=" + CALLS,
                           *kill]) as tracer:
        deadline = time.monotonic() + PATIENCE
        while not _tracer(pid):
            assert tracer.poll() is None and time.monotonic() < deadline, "not traced"
            time.sleep(0.001)
        try:
            yield calls
        finally:
            tracer.terminate()
    calls += pathlib.Path(log).read_text().splitlines()
