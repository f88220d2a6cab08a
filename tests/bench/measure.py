#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""The benchmark itself, inside tests/enclave: see tests/bench/bench, which calls it.

    measure.py OUT.tsv [--rounds N]

One card (PIV, RSA-2048 in 9A), one pcscd, one run. APDUs are counted by the card. A helper's
death resets the card, and so does hygied before a successor reads it: the APDUs of a login
are those that came since the same reset as its VERIFY, and no others.
"""
import argparse
import collections
import os
import pathlib
import subprocess
import sys
import tempfile
import time

TESTS = pathlib.Path(__file__).resolve().parents[1]
for folder in (TESTS, TESTS / "card", TESTS / "bench"):
    sys.path.insert(0, str(folder))

import meter  # noqa: E402
import peers  # noqa: E402
import pivcard  # noqa: E402
import scard  # noqa: E402
import station as st  # noqa: E402
from table import Table  # noqa: E402
import der  # noqa: E402  (station knows where)

BUILD = pathlib.Path(st.ROOT, os.environ.get("BUILD", "build"))
BENCH_LOGIN = BUILD / "tests" / "bench-login"
HOLDER = "Alice Specimen"
INSERTIONS = 5  # at most: they take a while
RATIO_GOAL = 0.333
Login = collections.namedtuple("Login", "code called prompted answered result own_cpu watched_cpu")
Login.__doc__ = """What bench-login prints, times in milliseconds."""


class BenchStation(st.Station):
    """The workstation as it is configured by default, but for where the log goes. libpam
    loads what /etc/pam.d/other names for every service: here next to nothing, for all alike.
    """

    def start_hygied(self, environment=None):
        text = st.CONFIG.read_text()
        st.CONFIG.write_text(text.replace("level = debug", "level = info"))
        pathlib.Path("/etc/pam.d/other").write_text("auth required pam_deny.so\n")
        super().start_hygied(environment)


def client(service, *options):
    """bench-login, running; where no file of the real root's home counts."""
    return subprocess.Popen([str(BENCH_LOGIN), *map(str, options), service, "alice", st.PIN],
                            stdout=subprocess.PIPE, text=True,
                            env={"PATH": os.environ["PATH"], "HOME": "/nonexistent"})


def finish(process):
    """The Login of a client, which must have succeeded."""
    output, _ = process.communicate(timeout=120)
    code, *times = (int(word) for word in output.split())
    if code != 0:
        raise RuntimeError("a login came out with PAM code %d" % code)
    return Login(code, *(value / 1e6 for value in times))


def split(log):
    """Numbers of APDUs: (before the login, login, from VERIFY on, after the login)."""
    verify = next(i for i, apdu in enumerate(log) if apdu.name == "VERIFY" and apdu.pin)
    resets = log[verify].resets
    login = [i for i, apdu in enumerate(log) if apdu.resets == resets]
    return login[0], len(login), login[-1] + 1 - verify, len(log) - 1 - login[-1]


class Bench:
    def __init__(self, station, card, table, rounds):
        self.station, self.card, self.table, self.rounds = station, card, table, rounds

    # Hygie.
    def insertions(self, count):
        """The card goes in while a login waits for it: ready is when the PIN is asked for."""
        splits, since_in, since_seen = [], [], []
        for _ in range(count):
            self.card.remove()
            self.station.wait_empty()
            self.card.reset_count()
            process = client(st.SERVICE)
            began = time.monotonic() * 1000
            self.card.insert()
            self.card.wait_powered()
            seen = time.monotonic() * 1000
            login = finish(process)
            self.station.wait_ready()
            splits.append(split(self.card.log()))
            since_in.append(login.prompted - began)
            since_seen.append(login.prompted - seen)
        self.table.add("insert_to_ready_apdus", meter.same(part[0] for part in splits), "APDU",
                       "card in, until the PIN is asked for")
        self.table.times("insert_to_ready_ms", since_in, "with pcscd's polling, up to 400 ms")
        self.table.times("insert_seen_to_ready_ms", since_seen, "once pcscd has powered the card")

    def logins(self, groups):
        """One at a time, each when the successor of the last is ready."""
        hygied, working = groups
        splits, logins, helper_cpu = [], [], []
        for _ in range(self.rounds):
            self.station.wait_ready()
            helper, = set(hygied.pids()) - {self.station.hygied.pid}
            working.add(helper)
            before = working.cpu_ms()
            self.card.reset_count()
            logins.append(finish(client(st.SERVICE, "-w", self.station.hygied.pid)))
            self.station.wait_ready()
            splits.append(split(self.card.log()))
            helper_cpu.append(working.cpu_ms() - before)
        self.login_rows(splits, logins)
        own = [login.own_cpu + login.watched_cpu + cpu
               for login, cpu in zip(logins, helper_cpu)]
        self.cpu_rows(own, logins, helper_cpu)

    def login_rows(self, splits, logins):
        add = self.table.add
        add("login_apdus_total", meter.same(part[1] for part in splits), "APDU",
            "from the PAM call to its result; goal: 6 at most")
        add("login_apdus_after_pin", meter.same(part[2] for part in splits), "APDU",
            "from VERIFY on; goal: the floor's")
        add("successor_apdus", meter.same(part[3] for part in splits), "APDU",
            "the next helper's reading, after the result")
        self.table.times("login_ms_total", [one.result - one.called for one in logins],
                         "without a person's time")
        self.table.times("login_ms_after_pin", [one.result - one.answered for one in logins],
                         "from the PIN to the result; see floor_ms_after_pin")

    def cpu_rows(self, own, logins, helper_cpu):
        self.table.times("login_own_cpu_ms", own, "PAM module, hygied and helper, OpenSC included")
        for name, values in (("pam", [login.own_cpu for login in logins]),
                             ("hygied", [login.watched_cpu for login in logins]),
                             ("helper", helper_cpu)):
            self.table.add("login_own_cpu_%s_ms" % name, meter.median(values), "ms",
                           "of which %s" % name)

    def next_login(self, last):
        """Asks while the successor of the login `last` is reading: it has begun, for the card
        had an APDU since its reset, and asks for the PIN when it has ended."""
        log = self.card.log()
        if last and not split(log)[3]:
            self.card.wait_apdu(len(log) + 1)
        self.card.reset_count()
        return finish(client(st.SERVICE))

    def relogins(self, groups):
        """One right after the other."""
        hygied, _ = groups
        logins, before = [], hygied.cpu_ms()
        for _ in range(max(self.rounds, 2)):
            logins.append(self.next_login(logins[-1] if logins else None))
        self.station.wait_ready()
        spent = hygied.cpu_ms() - before + sum(login.own_cpu for login in logins)
        waits = [after.prompted - login.result for login, after in zip(logins, logins[1:])]
        self.table.times("relogin_ready_ms", waits, "from a result to the next PIN prompt")
        self.table.add("login_cycle_cpu_ms", spent / len(logins), "ms",
                       "login and its successor's start, mean of %d" % len(logins))

    def memory(self, groups):
        pid = self.station.hygied.pid
        helper, = set(groups[0].pids()) - {pid}
        self.table.add("hygied_pss_kb", meter.pss_kb(pid), "kB")
        self.table.add("helper_pss_kb", meter.pss_kb(helper), "kB", "warm, OpenSC loaded")

    # The others.
    def floor(self):
        splits, seconds = [], []
        with scard.Context() as context:
            for _ in range(self.rounds):
                self.card.reset_count()
                seconds.append(peers.floor_login(context, st.PIN))
                splits.append(split(self.card.log()))
        self.table.add("floor_apdus_total", meter.same(part[1] for part in splits), "APDU",
                       "a bare client that does only what must be")
        self.table.add("floor_apdus_after_pin", meter.same(part[2] for part in splits), "APDU")
        self.table.times("floor_ms_after_pin", [1000 * one for one in seconds],
                         "the card's RSA, in software, included")

    def peer_login(self, service):
        """Returns the Login, and the numbers of APDUs: (all, from VERIFY on)."""
        self.card.reset_count()
        login = finish(client(service))
        log = self.card.log()
        verify = next(i for i, apdu in enumerate(log) if apdu.name == "VERIFY" and apdu.pin)
        return login, (len(log), len(log) - verify)

    def peer(self, name, service):
        """One login before is not counted: on a card just reset OpenSC may ask for more."""
        self.peer_login(service)
        logins, counts = zip(*(self.peer_login(service) for _ in range(self.rounds)))
        add = self.table.add
        add("peer_%s_apdus" % name, meter.same(one[0] for one in counts), "APDU",
            "from the PAM call to its result")
        add("peer_%s_apdus_after_pin" % name, meter.same(one[1] for one in counts), "APDU",
            "from VERIFY on")
        self.table.times("peer_%s_ms" % name, [one.result - one.called for one in logins],
                         "from the PAM call to its result")
        self.table.times("peer_%s_ms_after_pin" % name,
                         [one.result - one.answered for one in logins], "from the PIN on")
        self.table.times("peer_%s_cpu_ms" % name, [one.own_cpu for one in logins],
                         "of the PAM process, where all of it runs")


def measure_hygie(bench, station, rounds):
    with meter.groups("hygied", "login") as groups:
        groups[0].add(station.hygied.pid)
        try:
            bench.insertions(min(rounds, INSERTIONS))
            bench.logins(groups)
            bench.relogins(groups)
            bench.memory(groups)
        except BaseException:
            print(station.log()[-4000:], file=sys.stderr)
            raise
        finally:
            station.stop_hygied()


def measure_others(bench, content, home):
    authorities = [pathlib.Path("/etc/hygie/ca/us-piv", name + ".pem")
                   for name in ("root", "issuing")]
    bench.floor()
    bench.peer("pam_pkcs11", peers.set_up_pam_pkcs11("alice", HOLDER, authorities))
    bench.peer("pam_p11", peers.set_up_pam_p11("alice", content / "9a.crt", home / "alice"))


def ratios(table):
    own = table.value("login_own_cpu_ms") / table.value("peer_pam_pkcs11_cpu_ms")
    table.add("login_own_cpu_ratio", own, "", "login_own_cpu_ms to peer_pam_pkcs11_cpu_ms; goal: "
              "less than %s" % RATIO_GOAL)
    cycle = table.value("login_cycle_cpu_ms") / table.value("peer_pam_pkcs11_cpu_ms")
    table.add("login_cycle_cpu_ratio", cycle, "", "with the successor's start")


def measure(home, rounds):
    """Everything, in one run. Returns the Table."""
    home, table = pathlib.Path(home), Table()
    with BenchStation(home / "station") as station:
        # With the card's UUID in it, as FIPS 201 wants it: some 870 bytes.
        uuid = der.implicit(6, b"urn:uuid:3b8f2a54-1c0d-4e6f-9a77-5d2e8c41b093")
        content = station.make_card("alice", person=HOLDER, names=(uuid,))
        size = len(pivcard.openssl("x509", "-in", content / "9a.crt", "-outform", "DER"))
        table.add("certificate_bytes", size, "byte")
        with pivcard.PivCard(content) as card:
            station.wait_ready()
            station.enrol("alice")
            station.wait_ready()
            bench = Bench(station, card, table, rounds)
            measure_hygie(bench, station, rounds)
            measure_others(bench, content, home)
    ratios(table)
    return table


def main():
    parser = argparse.ArgumentParser(prog="bench")
    parser.add_argument("out")
    parser.add_argument("--rounds", type=int, default=30)
    options = parser.parse_args()
    load = os.getloadavg()[0]
    with tempfile.TemporaryDirectory(prefix="hygie-bench-") as home:
        os.chmod(home, 0o755)
        table = measure(home, options.rounds)
    table.print()
    print("Times: median [least, 95th percentile] of %d (insertions: %d) on %d processors, load "
          "%.1f; they vary, the numbers of APDUs do not. pcscd's and the card's processor time "
          "is left out for all."
          % (options.rounds, min(options.rounds, INSERTIONS), meter.cores(), load))
    table.write(options.out)


if __name__ == "__main__":
    main()
