# SPDX-License-Identifier: Apache-2.0
"""The PAM stacks that doors are tried under, as pam-auth-update writes them into the machine's
/etc/pam.d/common-*:

    use(machine, "optional")    the card, or the password
    use(machine, "required")    the card of whoever has one; exempt: root, group hygie-exempt
    use(machine, "none")        as Debian ships them
"""

EXEMPT = "hygie-exempt"  # the group

_UNIX = "[success=1 default=ignore] pam_unix.so nullok"
_AUTH = {
    "none": [],
    "optional": ["[success=2 default=ignore] pam_hygie.so"],
    "required": [
        "[success=2 default=ignore] pam_succeed_if.so quiet uid = 0",
        "[success=1 default=ignore] pam_succeed_if.so quiet user ingroup " + EXEMPT,
        "[success=2 user_unknown=ignore default=die] pam_hygie.so",
    ],
}
PROFILES = ("optional", "required")


def _lines(kind, *words):
    return "".join("%s %s\n" % (kind, line) for line in words)


def use(machine, profile):
    """From the next pam_start on. Each file is replaced at once."""
    card = profile != "none"
    auth = [*_AUTH[profile], _UNIX + (" try_first_pass" if card else ""),
            "requisite pam_deny.so", "required pam_permit.so"]
    account = ["[success=1 new_authtok_reqd=done default=ignore] pam_unix.so",
               "requisite pam_deny.so", "required pam_permit.so"]
    if card:
        account.append("[success=ok acct_expired=die default=ignore] pam_hygie.so")
    session = ["[default=1] pam_permit.so", "requisite pam_deny.so", "required pam_permit.so",
               "required pam_unix.so"]
    interactive = [*session, "optional pam_systemd.so"]
    if card:
        interactive.append("optional pam_hygie.so")
    for name, kind, lines in (("auth", "auth", auth), ("account", "account", account),
                              ("session", "session", interactive),
                              ("session-noninteractive", "session", session)):
        machine.write("/etc/pam.d/common-" + name, _lines(kind, *lines))
