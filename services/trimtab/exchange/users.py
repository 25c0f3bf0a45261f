"""User streams: which websocket connections hear which account."""

from collections import defaultdict
from collections.abc import Mapping

import orjson

from trimtab.exchange.streams import Connection, Hub
from trimtab.exchange.tampering import Tampering


class UserStreams:
    """Subscriptions of websocket API connections to accounts' events; ids count from 0 per connection."""

    def __init__(self, hub: Hub, tampering: Tampering) -> None:
        self._hub = hub
        self._tampering = tampering
        self._listeners: defaultdict[str, list[tuple[Connection, int]]] = defaultdict(list)
        self._next_id: defaultdict[Connection, int] = defaultdict(int)

    def subscribe(self, connection: Connection, account: str) -> int:
        """Let a connection hear an account; the subscription's id."""
        subscription = self._next_id[connection]
        self._next_id[connection] += 1
        self._listeners[account].append((connection, subscription))
        return subscription

    def unsubscribe(self, connection: Connection, subscription: int | None = None) -> None:
        """End one of a connection's subscriptions, or all."""
        for account, listeners in list(self._listeners.items()):
            self._listeners[account] = [
                (other, number)
                for other, number in listeners
                if other is not connection or (subscription is not None and number != subscription)
            ]

    def leave(self, connection: Connection) -> None:
        """Forget a connection."""
        self.unsubscribe(connection)
        self._next_id.pop(connection, None)

    def heard(self) -> bool:
        """Whether anybody hears any account."""
        return any(self._listeners.values())

    def publish(self, account: str, event: Mapping[str, object]) -> None:
        """Send an account's event to all who hear it."""
        if not self._listeners.get(account):
            return
        stream, message = f"{account}@{event['e']}", orjson.dumps(event)
        for passed in self._tampering.passed("user", stream, message, self._send):
            self._send(stream, passed)

    def _send(self, stream: str, event: bytes) -> None:
        for connection, subscription in self._listeners.get(stream.partition("@")[0], ()):
            self._hub.sent += connection.tell(stream, b'{"subscriptionId":%d,"event":%b}' % (subscription, event))
