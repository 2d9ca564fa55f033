#!/usr/bin/env python3
"""The ring of the module: the built .so, driven by libpam, as whoever runs this; no root needed.

    run.py [PART OF A SENTENCE]        AUTHALERT_BUILD: where the artifacts are (default: target/release)
"""

import os
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [HERE, os.path.dirname(HERE)]
sys.dont_write_bytecode = True

import report  # noqa: E402
import stage  # noqa: E402

stage.prepare()
for part in ("results", "records", "logins", "items", "process", "command"):
    __import__(part)
sys.exit(report.run(sys.argv[1] if len(sys.argv) > 1 else ""))
