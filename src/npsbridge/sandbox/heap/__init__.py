"""The look-alike of Heap's server-side API."""

from npsbridge.sandbox.heap.entries import HeapEvent
from npsbridge.sandbox.heap.server import SANDBOX_APP_ID, HeapServer
from npsbridge.sandbox.heap.switches import HeapSwitches

__all__ = ["SANDBOX_APP_ID", "HeapEvent", "HeapServer", "HeapSwitches"]
