# SPDX-License-Identifier: Apache-2.0
"""Doors over the network, in the booted machine: sshd by each of its methods, and PostgreSQL."""
import hosts
import pexpect

KEY = "/home/%s/.ssh/id_ed25519"


class Ssh(hosts.Host):
    """sshd, keyboard-interactive: PAM's prompts go to the client one by one."""
    name = "sshd keyboard-interactive"
    method = "keyboard-interactive"
    options = ()

    def set_up(self, machine):
        machine.write("/etc/ssh/sshd_config.d/doors.conf", "ListenAddress 127.0.0.1\n"
                      "KbdInteractiveAuthentication yes\nPasswordAuthentication yes\n"
                      "PermitRootLogin yes\nUsePAM yes\n")
        machine.run("systemctl", "restart", "ssh.service")

    def command(self, user):
        options = ["StrictHostKeyChecking=no", "UserKnownHostsFile=/dev/null", "LogLevel=ERROR",
                   "NumberOfPasswordPrompts=1", "PreferredAuthentications=" + self.method,
                   *self.options]
        return ["ssh", *("-o" + option for option in options), user + "@127.0.0.1", hosts.DOOR]

    def open(self, machine, user, answer):
        with machine.terminal(*self.command(user)) as terminal:
            return hosts.converse(terminal, answer, hosts.opened_for(user))


def typed_once(terminal, answer, opened):
    """One text is typed, before PAM asks anything: it answers all that PAM asks."""
    found = terminal.expect([hosts.PROMPT, pexpect.EOF])
    if found == 0:
        terminal.sendline(answer.typed)
        found = terminal.expect([opened, pexpect.EOF])
        return hosts.Visit(found == 0, terminal.before, answer.typed == answer.password)
    return hosts.Visit(False, terminal.before)


class SshPassword(Ssh):
    """sshd, the password method."""
    name = "sshd password"
    method = "password"

    def open(self, machine, user, answer):
        with machine.terminal(*self.command(user)) as terminal:
            return typed_once(terminal, answer, hosts.opened_for(user))

    def unlike(self, outcome, profile):
        return pretyped(outcome, profile)


class SshKey(Ssh):
    """sshd, by a key: PAM is asked about account and session only."""
    name = "sshd public key"
    method = "publickey"

    def set_up(self, machine):
        super().set_up(machine)
        for user, home in (("alice", "/home/alice"), ("carol", "/home/carol"),
                           ("erin", "/home/erin"), ("root", "/root")):
            machine.run("sh", "-c", "mkdir -pm 700 $1/.ssh && cat >>$1/.ssh/authorized_keys && "
                        "chown -R $0: $1/.ssh", user, home, stdin=self.public_key(machine))

    def public_key(self, machine):
        machine.run("sh", "-c", "test -e /root/door-key || ssh-keygen -q -t ed25519 -N '' "
                    "-f /root/door-key")
        return machine.read("/root/door-key.pub")

    @property
    def options(self):
        return ("IdentityFile=/root/door-key", "IdentitiesOnly=yes")

    def unlike(self, outcome, profile):
        return hosts.nobody_asked(outcome)


def pretyped(outcome, profile):
    """Where one text answers every prompt, a refused PIN is tried as the password too, and is
    none; and nobody is asked anything that they could break off."""
    if outcome.name == "hang-up":
        return "n/a: the text is there before PAM asks", "n/a"
    if outcome.name == "silent" and profile == "optional":
        return outcome.code, "shut"
    typed_pin = outcome.answer.typed != outcome.answer.password
    if profile == "optional" and typed_pin and outcome.code != "ok":
        return outcome.code, "shut"
    return None


class Postgres(hosts.Host):
    """PostgreSQL's method "pam": the server asks as its own user, postgres, whom [peers] lets
    speak for the members of a group."""
    name = "PostgreSQL"
    CONFIG = "[peers]\npostgres = records\n"
    USERS = ("alice", "carol", "erin")

    def set_up(self, machine):
        machine.run("groupadd", "--system", "records")
        for user in self.USERS:
            machine.run("usermod", "-a", "-G", "records", user)
        # Its own, for pam_unix lets an ordinary user ask for himself only.
        machine.write("/etc/pam.d/postgresql",
                      "@include common-auth\naccount required pam_permit.so\n")
        (folder,) = machine.run("sh", "-c", "echo /etc/postgresql/*/main").stdout.split()
        machine.run("sed", "-i", "1i host all all 127.0.0.1/32 pam", folder + "/pg_hba.conf")
        # Of either the machine has none of the host's.
        machine.run("sed", "-i", "s/^shared_buffers.*/shared_buffers = 16MB/; "
                    "s/^ssl = on/ssl = off/", folder + "/postgresql.conf")
        machine.run("systemctl", "start", "postgresql.service")
        machine.wait_until(lambda: machine.run("pg_isready", "-q", check=False).returncode == 0,
                           "to start PostgreSQL")
        for user in (*self.USERS, "root"):
            machine.run("setpriv", "--reuid", "postgres", "--regid", "postgres", "--init-groups",
                        "createuser", user)

    def open(self, machine, user, answer):
        query = "'select concat($$open-for-$$, current_user)'"
        with machine.terminal("psql", "-W", "-h", "127.0.0.1", "-U", user, "-Atc", query,
                              "postgres") as terminal:
            return typed_once(terminal, answer, hosts.opened_for(user))

    def unlike(self, outcome, profile):
        special = pretyped(outcome, profile)
        if special or outcome.code == "ok":
            return special
        if outcome.name == "root":  # nobody speaks for root
            return outcome.code_under(profile), "shut"
        # The password is never right: unix_chkpwd tells it to nobody but its owner and root.
        return outcome.code_under(profile), "shut"
