# SPDX-License-Identifier: Apache-2.0
"""Doors that are not run, only their calls of PAM are made (tests/machine/greeter_calls.c): gdm's
gdm-smartcard and Plasma's screen locker."""
import pathlib
import shutil

import hosts
import machine as mc

CALLS = "/usr/local/bin/greeter_calls"
SHIPPED = "/usr/share/hygie/pam.d/"


class Greeter(hosts.Host):
    kind = "contract"
    greeter = service = ""

    def set_up(self, machine):
        inside = pathlib.Path("/proc/%d/root%s" % (machine.pid, CALLS))
        shutil.copy(mc.ROOT / "build" / "tests" / "greeter_calls", inside)

    def command(self, user):
        return [CALLS, self.greeter, self.service, user]

    def open(self, machine, user, answer):
        with machine.terminal(*self.command(user), user=self.runs_as(user)) as terminal:
            return hosts.converse(terminal, answer, hosts.opened_for(user), name=user,
                                  prompt=r"(Username:) ?$|" + hosts.PROMPT)

    def runs_as(self, user):
        return None


class Gdm(Greeter):
    """gdm's worker, which asks gdm-smartcard as it is shipped, for a new session: no name is
    typed. The password has a worker of its own, so there is none here."""
    name = "gdm-smartcard"
    greeter = "gdm-login"
    service = "gdm-smartcard"

    def set_up(self, machine):
        super().set_up(machine)
        machine.run("cp", SHIPPED + self.service, "/etc/pam.d/")

    def command(self, user):
        return super().command("-")

    def unlike(self, outcome, profile):
        if outcome.name in ("other-card", "no-enrolment"):
            return "n/a: it is the card's own holder who is asked", "n/a"
        return self.card_only(outcome)

    def card_only(self, outcome):
        """Neither a password nor an exemption."""
        return outcome.code or "unavailable", "open" if outcome.code == "ok" else "shut"


class GdmUnlock(Gdm):
    """The same for a session that is locked: its user is named."""
    name = "gdm-smartcard, unlocking"
    greeter = "gdm-unlock"

    def command(self, user):
        return Greeter.command(self, user)

    def unlike(self, outcome, profile):
        return self.card_only(outcome)


class Kde(Greeter):
    """Plasma's locker, which asks kde as the user and shows its prompts. Debian has no such
    service, so it is `other` that answers: common-auth."""
    name = "Plasma's locker"
    greeter = service = "kde"

    def runs_as(self, user):
        return user
