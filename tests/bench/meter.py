# SPDX-License-Identifier: Apache-2.0
"""Instruments of the benchmark: processor time of groups of processes, memory, statistics.

Processor time comes from a control group's cpu.stat, which the kernel keeps for every group
of version 2, in microseconds, threads and dead processes included. /proc/PID/stat counts in
ticks of 10 ms, and forgets nothing but what was never waited for.
"""
import contextlib
import os
import pathlib
import statistics
import subprocess
import tempfile


class Group:
    """A control group; its processes' children belong to it too."""

    def __init__(self, path):
        self.path = path
        path.mkdir()

    def add(self, pid):
        """Moves a process in, with all its threads."""
        (self.path / "cgroup.procs").write_text(str(pid))

    def pids(self):
        return [int(word) for word in (self.path / "cgroup.procs").read_text().split()]

    def cpu_ms(self):
        """User and system time of all that ever ran in it, in milliseconds."""
        for line in (self.path / "cpu.stat").read_text().splitlines():
            if line.startswith("usage_usec "):
                return int(line.split()[1]) / 1000
        raise RuntimeError("no usage_usec in cpu.stat")


@contextlib.contextmanager
def groups(*names):
    """New control groups; their processes must have ended when the block does."""
    mount = pathlib.Path(tempfile.mkdtemp(prefix="hygie-bench-"))
    subprocess.run(["mount", "-t", "cgroup2", "hygie-bench", mount], check=True)
    made = []
    try:
        # The hierarchy is the machine's, only this mount of it is ours: a name of one's own.
        for name in names:
            made.append(Group(mount / ("%s-%s" % (mount.name, name))))
        yield made
    finally:
        for group in made:
            group.path.rmdir()
        subprocess.run(["umount", mount], check=True)
        mount.rmdir()


def pss_kb(pid):
    """What memory a process takes; pages shared with others count by their share."""
    for line in pathlib.Path("/proc/%d/smaps_rollup" % pid).read_text().splitlines():
        if line.startswith("Pss:"):
            return int(line.split()[1])
    raise RuntimeError("no Pss of process %d" % pid)


def median(values):
    return statistics.median(values)


def p95(values):
    """The smallest value that 95 of 100 do not exceed."""
    ordered = sorted(values)
    return ordered[-(-len(ordered) * 95 // 100) - 1]


def same(values):
    """What must be the same in every round, as numbers of APDUs are."""
    values = list(values)
    if len(set(values)) != 1:
        raise RuntimeError("not the same in every round: %s" % values)
    return values[0]


def cores():
    return len(os.sched_getaffinity(0))
