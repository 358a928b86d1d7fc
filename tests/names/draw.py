#!/usr/bin/env python3
"""Draws a hundred lines of data/resolved.csv by a seed that it prints, for checking by hand against the makers' own pages.

    python3 tests/names/draw.py [SEED]
"""

import csv
import pathlib
import random
import sys

SEED = int(sys.argv[1]) if len(sys.argv) > 1 else 20261124
DATA = pathlib.Path(__file__).parent / "data"
COLUMNS = ["provider", "model", "registry_model", "match"]


def main():
    with open(DATA / "resolved.csv", newline="", encoding="utf-8") as file:
        rows = [row for row in csv.DictReader(file) if row["match"] not in ("none", "size-parsed")]
    print(f"seed {SEED}, {len(rows)} lines", file=sys.stderr)
    writer = csv.DictWriter(sys.stdout, COLUMNS, extrasaction="ignore", lineterminator="\n")
    writer.writeheader()
    for row in random.Random(SEED).sample(rows, 100):
        writer.writerow(row)


main()
