"""Reads what the known-answer test prints, so that `pio test` needs no test library from the registry."""

import re

from platformio.public import TestCase, TestRunnerBase, TestStatus


class CustomTestRunner(TestRunnerBase):
    """`kat <model> ...` begins a model; `PASS <vectors>` or `FAIL <wrong> of <vectors>` ends it."""

    NAME = "custom"
    model = "kat"
    said = ""

    def on_testing_line_output(self, line):
        print(line, end="")
        self.said += line
        if found := re.match(r"kat (\S+) in ", line):
            self.model = found[1]
        if found := re.match(r"(PASS|FAIL) \d+", line):
            status = TestStatus.PASSED if found[1] == "PASS" else TestStatus.FAILED
            self.test_suite.add_case(TestCase(name=self.model, status=status, message=line.strip(), stdout=self.said))
            self.test_suite.on_finish()
