"""Run the end-to-end tests and end with "N passed, N failed".

A skipped test counts as failed: what was not run was not shown.
"""
import os
import sys

import pytest


class Count:
    """Prints each test as a sentence and counts what became of it."""

    def __init__(self):
        self.passed = 0
        self.failed = 0

    def pytest_runtest_logreport(self, report):
        name = report.nodeid.split("::")[-1].removeprefix("test_")
        name = name.replace("_", " ")
        if report.when == "call" and report.passed:
            self.passed += 1
            print(f"\nok - {name}", end="")
        elif report.failed or report.skipped:
            self.failed += 1
            print(f"\nnot ok - {name} ({report.when}, {report.outcome})",
                  end="")


def main():
    here = os.path.dirname(os.path.abspath(__file__))
    count = Count()
    arguments = ["-q", "-p", "no:cacheprovider", "--no-header",
                 "--show-capture=all", "--durations=10"]
    status = pytest.main(arguments + (sys.argv[1:] or [here]),
                         plugins=[count])
    if status not in (pytest.ExitCode.OK, pytest.ExitCode.TESTS_FAILED):
        count.failed += 1
    print(f"\n{count.passed} passed, {count.failed} failed")
    return 1 if count.failed else 0


if __name__ == "__main__":
    sys.exit(main())
