# SPDX-License-Identifier: Apache-2.0
"""What the demonstration looks like: 80 columns, colours on a terminal only, plain in a pipe."""
import os
import sys
import textwrap

WIDTH = 79
TIME = 9  # columns of "  1234 ms"
STYLES = {"heading": "1", "good": "32", "bad": "31;1", "quiet": "2", "program": "36", "felt": "1", "refused": "33"}


def colours_wanted(stream=sys.stdout):
    return (stream.isatty() and not os.environ.get("NO_COLOR")
            and os.environ.get("TERM", "dumb") != "dumb")


class Screen:
    def __init__(self, stream=sys.stdout):
        self.stream, self.colours = stream, colours_wanted(stream)

    def _put(self, text="", style=None):
        if style and self.colours:
            text = "\033[%sm%s\033[0m" % (STYLES[style], text)
        self.stream.write(text + "\n")
        self.stream.flush()

    def blank(self):
        self._put()

    def paragraph(self, text, style=None):
        for line in textwrap.wrap(text, WIDTH):
            self._put(line, style)

    def heading(self, number, title):
        self._put()
        self._put("%2d  %s" % (number, title), "heading")

    def row(self, milliseconds, text, style=None, mark=""):
        """One moment; `milliseconds` None for what has none. A long text goes on below."""
        time = "" if milliseconds is None else "%d ms" % round(milliseconds)
        lines = textwrap.wrap(text, WIDTH - TIME - 2 - len(mark)) or [""]
        for line in lines:
            self._put("%*s  %s%s" % (TIME, time, mark, line), style)
            time = ""

    def said(self, milliseconds, text):
        """What a program wrote on the person's screen."""
        self.row(milliseconds, text, "program", "| ")

    def felt(self, text):
        lines = textwrap.wrap(text, WIDTH - TIME - 2)
        for index, line in enumerate(lines):
            self._put("%*s  %s" % (TIME, "" if index else "=", line), "felt")

    def verdict(self, good, text):
        self._put(text, "good" if good else "bad")

    def lines(self, lines, style=None):
        for line in lines:
            self._put(line, style)
