"""One state directory and one configuration, as the command sees them."""

import json
import os
import subprocess


class Place:
    """Whoever inherits this sets `program`, the command, and gives each place its `state` and `config`."""

    def command(self, *words, config=True, timeout=60):
        """Run authalert on this place; gives exit status, output and errors."""
        place = ["--state", self.state] + (["--config", self.config] if config else [])
        done = subprocess.run([self.program, *place, *words], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                              stderr=subprocess.PIPE, timeout=timeout, text=True, errors="replace")
        return done.returncode, done.stdout, done.stderr

    def status(self):
        code, out, err = self.command("status", "--json")
        if code != 0:
            raise AssertionError("status: %d %s %s" % (code, out, err))
        return json.loads(out)

    def records(self):
        """The records in the journal, oldest segment first."""
        found = []
        directory = os.path.join(self.state, "journal")
        for name in sorted(os.listdir(directory)) if os.path.isdir(directory) else []:
            if name.endswith(".jsonl"):
                with open(os.path.join(directory, name)) as file:
                    found += [json.loads(line) for line in file if line.startswith('{"time"')]
        return found
