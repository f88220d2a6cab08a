# SPDX-License-Identifier: Apache-2.0
"""The virtual card against the real pcscd, OpenSC, Yubico's tools and a raw client.

Runs inside a private namespace (own /run, lo up): pcscd is started here. What is proven:
that the instrument behaves as a card does, and misbehaves exactly as ordered.
"""
import hashlib
import pathlib
import signal
import subprocess
import sys
import threading

import pytest

sys.path.insert(0, str(pathlib.Path(__file__).parent))

import pivclient as piv  # noqa: E402
import scard  # noqa: E402
from pcscd import Pcscd  # noqa: E402
from pivcard import PIV_CARD, CardError, KeyStore, PivCard, make_card, openssl  # noqa: E402

NAME = "Yubico YubiKey CCID"  # ykcs11 takes no other readers; OpenSC does not mind
READER = NAME + " 00 00"
YKCS11 = "/usr/lib/x86_64-linux-gnu/libykcs11.so"
RSA_SLOTS = {"9a": "rsa2048", "9c": "rsa2048", "9d": "rsa2048", "9e": "rsa2048"}


@pytest.fixture(scope="session")
def pcscd():
    with Pcscd(NAME) as daemon:
        yield daemon


@pytest.fixture(scope="session")
def shop(tmp_path_factory):
    """Makes each kind of card once: shop("name", slots, ...) gives its directory."""
    home = tmp_path_factory.mktemp("cards")
    keys = KeyStore(home / "keys")
    made = {}

    def make(name, slots=None, **kwargs):
        if name not in made:
            made[name] = make_card(home / name, slots or RSA_SLOTS, keys, name=name, **kwargs)
        return made[name]

    return make


@pytest.fixture
def pcsc(pcscd):
    with scard.Context() as context:
        yield context


class Holder:
    """What is in the reader. pcscd takes 400 ms to see a card go or come: it stays if it can."""

    def __init__(self):
        self._card = self._key = None

    def card(self, content, **options):
        """An honest card of that directory, seen by pcscd."""
        key = (content, sorted(options.items()))
        if self._key != key or self._card.state()["inserted"] != "yes":
            self.empty()
            self._card, self._key = PivCard(content, **options), key
            with scard.Context() as pcsc:
                pcsc.wait_card(READER)
        self._card.restore(content)
        return self._card

    def empty(self):
        if self._card:
            self._card.stop()
        self._card = self._key = None
        with scard.Context() as pcsc:
            pcsc.wait_no_card(READER)


@pytest.fixture(scope="session")
def holder(pcscd):
    held = Holder()
    yield held
    held.empty()


@pytest.fixture
def empty_reader(holder):
    holder.empty()


@pytest.fixture
def insert(holder):
    """insert(directory, options...): a card in the reader, seen by pcscd."""
    return holder.card


@pytest.fixture
def card(insert, shop):
    """An RSA-2048 card."""
    return insert(shop("alice"))


@pytest.fixture
def client(pcsc, card):
    """A raw connection to that card, just reset."""
    with pcsc.connect(READER) as connection:
        connection.reconnect(scard.RESET)
        card.reset_count()
        yield connection


@pytest.fixture
def piv_client(client):
    assert piv.select(client) == 0x9000
    return client


def tool(*command, fails=False):
    """Runs a tool; returns all it printed; asserts its exit status."""
    done = subprocess.run([str(word) for word in command], capture_output=True, timeout=60)
    said = done.stdout.decode(errors="replace") + done.stderr.decode(errors="replace")
    assert (done.returncode != 0) == fails, said
    return said


def in_thread(function):
    """Runs it in a thread; returns (thread, list that will hold its result)."""
    results = []

    def run():
        try:
            results.append(function())
        except scard.SCardError as error:
            results.append(error)

    thread = threading.Thread(target=run)
    thread.start()
    return thread, results


def sign(client, slot="9a", digest=hashlib.sha256(b"hello").digest()):
    return piv.authenticate(client, slot, "rsa2048", piv.pkcs1_block(digest))


def rsa_verifies(tmp_path, content, slot, signature, message=b"hello"):
    public, signed, data = tmp_path / "pub.pem", tmp_path / "sig", tmp_path / "data"
    public.write_bytes(openssl("pkey", "-in", content / (slot + ".key"), "-pubout"))
    signed.write_bytes(signature)
    data.write_bytes(message)
    return subprocess.run(["openssl", "dgst", "-sha256", "-verify", public, "-signature", signed,
                           data], capture_output=True).returncode == 0


def opensc_tests_pass():
    """All but one: OpenSC has no random numbers from a PIV card."""
    said = tool("pkcs11-tool", "--login", "--pin", "123456", "-t")
    errors = [line for line in said.splitlines() if "ERR" in line]
    assert len(errors) == 1 and "C_GenerateRandom" in errors[0], said
    assert "1 errors" in said


# The real tools.


def test_opensc_knows_a_piv_card(card):
    assert "Personal Identity Verification Card" in tool("opensc-tool", "-n", "-r", READER)
    assert "Personal Identity Verification Card" in tool("piv-tool", "-n", "-r", READER)


def test_pkcs15_tool_dumps_four_keys_and_certificates(card):
    dump = tool("pkcs15-tool", "-D", "--reader", READER)
    assert dump.count("Private RSA Key [") == 4
    assert dump.count("X.509 Certificate [") == 4


def test_pkcs11_tool_lists_token_and_objects(card):
    assert "token label        : alice 9a" in tool("pkcs11-tool", "-L")
    assert tool("pkcs11-tool", "-O").count("Certificate Object") == 4


def test_pkcs11_tool_passes_its_tests_with_rsa_2048(card):
    opensc_tests_pass()
    assert card.tries() == 3


def test_pkcs11_tool_passes_its_tests_with_rsa_3072(insert, shop):
    insert(shop("big", {"9a": "rsa3072", "9d": "rsa3072"}))
    opensc_tests_pass()


def test_rsa_decipher_recovers_what_openssl_encrypted(card, shop, tmp_path):
    plain, sealed, opened = tmp_path / "plain", tmp_path / "sealed", tmp_path / "opened"
    plain.write_bytes(b"a store key")
    openssl("pkeyutl", "-encrypt", "-certin", "-inkey", shop("alice") / "9d.crt", "-in", plain,
            "-out", sealed)
    tool("pkcs11-tool", "--login", "--pin", "123456", "--decrypt", "-m", "RSA-PKCS", "--id", "03",
         "-i", sealed, "-o", opened)
    assert opened.read_bytes() == b"a store key"


@pytest.mark.parametrize("kind", ["p256", "p384"])
def test_opensc_signs_and_derives_with_ec_behind_a_yubikey_atr(insert, shop, tmp_path, kind):
    content = shop(kind, {"9a": kind, "9c": kind, "9d": kind})
    insert(content, atr="yubikey")
    data, signature, public = tmp_path / "data", tmp_path / "sig", tmp_path / "pub"
    data.write_bytes(b"hello")
    for number, slot in (("01", "9a"), ("02", "9c")):
        tool("pkcs11-tool", "--login", "--pin", "123456", "--sign", "-m", "ECDSA-SHA256", "--id",
             number, "-i", data, "-o", signature, "--signature-format", "openssl")
        public.write_bytes(openssl("pkey", "-in", content / (slot + ".key"), "-pubout"))
        openssl("dgst", "-sha256", "-verify", public, "-signature", signature, data)
    peer, point, secret = tmp_path / "peer", tmp_path / "point", tmp_path / "secret"
    openssl("genpkey", "-paramfile", _parameters(tmp_path, kind), "-out", peer)
    openssl("pkey", "-in", peer, "-pubout", "-outform", "der", "-out", point)
    tool("pkcs11-tool", "--login", "--pin", "123456", "--derive", "-m", "ECDH1-DERIVE", "--id",
         "03", "-i", point, "-o", secret)
    public.write_bytes(openssl("pkey", "-in", content / "9d.key", "-pubout"))
    assert secret.read_bytes() == openssl("pkeyutl", "-derive", "-inkey", peer, "-peerkey", public)


def _parameters(tmp_path, kind):
    path = tmp_path / "parameters"
    openssl("ecparam", "-name", {"p256": "prime256v1", "p384": "secp384r1"}[kind], "-out", path)
    return path


@pytest.mark.parametrize("atr, offered", [(None, True), ("yubikey", True), ("bare", False)])
def test_opensc_offers_ec_or_not_by_the_atr(insert, shop, atr, offered):
    insert(shop("p256", {"9a": "p256", "9c": "p256", "9d": "p256"}), atr=atr)
    assert ("ECDSA" in tool("pkcs11-tool", "-M")) == offered


def test_opensc_reads_compressed_certificates(insert, shop, pcsc):
    insert(shop("alice"), gzip=True)
    assert tool("pkcs11-tool", "-O").count("Certificate Object") == 4
    with pcsc.connect(READER) as client:
        piv.select(client)
        stored, sw = piv.certificate(client, "9a")
    assert sw == 0x9000 and stored[:2] == b"\x1f\x8b"


def test_yubico_piv_tool_reads_and_verifies(insert, shop):
    card = insert(shop("alice"), atr="yubikey")
    status = tool("yubico-piv-tool", "-a", "status")
    assert "Version:\t5.2.4" in status and "CN=alice 9c" in status
    assert "PIN tries left:\t3" in status
    assert "Successfully verified" in tool("yubico-piv-tool", "-a", "verify-pin", "-P", "123456")
    assert "BEGIN CERTIFICATE" in tool("yubico-piv-tool", "-a", "read-certificate", "-s", "9a")
    assert "2 tries left" in tool("yubico-piv-tool", "-a", "verify-pin", "-P", "000000", fails=True)
    assert card.tries() == 2


def test_ykcs11_lists_and_passes_its_tests(insert, shop):
    insert(shop("alice"), atr="yubikey")
    assert "YubiKey PIV #" in tool("pkcs11-tool", "--module", YKCS11, "-L")
    assert tool("pkcs11-tool", "--module", YKCS11, "-O").count("Certificate Object") == 4
    said = tool("pkcs11-tool", "--module", YKCS11, "--login", "--pin", "123456", "-t")
    assert "No errors" in said


# The PIN.


def test_wrong_pin_spends_exactly_one_try(piv_client, card):
    assert piv.verify(piv_client, "000000") == 0x63C2
    assert card.tries() == 2
    assert card.verify_count() == 1


def test_three_wrong_pins_block_and_the_right_one_is_too_late(piv_client, card):
    assert [piv.verify(piv_client, "000000") for _ in range(3)] == [0x63C2, 0x63C1, 0x63C0]
    assert piv.verify(piv_client, "123456") == 0x6983
    assert piv.pin_state(piv_client) == 0x6983
    assert not card.verified()
    assert piv.unblock_pin(piv_client, "12345678", "654321") == 0x9000
    assert piv.verify(piv_client, "654321") == 0x9000


def test_right_pin_restores_the_counter(piv_client, card):
    piv.verify(piv_client, "000000")
    assert piv.verify(piv_client, "123456") == 0x9000
    assert card.tries() == 3


def test_wrong_pin_takes_a_verified_state_away(piv_client, card):
    piv.verify(piv_client, "123456")
    piv.verify(piv_client, "000000")
    assert not card.verified()
    assert sign(piv_client)[1] == 0x6982


def test_empty_verify_tells_the_state_and_spends_nothing(piv_client, card):
    assert piv.pin_state(piv_client) == 0x63C3
    piv.verify(piv_client, "000000")
    assert piv.pin_state(piv_client) == 0x63C2
    assert piv.pin_state(piv_client) == 0x63C2
    piv.verify(piv_client, "123456")
    assert piv.pin_state(piv_client) == 0x9000
    assert card.verify_count() == 2
    assert card.empty_verify_count() == 4


@pytest.mark.parametrize("pin", [b"123456", b"123456\xff", b"123456\xff\xff\xff"])
def test_pin_of_a_wrong_length_is_refused_and_spends_nothing(piv_client, card, pin):
    assert piv_client.command(0x20, 0, 0x80, pin, le=0)[1] == 0x6A80
    assert card.tries() == 3


def test_unknown_key_reference_is_refused_and_spends_nothing(piv_client, card):
    assert piv_client.command(0x20, 0, 0x82, piv.pad_pin("123456"), le=0)[1] == 0x6A88
    assert card.tries() == 3


def test_changed_pin_holds(piv_client):
    assert piv.change_pin(piv_client, "123456", "87654321") == 0x9000
    assert piv.verify(piv_client, "123456") == 0x63C2
    assert piv.verify(piv_client, "87654321") == 0x9000


def test_wrong_pin_in_a_change_spends_one_try_and_changes_nothing(piv_client, card):
    assert piv.change_pin(piv_client, "000000", "87654321") == 0x63C2
    assert (card.tries(), card.puk_tries()) == (2, 3)
    assert piv.verify(piv_client, "123456") == 0x9000


def test_puk_sets_a_new_pin_and_its_tries(piv_client, card):
    card.set_tries(0)
    assert piv.unblock_pin(piv_client, "12345678", "654321") == 0x9000
    assert (card.tries(), card.verified()) == (3, False)
    assert piv.verify(piv_client, "123456") == 0x63C2
    assert piv.verify(piv_client, "654321") == 0x9000


def test_wrong_puk_spends_its_own_tries_alone_and_blocks_in_the_end(piv_client, card):
    answers = [piv.unblock_pin(piv_client, "00000000", "654321") for _ in range(4)]
    assert answers == [0x63C2, 0x63C1, 0x63C0, 0x6983]
    assert (card.tries(), card.state()["puk-tries"]) == (3, "0")
    assert piv.unblock_pin(piv_client, "12345678", "654321") == 0x6983
    assert piv.verify(piv_client, "123456") == 0x9000


def test_right_puk_restores_its_counter(piv_client, card):
    piv.unblock_pin(piv_client, "00000000", "654321")
    assert piv.unblock_pin(piv_client, "12345678", "123456") == 0x9000
    assert card.puk_tries() == 3


def test_changed_puk_holds_and_the_pin_stays(piv_client, card):
    assert piv.change_puk(piv_client, "00000000", "87654321") == 0x63C2
    assert piv.change_puk(piv_client, "12345678", "87654321") == 0x9000
    assert piv.unblock_pin(piv_client, "12345678", "123456") == 0x63C2
    assert piv.unblock_pin(piv_client, "87654321", "123456") == 0x9000
    assert (card.tries(), card.puk_tries()) == (3, 3)


@pytest.mark.parametrize("ins,p2", [(0x24, 0x80), (0x24, 0x81), (0x2C, 0x80)])
def test_change_of_a_wrong_length_is_refused_and_spends_nothing(piv_client, card, ins, p2):
    assert piv_client.command(ins, 0, p2, b"12345678" + b"1" * 7, le=0)[1] == 0x6A80
    assert (card.tries(), card.puk_tries()) == (3, 3)


def test_new_pin_is_refused_when_told_and_the_old_one_stays(piv_client, card):
    card.refuse_new(0x6A80)
    assert piv.change_pin(piv_client, "123456", "654321") == 0x6A80
    assert piv.unblock_pin(piv_client, "12345678", "654321") == 0x6A80
    assert piv.change_pin(piv_client, "000000", "654321") == 0x63C2
    card.clear_faults()
    assert piv.change_pin(piv_client, "123456", "654321") == 0x9000


def test_card_brings_the_puk_that_its_directory_names(insert, shop, pcsc):
    insert(shop("other-puk", {"9a": "rsa2048"}, puk="13572468"))
    with pcsc.connect(READER) as client:
        assert piv.select(client) == 0x9000
        assert piv.unblock_pin(client, "12345678", "654321") == 0x63C2
        assert piv.unblock_pin(client, "13572468", "654321") == 0x9000


def test_log_never_shows_a_pin(piv_client, card):
    piv.verify(piv_client, "123456")
    text = "\n".join(card.order("log")[0])
    digest = hashlib.sha256(piv.pad_pin("123456")).hexdigest()[:8]
    assert "pin[8]=" + digest in text
    assert "123456" not in text and b"123456".hex() not in text


# When a key may be used.


def test_9a_wants_the_pin_once(piv_client, card, shop, tmp_path):
    assert sign(piv_client)[1] == 0x6982
    piv.verify(piv_client, "123456")
    for _ in range(2):
        signature, sw = sign(piv_client)
        assert sw == 0x9000
        assert rsa_verifies(tmp_path, shop("alice"), "9a", signature)
    assert card.sign_count() == 2


def test_9c_wants_the_pin_before_each_signature(piv_client):
    piv.verify(piv_client, "123456")
    assert sign(piv_client, "9c")[1] == 0x9000
    assert sign(piv_client, "9c")[1] == 0x6982
    piv.verify(piv_client, "123456")
    assert sign(piv_client, "9a")[1] == 0x9000
    assert sign(piv_client, "9c")[1] == 0x6982


def test_strict_9c_is_closed_by_any_command_in_between(piv_client, card):
    card.pin_always("strict")
    piv.verify(piv_client, "123456")
    assert sign(piv_client, "9c")[1] == 0x9000
    piv.verify(piv_client, "123456")
    piv.get_data(piv_client, piv.CHUID)
    assert sign(piv_client, "9c")[1] == 0x6982


def test_9e_signs_without_a_pin(piv_client):
    assert sign(piv_client, "9e")[1] == 0x9000


def test_algorithm_that_is_not_the_keys_is_refused(piv_client):
    piv.verify(piv_client, "123456")
    assert piv.authenticate(piv_client, "9a", "p256", b"\1" * 32)[1] == 0x6A86


def test_reset_loses_the_pin(piv_client, card):
    piv.verify(piv_client, "123456")
    piv_client.reconnect(scard.RESET)
    assert not card.verified()
    assert card.state()["selected"] == "none"
    piv.select(piv_client)
    assert sign(piv_client)[1] == 0x6982


def test_power_off_loses_the_pin(piv_client, card):
    piv.verify(piv_client, "123456")
    piv_client.reconnect(scard.UNPOWER)
    assert not card.verified()


def test_atr_polling_disturbs_nothing(piv_client, card):
    piv.verify(piv_client, "123456")
    card.wait_atr_polls(3)
    assert card.verified()
    assert card.count() == 2


def test_another_applet_loses_the_pin(piv_client, card):
    piv.verify(piv_client, "123456")
    assert piv.select(piv_client, piv.OTHER_AID) == 0x9000
    assert piv.select(piv_client) == 0x9000
    assert not card.verified()


def test_unknown_applet_changes_nothing(piv_client, card):
    piv.verify(piv_client, "123456")
    assert piv.select(piv_client, bytes.fromhex("A000000527471117")) == 0x6A82
    assert card.verified()


def test_selecting_piv_again_keeps_the_pin_and_drops_it_when_told(piv_client, card):
    piv.verify(piv_client, "123456")
    assert piv.select(piv_client, piv.PIV_AID_SHORT) == 0x9000
    assert card.verified()
    card.reselect("drops")
    piv.select(piv_client)
    assert not card.verified()


def test_pin_for_the_wrong_applet_is_seen(client, card):
    assert piv.select(client, piv.OTHER_AID) == 0x9000
    assert piv.verify(client, "123456") == 0x6D00
    assert piv.get_data(client, piv.CHUID)[1] == 0x6D00
    assert card.misdirected_count() == 1
    assert card.tries() == 3
    assert [(apdu.name, apdu.applet, apdu.sw) for apdu in card.log()] == [
        ("SELECT", "none", 0x9000), ("VERIFY", "other", 0x6D00), ("GET-DATA", "other", 0x6D00)]


def test_pin_before_any_select_is_seen(client, card):
    assert piv.verify(client, "123456") == 0x6D00
    assert card.misdirected_count() == 1


# Lengths.


def test_each_part_and_each_get_response_counts(piv_client, card):
    piv.verify(piv_client, "123456")
    card.reset_count()
    assert sign(piv_client)[1] == 0x9000
    assert [(apdu.name, apdu.cla) for apdu in card.log()] == [
        ("GENERAL-AUTHENTICATE", 0x10), ("GENERAL-AUTHENTICATE", 0x00), ("GET-RESPONSE", 0x00)]
    assert card.count() == 3


def test_extended_length_signs_in_one_apdu(piv_client, card, shop, tmp_path):
    piv.verify(piv_client, "123456")
    card.reset_count()
    block = piv.pkcs1_block(hashlib.sha256(b"hello").digest())
    template = piv.tlv(0x7C, piv.tlv(0x82) + piv.tlv(0x81, block))
    size = len(template).to_bytes(2, "big")
    data, sw = piv_client.transmit(bytes.fromhex("0087079A00") + size + template + b"\0\0")
    assert sw == 0x9000
    signature = piv.tlv_value(piv.tlv_value(data, 0x7C), 0x82)
    assert rsa_verifies(tmp_path, shop("alice"), "9a", signature)
    assert card.count() == 1


def test_another_command_breaks_a_chain(piv_client):
    piv.verify(piv_client, "123456")
    template = piv.tlv(0x7C, piv.tlv(0x82) + piv.tlv(0x81, piv.pkcs1_block(b"\0" * 32)))
    first, second = template[:255], template[255:]
    piv_client.transmit(bytes.fromhex("1087079AFF") + first)
    piv.pin_state(piv_client)
    assert piv_client.transmit(bytes.fromhex("0087079A") + bytes([len(second)]) + second)[1] == 0x6A80


def test_lengths_that_do_not_add_up_are_refused(piv_client):
    assert piv_client.transmit("00CB3FFF055C035FC1")[1] == 0x6700


def test_get_response_without_anything_left_is_refused(piv_client):
    assert piv_client.transmit("00C0000000")[1] == 0x6985


def test_objects_of_the_standard_are_there_and_others_are_not(piv_client):
    for tag in (piv.CHUID, piv.CCC, piv.DISCOVERY, piv.KEY_HISTORY, *piv.CERTIFICATE.values()):
        assert piv.get_data(piv_client, tag)[1] == 0x9000
    assert piv.get_data(piv_client, 0x5FC103)[1] == 0x6A82


def test_hostile_object_is_sent_byte_for_byte(insert, shop, pcsc):
    junk = bytes.fromhex("5384FFFFFFFF70") + b"\xee" * 40000
    insert(shop("hostile", {"9a": "p256"}, objects={0x5FC105: junk}))
    with pcsc.connect(READER) as client:
        piv.select(client)
        assert piv.get_data(client, 0x5FC105) == (junk, 0x9000)


# In and out.


def test_card_vanishes_at_the_ordered_apdu_without_an_answer(piv_client, card, pcsc):
    card.reset_count()
    card.remove_at(2)
    assert piv.pin_state(piv_client) == 0x63C3
    with pytest.raises(scard.SCardError, match="NOT_TRANSACTED"):
        piv.pin_state(piv_client)
    assert [apdu.sw for apdu in card.log()] == [0x63C3, None]
    pcsc.wait_no_card(READER)
    card.insert()
    pcsc.wait_card(READER)


def test_card_vanishes_after_the_ordered_answer(piv_client, card, pcsc):
    card.reset_count()
    card.remove_after(1)
    assert piv.pin_state(piv_client) == 0x63C3
    card.wait_absent()
    pcsc.wait_no_card(READER)
    assert card.count() == 1


def test_card_starts_absent_and_comes_when_told(empty_reader, pcsc, shop):
    with PivCard(shop("alice"), absent=True) as card:
        assert card.state()["inserted"] == "no"
        card.insert()
        pcsc.wait_card(READER)
        card.remove()
        pcsc.wait_no_card(READER)


def test_removal_and_insertion_at_once_leave_a_trace_in_the_event_count(piv_client, card, pcsc):
    before = pcsc.status_change(READER).events
    card.reinsert()
    pcsc.wait_until(READER, lambda state: state.present and state.events > before)
    with pytest.raises(scard.SCardError) as caught:
        piv.select(piv_client)
    assert caught.value.name in ("SCARD_W_REMOVED_CARD", "SCARD_W_RESET_CARD")


def test_reinsert_brings_another_card(piv_client, card, pcsc, shop):
    before = pcsc.status_change(READER).events
    card.reinsert(shop("bob", {"9a": "rsa2048"}, pin="1234"))
    pcsc.wait_until(READER, lambda state: state.present and state.events > before)
    with pcsc.connect(READER) as client:
        piv.select(client)
        stored, _ = piv.certificate(client, "9a")
        assert stored == openssl("x509", "-in", shop("bob") / "9a.crt", "-outform", "der")
        assert piv.verify(client, "1234") == 0x9000


# Lies and faults.


def test_silent_card_still_obeys_and_speaks_again(piv_client, card):
    card.silent_at(1)
    thread, results = in_thread(lambda: piv.pin_state(piv_client))
    card.wait_silent()
    assert card.state()["silent"] == "yes"
    assert thread.is_alive() and not results
    card.speak()
    thread.join(5)
    assert results == [0x63C3]


def test_silent_card_pulled_ends_the_wait(piv_client, card):
    card.silent_at(1)
    thread, results = in_thread(lambda: piv.pin_state(piv_client))
    card.wait_silent()
    card.remove()
    thread.join(5)
    assert isinstance(results[0], scard.SCardError)


def test_slow_card_obeys_meanwhile(piv_client, card):
    card.reset_count()
    card.latency(1000)
    thread, results = in_thread(lambda: piv.pin_state(piv_client))
    card.wait_apdu(1)
    assert card.log()[0].sw is None
    assert thread.is_alive() and not results
    thread.join(5)
    assert results == [0x63C3]


def test_ordered_status_word_replaces_one_answer(piv_client, card):
    card.sw_at(2, 0x6F00)
    assert piv.get_data(piv_client, piv.DISCOVERY)[1] == 0x9000
    assert piv.get_data(piv_client, piv.DISCOVERY) == (b"", 0x6F00)
    assert piv.get_data(piv_client, piv.DISCOVERY)[1] == 0x9000


def test_ordered_garbage_has_the_ordered_length(piv_client, card):
    honest = piv.get_data(piv_client, piv.DISCOVERY)
    card.garbage_at(1, 100)
    data, status = piv_client.transmit("00CB3FFF035C017E00")
    assert len(data) == 98 and status < 0x1000, "which is no status word"
    assert piv.get_data(piv_client, piv.DISCOVERY) == honest


@pytest.mark.parametrize("mode, length", [("empty", 0), ("short", 128), ("zero", 256)])
def test_bad_signature_has_the_ordered_form(piv_client, card, mode, length):
    piv.verify(piv_client, "123456")
    card.sig_mode(mode)
    signature, sw = sign(piv_client)
    assert sw == 0x9000 and len(signature) == length
    assert mode != "zero" or not any(signature)


def test_signature_of_another_challenge_is_a_good_one_of_that(piv_client, card, shop, tmp_path):
    piv.verify(piv_client, "123456")
    digest = hashlib.sha256(b"hello").digest()
    card.sig_mode("other")
    signature, _ = sign(piv_client, digest=digest)
    assert not rsa_verifies(tmp_path, shop("alice"), "9a", signature)
    card.sig_mode("normal")
    other = digest[:-1] + bytes([digest[-1] ^ 1])
    assert sign(piv_client, digest=other)[0] == signature


def test_replay_answers_with_the_last_signature(piv_client, card):
    piv.verify(piv_client, "123456")
    first, _ = sign(piv_client)
    card.replay()
    assert sign(piv_client, digest=b"\1" * 32) == (first, 0x9000)
    card.replay(False)
    assert sign(piv_client, digest=b"\1" * 32)[0] != first


def test_swapped_key_signs_under_the_old_certificate(piv_client, card, shop, tmp_path):
    mallory = shop("mallory", {"9a": "rsa2048"})
    before = piv.certificate(piv_client, "9a")
    piv.verify(piv_client, "123456")
    card.swap_key("9a", mallory / "9a.key")
    signature, sw = sign(piv_client)
    assert sw == 0x9000
    assert piv.certificate(piv_client, "9a") == before
    assert rsa_verifies(tmp_path, mallory, "9a", signature)


def test_swapped_certificate_keeps_key_and_chuid(piv_client, card, shop, tmp_path):
    mallory = shop("mallory", {"9a": "rsa2048"})
    before = piv.certificate(piv_client, "9a")
    chuid = piv.get_data(piv_client, piv.CHUID)
    card.swap_cert("9a", mallory / "9a.crt")
    assert piv.certificate(piv_client, "9a") != before
    assert piv.get_data(piv_client, piv.CHUID) == chuid
    piv.verify(piv_client, "123456")
    assert rsa_verifies(tmp_path, shop("alice"), "9a", sign(piv_client)[0])


def test_swap_becomes_another_card_behind_the_readers_back(piv_client, card, shop, pcsc):
    events = pcsc.status_change(READER).events
    chuid = piv.get_data(piv_client, piv.CHUID)
    card.swap(shop("mallory", {"9a": "rsa2048"}))
    assert piv.get_data(piv_client, piv.CHUID) != chuid
    assert pcsc.status_change(READER).events == events


def test_broken_order_is_refused(card):
    for words in (["dance"], ["remove-at"], ["remove-at", "0"], ["sig-mode", "odd"],
                  ["swap-key", "9a", "/nonexistent"], ["swap-key", "99", "/dev/null"], ["wait-apdu", "1", "x"]):
        with pytest.raises(CardError):
            card.order(*words)


def test_waiting_ends_in_time(card):
    with pytest.raises(CardError, match="timeout"):
        card.wait_apdu(10000, timeout=0.05)


# The command line.


def test_ctl_prints_the_answer_and_tells_by_its_status(card):
    ctl = [card.binary, "ctl", card.control]
    assert "tries 3" in tool(*ctl, "state").splitlines()
    assert tool(*ctl, "tries") == "ok 3\n"
    assert tool(*ctl, "dance", fails=True).startswith("error ")


def test_unusable_content_is_refused(shop, tmp_path):
    (tmp_path / "9a.key").write_text("not a key")
    said = tool(PIV_CARD, "--dir", tmp_path, "--control", tmp_path / "control", fails=True)
    assert "Invalid argument" in said


# The rival.


def test_transaction_shuts_others_out_and_verified_pin_is_theirs_after_it(piv_client, card):
    with scard.Context() as other_pcsc:
        with other_pcsc.connect(READER) as rival:
            piv_client.begin()
            piv.verify(piv_client, "123456")
            thread, results = in_thread(lambda: sign(rival)[1])
            card.wait_atr_polls(2)
            assert card.sign_count() == 0 and not results
            piv_client.end()
            thread.join(5)
            assert results == [0x9000]
            assert card.sign_count() == 1


def test_disconnecting_with_reset_loses_the_pin(piv_client, card):
    piv.verify(piv_client, "123456")
    piv_client.disconnect(scard.RESET)
    assert not card.verified()


# pcscd itself.


@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGKILL])
def test_card_is_back_by_itself_when_pcscd_was_restarted(empty_reader, pcscd, shop, how):
    with PivCard(shop("alice")) as card:
        with scard.Context() as before:
            before.wait_card(READER)
        pcscd.restart(how)
        with scard.Context() as after:
            after.wait_card(READER)
        assert card.state()["inserted"] == "yes"
