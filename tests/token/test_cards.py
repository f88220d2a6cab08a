# SPDX-License-Identifier: Apache-2.0
"""hygie-token on the virtual PIV card, through the real pcscd, OpenSC and ykcs11.

Runs inside a private namespace (own /run, lo up): pcscd is started here. The daemon's part,
resetting the card before an order to log in, is played by this file.
"""
import contextlib
import threading

import pytest

import scard
from helper import Helper, decrypt, encrypt, sign, verifies
from pcscd import Pcscd
from pivcard import KeyStore, PivCard, make_card

NAME = "Yubico YubiKey CCID"  # ykcs11 takes no other readers; OpenSC does not mind
READER, OTHER = NAME + " 00 00", NAME + " 00 01"
OPENSC = "/usr/lib/x86_64-linux-gnu/opensc-pkcs11.so"
YKCS11 = "/usr/lib/x86_64-linux-gnu/libykcs11.so.2"
PIN, DATA = "123456", b"hygie-auth-v1 and the rest of a challenge"
KINDS = {"rsa2048": (1, None), "rsa3072": (1, None), "p256": (3, "yubikey"), "p384": (4, "yubikey")}
LOGIN = ["GET-DATA", "SELECT", "VERIFY"]
RSA = ["GENERAL-AUTHENTICATE", "GENERAL-AUTHENTICATE", "GET-RESPONSE"]
NOT_PINS = ["", "12345", "123456789", "12345a", "123 56", "passwo", "12345\x01", "12345\u0663",
            "0" * 64]


@pytest.fixture(scope="session")
def pcscd():
    with Pcscd(NAME) as daemon:
        yield daemon


@pytest.fixture(scope="session")
def shop(tmp_path_factory):
    home = tmp_path_factory.mktemp("cards")
    keys, made = KeyStore(home / "keys"), {}

    def make(kind, slots=("9a",)):
        name = "-".join([kind, *slots])
        if name not in made:
            made[name] = make_card(home / name, dict.fromkeys(slots, kind), keys, name=kind)
        return made[name]

    return make


@contextlib.contextmanager
def inserted(content, atr=None):
    with scard.Context() as pcsc:
        pcsc.wait_no_card(READER)
        with PivCard(content, atr=atr) as card:
            pcsc.wait_card(READER)
            card.wait_powered()
            card.reset_count()
            events = pcsc.status_change(READER).events
            yield card
        # pcscd polls this driver: a card put in before it saw the last one go is missed.
        pcsc.wait_until(READER, lambda state: state.empty and state.events != events)


@pytest.fixture
def card(pcscd, shop):
    with inserted(shop("rsa2048")) as running:
        yield running


def reset():
    """What hygied does behind a warm helper's back, just before ORDER_LOGIN."""
    with scard.Context() as pcsc, pcsc.connect(READER) as connection:
        connection.disconnect(scard.RESET)


def opensc(operations=None, **more):
    more = {"pin": (6, 8, "digits"), "others": [OTHER], **more}
    return Helper(OPENSC, READER, driver="PIV-II",
                  operations=operations or sign("01", DATA), **more)


def ykcs11(operations=None, **more):
    more = {"pin": (6, 8, "digits"), "others": [OTHER], **more}
    return Helper(YKCS11, READER, operations=operations or sign("01", DATA), **more)


def names(card):
    return [apdu.name for apdu in card.log()]


@pytest.mark.parametrize("kind", KINDS)
def test_opensc_signs_with_each_kind(pcscd, shop, kind):
    scheme, atr = KINDS[kind]
    with inserted(shop(kind), atr) as card, opensc() as helper:
        helper.warm()
        reset()
        card.reset_count()
        helper.login(PIN)
        assert (helper.outcome, helper.end) == ("ok", ("exited", 0)), helper.text
        assert helper.signatures[0][0] == scheme
        assert verifies(helper.certificates["01"][1], DATA, helper.signatures[0])
        assert card.verify_count() == 1 and card.misdirected_count() == 0


def test_opensc_login_after_a_reset_costs_six_apdus(card):
    """Four from VERIFY on; the application is selected anew before the PIN goes."""
    with opensc() as helper:
        helper.warm()
        reset()
        card.reset_count()
        assert helper.login(PIN).outcome == "ok"
        assert names(card) == LOGIN + RSA


def test_opensc_selects_its_application_anew_without_a_reset_of_ours(card):
    """Each of its transactions ends in a reset, those of the warm-up too."""
    with opensc() as helper:
        helper.warm()
        card.reset_count()
        assert helper.login(PIN).outcome == "ok"
        assert names(card) == LOGIN + RSA


def test_opensc_signs_with_p256_in_four_apdus(pcscd, shop):
    with inserted(shop("p256"), "yubikey") as card, opensc() as helper:
        helper.warm()
        reset()
        card.reset_count()
        assert helper.login(PIN).outcome == "ok"
        assert names(card) == LOGIN + ["GENERAL-AUTHENTICATE"]


def test_warming_up_is_measured(card, record_property):
    with opensc() as helper:
        helper.warm()
        record_property("warm_up_apdus", card.count())
        assert card.verify_count() == 0
        assert card.count() <= 32, names(card)  # 29 if transactions ended without a reset


def test_opensc_wrong_pin_spends_exactly_one_try(card):
    with opensc() as helper:
        helper.warm()
        reset()
        card.reset_count()
        helper.login("999999")
        assert helper.outcome == "pin-wrong" and helper.end == ("exited", 1)
        assert card.verify_count() == 1 and card.tries() == 2
        assert card.empty_verify_count() == 1  # the token's flags are asked: no try
        assert card.sign_count() == 0


def test_last_try_is_told_after_a_wrong_pin(card):
    card.set_tries(2)
    with opensc() as helper:
        assert helper.run("999999").flags == 2
        assert card.tries() == 1
    card.set_tries(3)


def test_blocked_pin(card):
    card.set_tries(1)
    with opensc() as helper:
        helper.run("999999")
        assert helper.outcome in ("pin-wrong", "pin-blocked") and card.tries() == 0
    with opensc() as helper:
        assert int(helper.warm().token_field("TAG_TOKEN_FLAGS")) & 4
        card.reset_count()
        assert helper.login(PIN).outcome == "pin-blocked"
        assert not helper.signatures
    card.unblock()


@pytest.mark.parametrize("start", [opensc, ykcs11])
def test_what_cannot_be_the_pin_never_reaches_the_card(pcscd, shop, start):
    with inserted(shop("rsa2048"), "yubikey") as card:
        for text in NOT_PINS:
            with start() as helper:
                assert helper.warm().ready, helper.text
                card.reset_count()
                helper.login(text)
                assert helper.outcome == "pin-malformed", text
                assert card.count() == 0 and card.tries() == 3


def test_no_pin_is_refused_without_a_pin_pad(card):
    with opensc() as helper:
        helper.warm()
        card.reset_count()
        assert helper.login(None).outcome == "pin-malformed"
        assert card.count() == 0


def test_signature_key_that_wants_the_pin_each_time(pcscd, shop):
    with inserted(shop("rsa2048", ("9a", "9c"))) as card:
        with opensc(sign("02", DATA) + sign("02", b"again")) as helper:
            helper.warm()
            reset()
            card.reset_count()
            helper.login(PIN)
            assert helper.outcome == "ok", helper.text
            certificate = helper.certificates["02"][1]
            assert verifies(certificate, DATA, helper.signatures[0])
            assert verifies(certificate, b"again", helper.signatures[1])
            assert card.tries() == 3


def test_sign_and_decrypt_in_one_login(pcscd, shop):
    with inserted(shop("rsa2048", ("9a", "9d"))) as card:
        with opensc() as helper:
            store = helper.warm().certificates["03"][1]
        wrapped = [encrypt(store, b"store key"),
                   encrypt(store, b"secret", "-pkeyopt", "rsa_padding_mode:oaep", "-pkeyopt",
                           "rsa_oaep_md:sha256", "-pkeyopt", "rsa_mgf1_md:sha256")]
        with opensc(sign("01", DATA) + decrypt("03", wrapped[0])
                    + decrypt("03", wrapped[1], 256)) as helper:
            helper.warm()
            reset()
            card.reset_count()
            helper.login(PIN)
            assert helper.outcome == "ok", helper.text
            assert helper.secrets == [b"store key", b"secret"]
            assert names(card) == LOGIN + RSA * 3


@pytest.mark.parametrize("number", range(1, 7))
def test_card_pulled_at_each_apdu_of_a_login(card, number):
    """OpenSC 0.23 hangs in a lock of its own when it goes at the first two: killed then."""
    with opensc(timeout=1500) as helper:
        helper.warm()
        reset()
        card.reset_count()
        card.remove_at(number)
        helper.login(PIN)
        assert helper.outcome != "ok" and not helper.signatures
        assert helper.end == (("killed", 9) if helper.timed_out else ("exited", 1))
        assert not helper.timed_out or number <= 2
        assert card.verify_count() <= 1


@pytest.mark.parametrize("number", (1, 3, 4, 6))
def test_garbage_at_any_apdu_makes_no_signature(card, number):
    """Garbage for the discovery object is read over; then the signature is good."""
    with opensc() as helper:
        helper.warm()
        reset()
        card.reset_count()
        card.garbage_at(number, 40)
        helper.login(PIN)
        assert helper.end is not None and card.verify_count() <= 1
        assert not helper.signatures or number == 1
        for signature in helper.signatures:
            assert verifies(helper.certificates["01"][1], DATA, signature)


def test_silent_card_is_ended_from_outside(card):
    with opensc(timeout=1500) as helper:
        helper.warm()
        card.silent_at(3)
        helper.login(PIN)
        assert helper.timed_out and helper.end == ("killed", 9) and helper.outcome is None
    card.speak()


def test_other_application_selected_behind_the_back(card):
    """A reset clears it: the PIN goes to PIV, which is selected again first."""
    with opensc() as helper:
        helper.warm()
        with scard.Context() as pcsc, pcsc.connect(READER) as rival:
            rival.transmit("00A4040009A00000030800001000")
            rival.transmit("00A4040008A000000151000000")
        reset()
        card.reset_count()
        assert helper.login(PIN).outcome == "ok"
        assert card.misdirected_count() == 0 and card.verify_count() == 1


def test_control_a_program_that_leaves_lets_others_use_its_pin(card):
    """The same look at the card after a careless program: it is still verified."""
    with scard.Context() as pcsc, pcsc.connect(READER) as careless:
        careless.transmit("00A4040009A00000030800001000")
        careless.transmit("0020008008" + PIN.encode().hex() + "ffff")
    with scard.Context() as pcsc, pcsc.connect(READER) as rival, rival.transaction():
        assert card.verified()


def test_nobody_else_is_verified_after_a_login(card):
    """The card is reset before the transaction ends: others find it locked."""
    with opensc() as helper:
        helper.warm()
        reset()
        assert helper.login(PIN).outcome == "ok"
        with scard.Context() as pcsc, pcsc.connect(READER) as rival, rival.transaction():
            assert not card.verified()


def test_rival_that_waits_during_a_login_finds_the_card_locked(card):
    seen = []

    def rival():
        with scard.Context() as pcsc, pcsc.connect(READER) as connection:
            with connection.transaction():
                seen.append(card.verified())

    with opensc() as helper:
        helper.warm()
        card.reset_count()
        card.latency(60)
        thread = threading.Thread(target=lambda: (card.wait_verify(), rival()))
        thread.start()
        assert helper.login(PIN).outcome == "ok"
        thread.join(10)
        assert seen == [False]


class Pest(threading.Thread):
    """A program that tries to use the key all the time; `words`: the status words it got."""

    SIGN = bytes.fromhex("0087119a267c2482008120") + bytes(32) + b"\0"

    def __init__(self):
        super().__init__()
        self.words, self.wanted = set(), True

    def run(self):
        with scard.Context() as pcsc:
            connection = pcsc.connect(READER)
            while self.wanted:
                try:
                    self.words.add(connection.transmit(self.SIGN)[1])
                except scard.SCardError:
                    connection.reconnect()

    def __enter__(self):
        self.start()
        return self

    def __exit__(self, *_):
        self.wanted = False
        self.join(10)


def test_control_a_program_that_tries_all_the_time_uses_a_pin_left_behind(pcscd, shop):
    with inserted(shop("p256"), "yubikey") as card, scard.Context() as pcsc:
        with pcsc.connect(READER) as careless:
            careless.transmit("00A4040009A00000030800001000")
            with Pest() as pest:
                card.wait_apdu(20)
                careless.transmit("0020008008" + PIN.encode().hex() + "ffff")
                card.wait_apdu(card.count() + 20)
        assert 0x9000 in pest.words


def test_program_that_tries_all_the_time_never_uses_the_key(pcscd, shop):
    with inserted(shop("p256"), "yubikey") as card:
        for _ in range(10):
            with opensc() as helper:
                helper.warm()
                with Pest() as pest:
                    card.reset_count()
                    card.wait_apdu(20)
                    helper.login(PIN)
                    card.wait_apdu(card.count() + 20)
                assert helper.outcome == "ok", helper.text
                assert 0x9000 not in pest.words and card.sign_count() == 1


def test_after_a_wrong_pin_the_reader_is_free(card):
    with opensc() as helper:
        assert helper.run("999999").outcome == "pin-wrong"
    with scard.Context() as pcsc, pcsc.connect(READER) as rival, rival.transaction():
        assert not card.verified()


def test_reader_without_card(pcscd):
    with scard.Context() as pcsc:
        pcsc.wait_no_card(READER)
    with opensc() as helper:
        helper.warm()
        assert helper.outcome == "card-unreadable" and helper.end == ("exited", 1)


def test_only_the_named_reader_is_touched(card, shop):
    with scard.Context() as pcsc:
        pcsc.wait_no_card(OTHER)
        with PivCard(shop("p256"), port=35964) as other:
            pcsc.wait_card(OTHER)
            other.wait_powered()
            other.reset_count()
            with opensc() as helper:
                assert helper.run(PIN).outcome == "ok"
            assert other.count() == 0
            other.reset_count()
            card.reset_count()
            with Helper(OPENSC, OTHER, others=[READER], driver="PIV-II",
                        operations=sign("01", DATA)) as helper:
                assert helper.warm().ready
            assert card.count() == 0 and other.count() > 0


@pytest.mark.parametrize("kind,scheme", [("rsa2048", 1), ("p256", 3)])
def test_ykcs11_signs(pcscd, shop, kind, scheme):
    with inserted(shop(kind), "yubikey") as card, ykcs11() as helper:
        helper.warm()
        reset()
        card.reset_count()
        helper.login(PIN)
        assert (helper.outcome, helper.end) == ("ok", ("exited", 0)), helper.text
        assert helper.signatures[0][0] == scheme
        assert verifies(helper.certificates["01"][1], DATA, helper.signatures[0])
        assert card.verify_count() == 1 and card.misdirected_count() == 0


def test_ykcs11_wrong_pin_spends_exactly_one_try(pcscd, shop):
    with inserted(shop("rsa2048"), "yubikey") as card, ykcs11() as helper:
        helper.warm()
        card.reset_count()
        assert helper.login("999999").outcome == "pin-wrong"
        assert card.verify_count() == 1 and card.tries() == 2


def test_two_helpers_on_one_card_take_turns(card):
    """A successor warms up while the first one waits; neither spoils the other."""
    with opensc() as first, opensc() as second:
        first.warm()
        second.warm()
        reset()
        assert first.login(PIN).outcome == "ok"
        reset()
        assert second.login(PIN).outcome == "ok"
        assert card.tries() == 3
