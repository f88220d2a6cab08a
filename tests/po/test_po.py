# SPDX-License-Identifier: Apache-2.0
"""The texts of tools/po: complete, in step with the source, and fit to be shown anywhere."""

import pathlib
import re
import subprocess
import unicodedata

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]
PO = ROOT / "tools" / "po"
LINGUAS = [line for line in (PO / "LINGUAS").read_text().splitlines() if not line.startswith("#")]
TEXT_MAX = 512  # HYGIE_TEXT_MAX, PAM_MAX_MSG_SIZE; with the terminator
# The longest arguments there can be, in bytes: of user names Linux allows 32, of the rest
# what hygied's buffers hold; an issuer's name is cut.
LONGEST = {"Card of {1} in {2}.": (255, 128),
           "Card of {1} ({2}), issued by {3}, for user {4}.": (127, 32 + 128, 64, 32),
           **{text: (64, 63, 10, 127) for text in (
               "Record store {1}: {2} (process {3}) still has {4}. Save your work and close it; "
               "the store then closes by itself.",
               "Record store {1}: {2} (process {3}) still has {4}, and there is more: see \"hygie "
               "store status\". Save your work and close it; the store then closes by itself.")},
           "Copied: {1} of {2} files, {3} of {4} MiB.": (23, 23, 23, 23),
           "Compared: {1} of {2} files, {3} of {4} MiB.": (23, 23, 23, 23),
           "Done. Rights granted: {1}. Rights taken away: {2}.": (15, 15)}
LONGEST_ARGUMENT = 255  # TEXT_ARGUMENT_SIZE
UNESCAPED = {"\\n": "\n", "\\t": "\t", '\\"': '"', "\\\\": "\\"}


def unquoted(lines):
    """A string of several quoted parts, as C and .po files write it."""
    text = "".join(re.findall(r'"((?:[^"\\]|\\.)*)"', lines))
    return re.sub(r"\\.", lambda found: UNESCAPED.get(found.group(), found.group()), text)


def entries(path):
    """Pairs of English and translation, in order, without the head."""
    found = re.findall(r'^msgid ((?:".*"\n)+)msgstr ((?:".*"\n?)+)', path.read_text("utf-8"), re.M)
    return [(unquoted(english), unquoted(text)) for english, text in found if unquoted(english)]


def rendered(text, longest):
    return re.sub(r"\{([1-4])\}", lambda found: "x" * longest[int(found.group(1)) - 1], text)


def every_text():
    for english, _ in entries(PO / "hygie.pot"):
        yield "en", english, english
    for language in LINGUAS:
        for english, text in entries(PO / (language + ".po")):
            yield language, english, text


def test_template_is_what_the_source_says(tmp_path):
    """If not: make po."""
    made = tmp_path / "build" / "hygie.pot"
    subprocess.run(["make", "-s", "BUILD=%s" % made.parent, str(made)], cwd=ROOT, check=True)
    assert entries(made) == entries(PO / "hygie.pot")
    assert len(entries(made)) > 100


def test_each_language_is_listed():
    assert sorted(path.stem for path in PO.glob("*.po")) == sorted(LINGUAS) == ["de", "fr"]


@pytest.mark.parametrize("language", LINGUAS)
def test_every_text_is_translated_and_none_is_left_over(language):
    path = PO / (language + ".po")
    assert [pair[0] for pair in entries(path)] == [pair[0] for pair in entries(PO / "hygie.pot")]
    assert not [english for english, text in entries(path) if not text]
    assert not re.search(r"^#(, fuzzy|~)", path.read_text("utf-8"), re.M)


@pytest.mark.parametrize("language", LINGUAS)
def test_installed_catalogue_is_that_of_the_tree(language):
    path = "/usr/share/locale/%s/LC_MESSAGES/hygie.mo" % language
    text = subprocess.check_output(["msgunfmt", path], text=True, encoding="utf-8")
    installed = re.findall(r'^msgid ((?:".*"\n)+)msgstr ((?:".*"\n?)+)', text, re.M)
    assert {(unquoted(a), unquoted(b)) for a, b in installed if unquoted(a)} == \
        set(entries(PO / (language + ".po")))


def test_placeholders_agree():
    for language, english, text in every_text():
        assert sorted(re.findall(r"\{.\}", text)) == sorted(re.findall(r"\{.\}", english)), \
            (language, text)
        assert "%" not in text, (language, text)


def test_blanks_at_the_end_agree():
    """A prompt ends in a blank, a sentence does not."""
    for language, english, text in every_text():
        assert text.endswith(" ") == english.endswith(" ") and text[0] != " ", (language, text)
        assert "  " not in text, (language, text)


def test_longest_sentence_fits_a_message():
    for language, english, text in every_text():
        longest = LONGEST.get(english, (LONGEST_ARGUMENT,) * 4)
        assert len(rendered(text, longest).encode()) < TEXT_MAX, (language, text)


def test_no_character_does_more_than_to_be_read():
    """No controls, nothing that Latin-1 lacks, no symbols that a screen reader spells out."""
    for language, _, text in every_text():
        assert text.encode("iso-8859-1"), (language, text)
        for character in text:
            assert unicodedata.category(character)[0] not in "CMS" and character not in "*_#/\\", \
                (language, character, text)


def test_prompts_name_the_holder_in_each_language():
    for language, english, text in every_text():
        if english.endswith(": ") and "PIN" in english:
            assert "{1}" in text, (language, text)


@pytest.mark.parametrize("way_out", ["hygie pin unblock", "PUK", "dministrat"])
def test_blocked_card_is_told_each_way_out(way_out):
    told = [text for _, english, text in every_text() if "card is blocked" in english
            and "Unblock" in english]
    assert len(told) == 2 * (1 + len(LINGUAS))
    assert all(way_out in text for text in told)


def literals(path):
    """Strings of a C file, adjacent ones joined; comments and log lines left out."""
    source = re.sub(r"/\*.*?\*/", "", path.read_text("utf-8"), flags=re.S)
    source = re.sub(r"\b(log_\w+|fprintf)\((?:[^;\"]|\"(?:[^\"\\]|\\.)*\")*;", ";", source)
    for found in re.finditer(r'(?:"(?:[^"\\\n]|\\.)*"\s*)+', source):
        yield unquoted(found.group())


@pytest.mark.parametrize("folder", ["tools/hygied", "tools/hygie", "tools/libhygie", "pam"])
def test_no_sentence_is_left_unmarked(folder):
    """What a person reads is marked with N_() or tr(); else it never reaches a translator.
    What identity*.c and main.c of hygied say goes into the journal; hygie pam speaks of files
    and lines to an administrator, in English as hygie config check does."""
    known = {english for english, _ in entries(PO / "hygie.pot")}
    sentence = re.compile(r"[A-Z{][^\n]* [^\n]*[.:?] ?\Z")
    unmarked = [text for path in sorted((ROOT / folder).glob("*.c"))
                if not re.match("identity|main|pam_", path.name) for text in literals(path)
                if sentence.match(text) and text not in known]
    assert not unmarked
