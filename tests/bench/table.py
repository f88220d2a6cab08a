# SPDX-License-Identifier: Apache-2.0
"""What a benchmark found: printed for people, and a row each of name, value and unit."""
import argparse
import os
import pathlib
import tempfile

import meter


class Table:
    """Rows of name, value and unit; and what is printed of them, with a word on each."""

    def __init__(self):
        self.rows, self.lines = [], []

    def add(self, name, value, unit, note=""):
        self.rows.append((name, value, unit))
        self.lines.append("%-32s %9s %-5s %s" % (name, self.number(value), unit, note))

    def times(self, name, values, note):
        """The median; the least and the 95th percentile as rows of their own."""
        least, most = min(values), meter.p95(values)
        self.add(name, meter.median(values), "ms",
                 "[%s, p95 %s] %s" % (self.number(least), self.number(most), note))
        self.rows += [(name + "_min", least, "ms"), (name + "_p95", most, "ms")]

    def value(self, name):
        return next(row[1] for row in self.rows if row[0] == name)

    @staticmethod
    def number(value):
        if isinstance(value, int):
            return "%d" % value
        return "%.1f" % value if value >= 10 else "%.3f" % value

    def print(self):
        print("\n".join(self.lines))

    def write(self, path, mode="w"):
        lines = ["%s\t%s\t%s\n" % (name, self.number(value), unit)
                 for name, value, unit in self.rows]
        with open(path, mode, encoding="utf-8") as file:
            file.writelines(lines)


def add_rows(program, measure, rounds):
    """Runs measure(home, rounds), which returns a Table, and adds its rows to the file that the
    command line names: PROGRAM OUT.tsv [--rounds N]."""
    parser = argparse.ArgumentParser(prog=program)
    parser.add_argument("out")
    parser.add_argument("--rounds", type=int, default=rounds)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="hygie-bench-") as home:
        os.chmod(home, 0o755)
        table = measure(pathlib.Path(home), options.rounds)
    table.print()
    table.write(options.out, "a")
