# SPDX-License-Identifier: Apache-2.0
"""The PAM stacks that doors are tried under, as `hygie pam` makes them of the shipped profiles:

    use(machine, "optional")    the card, or the password
    use(machine, "required")    the card of whoever has one; exempt: root, group hygie-exempt
    use(machine, "none")        as Debian ships them
"""

EXEMPT = "hygie-exempt"  # the group
PROFILES = ("optional", "required")
_COMMANDS = {"none": ("disable",), "optional": ("enable",),
             "required": ("enable", "--required", "--no-confirm")}


def use(machine, profile):
    """From the next pam_start on."""
    machine.run("hygie", "pam", *_COMMANDS[profile])
