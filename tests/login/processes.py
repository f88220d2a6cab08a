# SPDX-License-Identifier: Apache-2.0
"""Other processes, as root sees them in /proc: which there are, what they were given, what
their memory holds. Reads only, and stops nobody: what changes meanwhile may be missed."""
import os
import pathlib
import re

_REGION = re.compile(r"([0-9a-f]+)-([0-9a-f]+) (r\S+) \S+ \S+ \S+\s*(.*)")


def _read(pid, name):
    return pathlib.Path("/proc", str(pid), name).read_bytes()


def find(name):
    """Pids of the living processes of that name, in this PID namespace and those below."""
    found = []
    for entry in pathlib.Path("/proc").iterdir():
        if not entry.name.isdigit():
            continue
        try:
            stat = _read(entry.name, "stat").decode(errors="replace")
        except (FileNotFoundError, ProcessLookupError):
            continue
        command, _, rest = stat[stat.index("(") + 1:].rpartition(") ")
        if command == name and rest[0] not in "ZX":
            found.append(int(entry.name))
    return sorted(found)


def parent(pid):
    return int(_read(pid, "stat").decode(errors="replace").rpartition(") ")[2].split()[1])


def status(pid):
    """{"Uid": "0\\t0\\t0\\t0", ...}"""
    lines = _read(pid, "status").decode(errors="replace").splitlines()
    return {name: value.strip() for name, _, value in (line.partition(":") for line in lines)}


def own_memory(pid):
    """KiB that are its own, as the page tables have it: VmRSS is off by up to 32 pages a
    processor (Linux 6.2 and later)."""
    return int(re.search(rb"Anonymous: +(\d+) kB", _read(pid, "smaps_rollup"))[1])


def environment(pid):
    """{name: value} of what it was started with."""
    entries = _read(pid, "environ").decode(errors="replace").split("\0")
    return dict(entry.partition("=")[::2] for entry in entries if entry)


def regions(pid):
    """(begin, end, name) of each readable mapping."""
    for line in _read(pid, "maps").decode(errors="replace").splitlines():
        match = _REGION.match(line)
        if match and match[4] not in ("[vvar]", "[vsyscall]"):
            yield int(match[1], 16), int(match[2], 16), match[4]


def memory_holds(pid, needle):
    """The names of the mappings in which those bytes are found. Fails where it may not look."""
    found, seen = [], 0
    memory = os.open("/proc/%d/mem" % pid, os.O_RDONLY | os.O_CLOEXEC)
    try:
        for begin, end, name in list(regions(pid)):
            content = _pread(memory, begin, end)
            seen += len(content)
            if needle in content:
                found.append(name or "anonymous")
    finally:
        os.close(memory)
    if seen == 0:
        raise AssertionError("nothing of process %d could be read" % pid)
    return found


def _pread(memory, begin, end):
    """What of it can be read: a mapping may be shrunk, or a file under it be shorter."""
    chunks = []
    while begin < end:
        try:
            chunk = os.pread(memory, min(end - begin, 1 << 24), begin)
        except OSError:
            break
        if not chunk:
            break
        chunks.append(chunk)
        begin += len(chunk)
    return b"".join(chunks)
