# SPDX-License-Identifier: Apache-2.0
"""The cells of host x profile x outcome: what pam_hygie answered, by the journal, and whether the
door opened. Each test file writes its own, build/matrix/NAME.tsv; tests/machine/hosts_table makes
the table of docs/hosts.md of them."""
import json
import os
import pathlib
import re

ROOT = pathlib.Path(__file__).resolve().parents[2]
FOLDER = ROOT / os.environ.get("BUILD", "build") / "matrix"
PAGE = ROOT / "docs" / "hosts.md"
NOT_ASKED = "not asked"
# As tools/libhygie/outcome.c has them.
PAM_CODES = {
    "ok": "PAM_SUCCESS", "user-unknown": "PAM_USER_UNKNOWN", "pin-blocked": "PAM_MAXTRIES",
    "gave-up": "PAM_CONV_ERR", "pin-wrong": "PAM_AUTH_ERR", "pin-malformed": "PAM_AUTH_ERR",
    "pin-last-try": "PAM_AUTH_ERR", "card-other-user": "PAM_AUTH_ERR",
    "card-revoked": "PAM_AUTH_ERR", "card-removed": "PAM_AUTH_ERR", "not-allowed": "PAM_AUTH_ERR",
    "no-card": "PAM_AUTHINFO_UNAVAIL", "no-reader": "PAM_AUTHINFO_UNAVAIL",
    "card-silent": "PAM_AUTHINFO_UNAVAIL", "card-busy": "PAM_AUTHINFO_UNAVAIL",
    "unavailable": "PAM_AUTHINFO_UNAVAIL", "timed-out": "PAM_AUTHINFO_UNAVAIL",
}
_REFUSED = re.compile(r"pam_hygie\([^)]*\): not logged in: (\S+)")


class Journal:
    """What the machine's journal gains from now on; each entry is told once."""

    def __init__(self, machine):
        self.machine = machine
        self.told = self._read("-n", "0", "--show-cursor")

    def _read(self, *options):
        """The lines; the last one says where the next reading goes on."""
        lines = self.machine.run(
            "sh", "-c", "journalctl --sync; exec journalctl --no-pager -o json --show-cursor \"$@\"",
            "sh", *options).stdout.splitlines()
        self.cursor = lines.pop().rpartition("-- cursor: ")[2]
        return lines

    def entries(self):
        self.told = [json.loads(line) for line in self._read("--after-cursor", self.cursor)
                     if line.startswith("{")]
        return self.told

    def outcome(self, since=0.0):
        """The first that pam_hygie came to: its own word, or hygied's audit line; "" for none.
        since: seconds since 1970; what was written before is passed over."""
        for entry in self.entries():
            if int(entry["__REALTIME_TIMESTAMP"]) < since * 1e6:
                continue
            message = entry.get("MESSAGE")
            refused = _REFUSED.search(message) if isinstance(message, str) else None
            if refused:
                return refused.group(1)
            if entry.get("HYGIE_EVENT") == "authenticate":
                return entry["HYGIE_OUTCOME"]
        return ""

    def text(self):
        return "\n".join(str(entry.get("MESSAGE")) for entry in self.told)


class Writer:
    """The cells of one run of one test file. `name` is that of the file."""

    def __init__(self, name):
        FOLDER.mkdir(parents=True, exist_ok=True)
        self.path = FOLDER / (name + ".tsv")
        self.path.write_text("")
        self.cells = {}

    def record(self, host, profile, outcome, code, door):
        """code: an outcome's word, "" for not asked, or "n/a: why"; door likewise."""
        shown = code if code.startswith("n/a") else PAM_CODES.get(code, code) or NOT_ASKED
        self.cells[host, profile, outcome] = (shown, door)
        with open(self.path, "a", encoding="utf-8") as file:
            file.write("\t".join((host, profile, outcome, shown, door)) + "\n")

    def differences(self):
        """Cells that were run and that docs/hosts.md tells otherwise, a line each."""
        told = read_page()
        return ["%s: run says %s, the page says %s" % (" ".join(key), " ".join(cell),
                                                       " ".join(told.get(key, ("nothing",))))
                for key, cell in self.cells.items() if told.get(key) != cell]


def read_page():
    """The cells of docs/hosts.md: below a heading for each outcome, a row for each host."""
    cells, outcome = {}, None
    for line in PAGE.read_text().splitlines() if PAGE.exists() else ():
        words = [word.strip() for word in line.strip("|").split("|")]
        if line.startswith("### "):
            outcome = line[4:].strip()
        elif line.startswith("|") and outcome and len(words) == 5 and words[0] not in ("", "host"):
            cells[words[0], "optional", outcome] = (words[1], words[2])
            cells[words[0], "required", outcome] = (words[3], words[4])
    return {key: cell for key, cell in cells.items() if set(cell[0]) - set("- ")}


def _row(words):
    return "| %s |" % " | ".join(words)


def render(cells, outcomes):
    """The tables of docs/hosts.md: below each outcome's heading a row for each host, in the order
    in which the cells came; last those that were not run."""
    lines = []
    for outcome in outcomes:
        names = sorted(dict.fromkeys(host for host, _, name in cells if name == outcome.name),
                       key=lambda host: host.endswith("(contract)"))
        lines += ["### " + outcome.name, "", outcome.what, "",
                  "| host | optional: pam_hygie | door | required: pam_hygie | door |",
                  _row(["---"] * 5)]
        lines += [_row([name] + [word for profile in ("optional", "required") for word in
                                 cells.get((name, profile, outcome.name), ("not run",) * 2)])
                  for name in names] + [""]
    return "\n".join(lines)


def read_runs():
    """The cells of all files under build/matrix."""
    cells = {}
    for path in sorted(FOLDER.glob("*.tsv")):
        for line in path.read_text().splitlines():
            words = line.split("\t")
            cells[tuple(words[:3])] = tuple(words[3:])
    return cells
