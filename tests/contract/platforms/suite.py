"""The contract suite: what every survey platform owes, whichever the vendor.

A platform gets it by naming itself: `class TestX(PlatformContract): account = XAccount`. Every test runs the real
daemon on a real store between the platform's look-alike and Segment's, in virtual time.
"""

from contract.platforms.beside import Beside
from contract.platforms.history import History
from contract.platforms.hooks import Hooks
from contract.platforms.news import News
from contract.platforms.quiet import Quiet
from contract.platforms.records import Records
from contract.platforms.restarts import Restarts
from contract.platforms.trouble import Trouble


class PlatformContract(History, News, Hooks, Records, Trouble, Restarts, Quiet, Beside):
    """Everything at once."""
