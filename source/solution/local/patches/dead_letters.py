"""A dead-letter queue gives its own reader as many attempts as its own policy says.

MiniStack compares the limit with how often a message was received in all queues: a message that comes from a queue with
the same limit passes through a dead-letter queue unread, into the one behind it. On AWS the attribute
``ApproximateReceiveCount`` is of all queues (*ReceiveMessage*), while each queue counts for itself.
"""

from __future__ import annotations

import json
from typing import Any, Final

from ministack.services import sqs

from solution.local.patches.seam import Seam

_ELSEWHERE: Final = "received_in_other_queues"


def apply() -> None:
    """Wrap the moving of messages to dead-letter queues."""
    seam = Seam(sqs)
    seam.require("_queue_by_arn")
    seam.replace("_dlq_sweep", _sweeping, parameters=("q",))


def _sweeping(original: Any) -> Any:
    def sweep(q: dict[str, Any]) -> None:
        before = len(q["messages"])
        from_elsewhere = [message for message in q["messages"] if message.get(_ELSEWHERE)]
        for message in from_elsewhere:
            message["receive_count"] -= message[_ELSEWHERE]
        original(q)
        for message in from_elsewhere:
            message["receive_count"] += message[_ELSEWHERE]
        if moved := before - len(q["messages"]):
            dead_letters = sqs._queue_by_arn(json.loads(q["attributes"]["RedrivePolicy"])["deadLetterTargetArn"])
            # copies of those that were here, behind what was there
            for message in dead_letters["messages"][-moved:]:
                message["receive_count"] += message.get(_ELSEWHERE, 0)
                message[_ELSEWHERE] = message["receive_count"]

    return sweep
