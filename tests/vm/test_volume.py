# SPDX-License-Identifier: Apache-2.0
"""docs/recipes/luks2.md: its commands, as they stand, on a disk of the guest's; what else than the
card opens it, and what does not."""
import re
import shlex

import pytest

import guest as vm

PASSPHRASE = "of the set-up"
RECIPE = vm.mc.ROOT / "docs" / "recipes" / "luks2.md"


def commands(section):
    """The indented lines of a section of the recipe, each a command."""
    body = RECIPE.read_text().split("\n## %s\n" % section)[1].split("\n## ")[0]
    return re.findall(r"(?m)^    (.+)$", body)


class Volume:
    def __init__(self, guest, device):
        self.guest, self.device = guest, device
        self.card = ""

    def run(self, command, check=True, stdin=None, **environment):
        script = "".join("export %s=%s\n" % (name, shlex.quote(value)) for name, value in
                         {"DEVICE": self.device, "CARD": self.card, **environment}.items())
        return self.guest.run("bash", "-ec", script + command, check=check, stdin=stdin)

    def opens(self, **environment):
        """Whether attaching it succeeds; it is detached again. Nobody is there to be asked."""
        attach, detach = commands("Opening and closing")[:2]
        attach += ",headless=1"
        if self.run(attach, check=False, **environment).returncode != 0:
            return False
        assert self.guest.run("test", "-b", "/dev/mapper/records", check=False).returncode == 0
        self.run(detach)
        return True


def make_card(guest, name):
    """With an RSA key in 9D."""
    content = guest.make_card(name, kind="rsa2048")
    key = guest.keys.key("rsa2048", name + "-9d")
    (content / "9d.key").write_bytes(key.read_bytes())
    vm.pivcard.self_signed(key, content / "9d.crt", "/CN=%s 9d" % name)
    return content


@pytest.fixture(scope="module")
def volume(guest):
    """Made by the recipe, for Alice's card; the reader is plugged in."""
    guest.run("sh", "-c", "truncate -s 64M /var/volume && losetup -f --show /var/volume "
              ">/run/device")
    made = Volume(guest, guest.run("cat", "/run/device").stdout.strip())
    # QEMU's reader only says that it has keys for PINs.
    guest.write("/etc/opensc/opensc.conf",
                "app default { reader_driver pcsc { enable_pinpad = false; } }\n")
    form, recovery, enrol, wipe = commands("Making it")
    guest.plug()
    try:
        guest.wait_readers(lambda readers: len(readers) == 1)
        made.run(form, stdin=PASSPHRASE)
        said = made.run(recovery, PASSWORD=PASSPHRASE).stdout
        made.recovery = re.search(r"\b(?:[a-z]{8}-){7}[a-z]{8}\b", said).group()
        made.alice = make_card(guest, "alice9d")
        with guest.card(made.alice):
            guest.wait_ready()
            listed = made.run("systemd-cryptenroll --pkcs11-token-uri=list").stdout
            made.card = re.search(r"pkcs11:\S+", listed).group() + ";id=%03"
            made.run(enrol, PASSWORD=PASSPHRASE, PIN=vm.mc.PIN)
        made.run(wipe, PASSWORD=made.recovery)
        yield made
    finally:
        guest.unplug()
        guest.run("losetup", "-d", made.device)


def test_card_and_pin_open_it(guest, volume):
    with guest.card(volume.alice) as card:
        guest.wait_ready()
        assert volume.opens(PIN=vm.mc.PIN)
        assert not volume.opens(PIN="654321")
        assert card.tries() == 2
        assert volume.opens(PIN=vm.mc.PIN)


def test_another_card_does_not(guest, volume):
    with guest.card(make_card(guest, "stranger")):
        guest.wait_ready()
        assert not volume.opens(PIN=vm.mc.PIN)


def test_passphrase_of_the_set_up_is_gone_and_the_recovery_key_opens_it(volume):
    script = "cryptsetup open --test-passphrase --disable-external-tokens -T 1 \"$DEVICE\""
    assert volume.run(script, check=False, stdin=PASSPHRASE).returncode != 0
    volume.run(script, stdin=volume.recovery)


def test_a_card_whose_slot_was_taken_away_opens_it_no_more(guest, volume):
    """The last here."""
    dump = volume.run("cryptsetup luksDump \"$DEVICE\"").stdout
    slot = re.search(r"systemd-pkcs11\n(?:.*\n)*?\s+Keyslot:\s+(\d+)", dump).group(1)
    wipe, = commands("A card is lost")
    volume.run(wipe, SLOT=slot, PASSWORD=volume.recovery)
    with guest.card(volume.alice):
        guest.wait_ready()
        assert not volume.opens(PIN=vm.mc.PIN)
