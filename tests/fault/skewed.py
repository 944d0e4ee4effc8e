"""`python skewed.py SECONDS run …`: npsbridge on a machine whose clock is so many seconds ahead, or behind."""

import sys
import time

SKEW = float(sys.argv.pop(1))
true_time = time.time
time.time = lambda: true_time() + SKEW

from npsbridge.cli import main  # noqa: E402 - whoever asks for the time has to be told a wrong one from the beginning

main()
