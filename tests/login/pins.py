# SPDX-License-Identifier: Apache-2.0
"""Changing and unblocking a PIN, word by word: what is asked, answered and told."""
import contextlib

import dialogues
import station as st
import wire

ALICE, BOB = 1, 2
NEW, OTHER, WRONG, PUK, WRONG_PUK = "246810", "135791", "654321", "12345678", "87654321"


class Told:
    """How a dialogue came out, and what was said on the way."""

    def __init__(self):
        self.outcome, self.text, self.prompts, self.sentences = None, "", [], []
        self.message = None  # the result's

    def __repr__(self):
        return "Told(%s %r, prompts=%r, said=%r)" % (self.outcome, self.text, self.prompts,
                                                     self.sentences)


def converse(request, *answers, **fields):
    """Asks as root. An answer may be a function, called while the prompt waits; None hangs
    up the conversation. Returns a Told."""
    told, answers = Told(), list(answers)
    with dialogues.ask(request, **fields) as link:
        link.settimeout(st.PATIENCE)
        while True:
            message = dialogues.hear(link, "PROMPT", "RESULT", "INFO", "WARNING")
            if message.type == "RESULT":
                told.outcome, told.text = dialogues.outcome(message), message.get("TEXT", "")
                told.message = message
                return told
            if message.type != "PROMPT":
                told.sentences.append(message.get("TEXT"))
                continue
            told.prompts.append(message.get("TEXT"))
            answer = answers.pop(0) if answers else None
            if callable(answer):
                answer = answer()
            with contextlib.suppress(BrokenPipeError):  # it has the result to tell
                if answer is None:
                    link.sendall(wire.encode("CANCEL"))
                else:
                    link.sendall(wire.encode("ANSWER", {"ANSWER": answer.encode()}))


def change(*answers, **fields):
    return converse("REQUEST_PIN_CHANGE", *answers, **fields)


def unblock(*answers, **fields):
    return converse("REQUEST_PIN_UNBLOCK", *answers, **fields)


def changes(card):
    """The card's commands that change or set a PIN, as (name, status word)."""
    return [(apdu.name, apdu.sw) for apdu in card.log()
            if apdu.name in ("CHANGE-REFERENCE-DATA", "RESET-RETRY-COUNTER")]
