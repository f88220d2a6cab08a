# SPDX-License-Identifier: Apache-2.0
"""Programs under strace, which does something to them at one of their system calls: kills them,
unless told otherwise.

    with traced(pid, log) as calls:                    a running one; each of these may be its last
        ...
    with traced(pid, log, at(calls[2])): ...
    with traced(pid, log, at(("kill", 1), "signal=STOP"), "kill"): ...  stands still; is_stopped(log)
    status = ended(["hygie", "status"], at(call))      one that is started for it

strace counts the calls of each name by themselves, so a call is (name, which of that name).
"""
import collections
import contextlib
import pathlib
import re
import subprocess
import time

# Those that change something, or tell somebody.
CALLS = ("openat,openat2,write,copy_file_range,sendfile,fsync,fdatasync,rename,renameat,renameat2,"
         "mkdir,mkdirat,unlink,unlinkat,fchown,fchmod,linkat,symlinkat,sendmsg,sendto")
PATIENCE = 30.0


def at(call, how="signal=KILL", onwards=False):
    """What strace is to do, and when; `onwards`: at all that follow, too."""
    return "%s:%s:when=%d%s" % (call[0], how, call[1], "+" if onwards else "")


def _strace(log, which, inject):
    return ["strace", "-qq", "-o", str(log), "-e", "trace=" + which,
            *(["-e", "inject=" + inject] if inject else [])]


def _calls(log):
    """In order."""
    seen, found = collections.Counter(), []
    for name in re.findall(r"^(\w+)\(", pathlib.Path(log).read_text(), re.M):
        seen[name] += 1
        found.append((name, seen[name]))
    return found


def _tracer(pid):
    for line in pathlib.Path("/proc/%d/status" % pid).read_text().splitlines():
        if line.startswith("TracerPid:"):
            return int(line.split()[1])
    raise AssertionError("no such process")


@contextlib.contextmanager
def traced(pid, log, inject="", which=CALLS):
    """Yields a list, which holds the calls after the with statement."""
    calls = []
    with subprocess.Popen([*_strace(log, which, inject), "-p", str(pid)]) as tracer:
        deadline = time.monotonic() + PATIENCE
        while not _tracer(pid):
            assert tracer.poll() is None and time.monotonic() < deadline, "not traced"
            time.sleep(0.001)
        try:
            yield calls
        finally:
            tracer.terminate()
    calls += _calls(log)


def is_stopped(log):
    """Whether the process stands still by a signal, not just for the tracer to look at it."""
    return "stopped by SIGSTOP" in pathlib.Path(log).read_text()


def ended(command, inject="", which=CALLS, log="/dev/null"):
    """The exit status of a command to which that is done; a signal is a negative one."""
    return subprocess.run([*_strace(log, which, inject), *map(str, command)], check=False,
                          stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
                          timeout=PATIENCE).returncode


def calls_of(command, log, which=CALLS):
    """The calls of a command to which nothing is done, and which must succeed."""
    assert ended(command, "", which, log) == 0
    return _calls(log)
