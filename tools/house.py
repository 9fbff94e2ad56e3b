# SPDX-License-Identifier: Apache-2.0
"""What the tools share: where the tree is, which rooms there are, arguments, how to print TAP."""
import os
import re
import sys

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
BUILD = os.path.join(ROOT, os.environ.get("O") or "build")  # as in the Makefile
OS_RANK = 10  # rooms from here up may use the operating system


def arguments(doc, *options):
    """The command line's words. --help prints doc and ends; an option that is not among `options`
    is one sentence and exit status 2."""
    words = sys.argv[1:]
    if "-h" in words or "--help" in words:
        print(doc.strip())
        sys.exit(0)
    for w in words:
        if w.startswith("-") and w not in options:
            print("%s: no option %s; --help lists them" % (os.path.relpath(sys.argv[0], ROOT), w),
                  file=sys.stderr)
            sys.exit(2)
    return words


def room_ranks(root=ROOT):
    """{room: rank}, read from src/meson.build so that ranks are written in one place."""
    with open(os.path.join(root, "src", "meson.build")) as f:
        text = f.read()
    table = re.search(r"^room_ranks = \[(.*?)^\]", text, re.M | re.S).group(1)
    ranks = {}
    rows = re.findall(r"^\s*\[([^\]]*)\]", table, re.M)
    for rank, row in enumerate(rows):
        for room in re.findall(r"'(\w+)'", row):
            ranks[room] = rank
    return ranks


class Tap:
    """Prints test results as TAP lines and remembers whether one failed."""

    def __init__(self):
        self.n = 0
        self.failed = 0

    def result(self, what, problems=()):
        self.n += 1
        problems = list(problems)
        print("%sok %d - %s" % ("not " if problems else "", self.n, what))
        for p in problems:
            print("# " + p)
        self.failed += bool(problems)

    def status(self):
        return 1 if self.failed else 0
