"""The time factor reaches messages that come again after their function has failed.

MiniStack hides them in real time: six times a quarter of an hour for a message whose function has died, which in
compressed time is days. While the function runs, its messages stay hidden however long it takes, since on AWS a
visibility timeout is longer than that (*Configuring an Amazon SQS queue to use with Lambda*).
"""

from __future__ import annotations

import time
from typing import Any, Final

from ministack.services import sqs

from solution.local.patches.seam import Seam
from solution.local.settings import GatewaySettings

_SHORTEST_DELAY: Final = 1.0
"""Seconds until a message comes again, unless it is to come sooner: five attempts must not be over in no time."""


def apply(settings: GatewaySettings) -> None:
    """Wrap the invocation for a batch, and the restoring of queues at a start."""
    seam = Seam(sqs)
    seam.require("_queues", "_queues_lock")

    def shorten(messages: list[dict[str, Any]]) -> None:
        now = time.time()
        for message in messages:
            left = message.get("visible_at", 0.0) - now
            if left > 0:
                message["visible_at"] = now + max(min(left, _SHORTEST_DELAY), left / settings.time_factor)

    def shortening(original: Any) -> Any:
        def run(esm: Any, func_rec: Any, event: Any, batch: list[dict[str, Any]], *queue: str) -> None:
            handles = [message["receipt_handle"] for message in batch]
            original(esm, func_rec, event, batch, *queue)
            with sqs._queues_lock:
                # what has been received again meanwhile is in somebody else's hands
                shorten([one for one, handle in zip(batch, handles, strict=True) if one["receipt_handle"] == handle])

        return run

    Seam("ministack.services.lambda_svc").replace(
        "_run_sqs_batch",
        shortening,
        parameters=("esm", "func_rec", "event", "batch", "queue_url", "queue_name"),
    )

    def restoring(original: Any) -> Any:
        def load(data: Any) -> Any:
            answer = original(data)
            with sqs._queues_lock:
                for queue in sqs._queues.all_values():
                    shorten([message for message in queue["messages"] if message.get("receive_count")])
            return answer

        return load

    seam.replace("load_persisted_state", restoring, parameters=("data",))
