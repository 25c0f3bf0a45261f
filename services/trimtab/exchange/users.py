"""User streams: which websocket connections hear which account."""

from collections import defaultdict

from trimtab.exchange.streams import Connection, Hub


class UserStreams:
    """Subscriptions of websocket API connections to accounts' events; ids count from 0 per connection."""

    def __init__(self, hub: Hub) -> None:
        self._hub = hub
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

    def publish(self, account: str, event: bytes) -> None:
        """Send an account's event to all who hear it."""
        for connection, subscription in self._listeners.get(account, ()):
            connection.send(b'{"subscriptionId":%d,"event":%b}' % (subscription, event))
            self._hub.sent += 1
