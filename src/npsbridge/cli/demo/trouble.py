"""What is left behind for those who stay: a platform that is away, and a survey that nobody knows to have gone out.

The dashboard shows both at once, and the second can be settled there.
"""

from typing import Final

from npsbridge.cli.demo.sdk import Sdk
from npsbridge.cli.demo.stage import Stage
from npsbridge.net.client import open_session
from npsbridge.sandbox import Answer, ResetAfterReading

_AWAY: Final = Answer(status=503, body="away for the rest of the demo")


async def leave_trouble(stage: Stage) -> None:
    """Let Promoter.io be away from now on, and SatisMeter's answer to a request for a survey be lost.

    Raises:
        Refused: the daemon did not take the call that asks for it.
    """
    stage.sandbox.promoter.faults.add(_AWAY, times=None)
    # SatisMeter cannot be asked afterwards what it did, so that a person has to decide.
    stage.sandbox.satismeter.faults.add(ResetAfterReading(), method="POST", path="type=track")
    first, second = stage.shop.buyers[:2]
    async with open_session() as session:
        sdk = Sdk(session, stage.daemon.public)
        await sdk.batch([stage.shop.order(first)])
        # What comes afterwards is told again, so that only Promoter.io stays in trouble.
        await sdk.batch([stage.shop.identify(second, is_changed=True)])
