"""The simulated exchange: a process of its own that speaks Binance spot's or Coinbase Exchange's REST and websockets.

One venue (engine, accounts, journal, faults) stands behind every dialect (`dialect`): Binance's is spread over this
package, Coinbase's is the package `coinbase`.

Three clocks, kept apart on purpose:

- **server time** is the wall clock. `/api/v3/time`, `timestamp` and `recvWindow` are checked against it, at any speed.
- **market time** is the tape's clock: recorded event times for a recording, start time plus elapsed for a synthetic
  market, scaled by the speed factor. `E` and `T` in the streams, `transactTime`, `time` and `updateTime` of orders and
  trades are market time, because consumers order events by event time.
- the **recorder's** receive times only pace the tape; its constant offset against the event times is taken out.

The pure parts (engine, accounts, filters, book, market generators, faults) know none of them: time comes in with the
events.
"""
