"""A worker of a few lines that speaks the keeper's language; its behaviour is the model's name."""

from __future__ import annotations

import os
import signal
import sys

from everfit.live import orders
from everfit.live.orders import Channel, Start


def main() -> int:
    """Answer orders; models called ``dies``, ``hangs`` or ``fails`` do so when they are ordered."""
    channel = Channel(int(sys.argv[1]))
    try:
        while True:
            for message in channel.receive():
                act = message.get("do")
                if act == "begin":
                    start = Start.from_dict(message["start"])
                    if start.serving.get("stillborn"):
                        return 3
                    channel.send({"did": "began", "worker": start.worker, "spool": start.spool})
                elif act == "go":
                    channel.send(orders.ready())
                elif act == "serve":
                    serve(channel, message)
                elif act == "drain":
                    return 0
                else:
                    channel.send({"did": "heard", "message": message})
    except EOFError:
        return 1


def serve(channel: Channel, order: orders.Message) -> None:
    """Obey an order in the way of its model."""
    if order["model"] == "dies":
        os.kill(os.getpid(), signal.SIGSEGV)
    if order["model"] == "hangs":
        signal.pause()
    if order["model"] == "fails":
        channel.send(orders.failed("fails", order["rev"], 1, {"message": "no"}))
    else:
        channel.send(orders.serving(order["model"], order["rev"]))


if __name__ == "__main__":
    sys.exit(main())
