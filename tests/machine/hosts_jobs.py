# SPDX-License-Identifier: Apache-2.0
"""Doors at which nobody stands: cron, at and the user's service manager. They ask PAM about
account and session; no card may be needed for them."""
import hosts

OUT = "/tmp/job-out"


class Job(hosts.Host):
    def start(self, machine, user):
        raise NotImplementedError

    def open(self, machine, user, answer):
        machine.run("rm", "-f", OUT)
        self.start(machine, user)
        machine.wait_until(lambda: machine.run("test", "-s", OUT, check=False).returncode == 0,
                           "to run a job of " + self.name)
        text = machine.read(OUT)
        return hosts.Visit("open-for-" + user in text, text)

    def unlike(self, outcome, profile):
        return hosts.nobody_asked(outcome)


class Cron(Job):
    """A job of cron's, begun as at a boot."""
    name = "cron"

    def start(self, machine, user):
        machine.write("/etc/cron.d/door", "@reboot %s %s >%s\n" % (user, hosts.DOOR, OUT))
        machine.run("rm", "-f", "/run/crond.reboot")
        machine.run("systemctl", "restart", "cron.service")


class At(Job):
    name = "at"

    def start(self, machine, user):
        machine.run("at", "now", user=user, stdin="%s >%s\n" % (hosts.DOOR, OUT))


class UserManager(Job):
    """systemd --user, which logind or an administrator starts."""
    name = "systemd --user"

    def set_up(self, machine):
        machine.write("/etc/systemd/user/door.service", "[Service]\nType=oneshot\nExecStart="
                      "/bin/sh -c '%s >%s'\n[Install]\nWantedBy=default.target\n"
                      % (hosts.DOOR, OUT))
        machine.run("systemctl", "--global", "enable", "door.service")

    def start(self, machine, user):
        uid = machine.run("id", "-u", user).stdout.strip()
        machine.run("systemctl", "restart", "user@%s.service" % uid)
