#!/usr/bin/env python3
"""The ring of the log route. Called by run.sh.

    run.py [--only WORDS] [--but WORDS] PART...     the tests whose sentence has these words, or has not

AUTHALERT_BUILD: where the artifacts are (default: target/release).
"""

import argparse
import os
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [HERE, *(os.path.join(os.path.dirname(HERE), other) for other in ("system", "harness", ""))]
sys.dont_write_bytecode = True

parser = argparse.ArgumentParser()
parser.add_argument("--only", default="")
parser.add_argument("--but")
parser.add_argument("--inside", action="store_true")
parser.add_argument("parts", nargs="+", choices=("storm", "large", "steps", "troubles", "disk", "live", "sources", "coverage"))
options = parser.parse_args()

if {"disk", "live", "sources", "coverage"} & set(options.parts):
    import machine
    machine.enter()

import report  # noqa: E402

for part in options.parts:
    __import__(part)
if options.but:
    report.TESTS[:] = [test for test in report.TESTS if options.but not in test[0]]
sys.exit(report.run(options.only))
