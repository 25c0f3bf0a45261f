-- Every query of the shadow ledger, by name. `queries.py` reads this file; a block runs from its name to the next.

-- name: check_fence
-- Raises TT001 unless this epoch is the newest of its resource; holds newer owners back until the commit.
SELECT ledger.check_fence(%(resource)s, %(epoch)s)

-- name: lock_portfolio
-- The one lock that everything about a portfolio is written under. Not FOR UPDATE: foreign keys may look at it.
SELECT portfolio_id, ledger_version, ledger_sequence, document_version, document, dry_run, event_time_us,
       not_before_us, halted, halt_reason
FROM ledger.portfolio WHERE portfolio_id = %(portfolio_id)s FOR NO KEY UPDATE

-- name: kill_switch_over
-- The kill switch that holds for a portfolio, of all venues or of one it has an account at. A statement of its own:
-- it must see what was committed while the lock was waited for.
SELECT reason FROM ledger.kill_switch k
WHERE k.scope = 'all' OR k.name IN (
    SELECT a.venue FROM ledger.portfolio_account p JOIN ledger.venue_account a USING (account)
    WHERE p.portfolio_id = %(portfolio_id)s)
ORDER BY k.scope, k.name LIMIT 1

-- name: balances_of
SELECT holder, account, asset, posted, reserved FROM ledger.balance WHERE holder = %(holder)s

-- name: advance_portfolio
UPDATE ledger.portfolio
SET ledger_version = %(ledger_version)s, ledger_sequence = %(ledger_sequence)s, event_time_us = %(event_time_us)s,
    not_before_us = %(not_before_us)s, reason = coalesce(nullif(%(reason)s, ''), reason)
WHERE portfolio_id = %(portfolio_id)s

-- name: halt_portfolio
UPDATE ledger.portfolio SET halted = %(halted)s, halt_reason = %(reason)s WHERE portfolio_id = %(portfolio_id)s

-- name: positions_of
SELECT b.account, a.venue, b.asset, b.posted, b.reserved
FROM ledger.balance b JOIN ledger.venue_account a USING (account)
WHERE b.holder = %(portfolio_id)s AND b.posted <> 0
ORDER BY b.account, b.asset

-- name: open_orders_of
-- leaves: what posted balances will still change by. A closed parent ends at what the venue filled of it; fills that
-- are recorded but not booked are still to come.
SELECT * FROM (
    SELECT p.parent_id, p.account, p.instrument, p.base, p.quote, p.side, p.limit_price, p.written,
        CASE p.state
            WHEN 'closed' THEN (SELECT coalesce(sum(CASE
                    WHEN c.state IN ('filled', 'canceled', 'rejected', 'expired') THEN c.filled ELSE c.quantity END), 0)
                FROM ledger.child_order c WHERE c.parent_id = p.parent_id)
            ELSE greatest(p.quantity, p.filled) END
        - p.filled + (SELECT coalesce(sum(f.quantity), 0) FROM ledger.fill f
                      WHERE f.parent_id = p.parent_id AND f.entry_id IS NULL) AS leaves
    FROM ledger.parent_order p WHERE p.portfolio_id = %(portfolio_id)s AND p.state <> 'released' AND NOT p.dry_run
) open_order WHERE leaves > 0 ORDER BY written

-- name: recent_signals_of
SELECT event_time_us FROM ledger.signal
WHERE portfolio_id = %(portfolio_id)s AND outcome = 'accepted' AND event_time_us > %(since_us)s
ORDER BY event_time_us

-- name: add_signal
INSERT INTO ledger.signal (signal_id, portfolio_id, ledger_version, document_version, outcome, reason, event_time_us)
VALUES (%(signal_id)s, %(portfolio_id)s, %(ledger_version)s, %(document_version)s, %(outcome)s, %(reason)s,
        %(event_time_us)s)

-- name: add_parent
INSERT INTO ledger.parent_order (parent_id, signal_id, portfolio_id, venue, account, instrument, base, quote, side,
    quantity, decision_price, limit_price, urgency, volatility, depends_on, deadline_us, decided_us, shard, dry_run,
    state)
VALUES (%(parent_id)s, %(signal_id)s, %(portfolio_id)s, %(venue)s, %(account)s, %(instrument)s, %(base)s, %(quote)s,
    %(side)s, %(quantity)s, %(decision_price)s, %(limit_price)s, %(urgency)s, %(volatility)s, %(depends_on)s,
    %(deadline_us)s, %(decided_us)s, %(shard)s, %(dry_run)s, %(state)s)

-- name: change_parent
UPDATE ledger.parent_order
SET state = %(state)s, quantity = coalesce(%(quantity)s, quantity), reason = %(reason)s
WHERE parent_id = %(parent_id)s

-- name: add_child
INSERT INTO ledger.child_order (client_order_id, parent_id, attempt, account, kind, time_in_force, quantity, price,
    state, request_time_ms, placed_us, venue_order_id, cancel_requested)
SELECT %(client_order_id)s, parent_id, %(attempt)s, account, %(kind)s, %(time_in_force)s, %(quantity)s, %(price)s,
    %(state)s, %(request_time_ms)s, %(placed_us)s, %(venue_order_id)s, %(cancel_requested)s
FROM ledger.parent_order WHERE parent_id = %(parent_id)s

-- name: change_child
-- `recorded` is not written: it is the sum of the fills.
UPDATE ledger.child_order
SET kind = %(kind)s, time_in_force = %(time_in_force)s, quantity = %(quantity)s, price = %(price)s, state = %(state)s,
    request_time_ms = %(request_time_ms)s, placed_us = %(placed_us)s, venue_order_id = %(venue_order_id)s,
    filled = greatest(filled, %(filled)s), cancel_requested = %(cancel_requested)s, reason = %(reason)s
WHERE client_order_id = %(client_order_id)s

-- name: work_items
-- Parents that are not released, each with its latest child and the number of children.
SELECT p.parent_id, p.signal_id, p.portfolio_id, p.venue, p.account, p.instrument, p.base, p.quote, p.side, p.quantity,
    p.decision_price, p.limit_price, p.urgency, p.volatility, p.depends_on, p.deadline_us, p.decided_us, p.shard,
    p.state, p.filled, p.dry_run, p.reason,
    f.halted OR EXISTS (SELECT FROM ledger.kill_switch k
        WHERE k.scope = 'all' OR k.name IN (
            SELECT v.venue FROM ledger.portfolio_account q JOIN ledger.venue_account v USING (account)
            WHERE q.portfolio_id = p.portfolio_id)) AS halted,
    c.client_order_id AS c_client_order_id, c.attempt AS c_attempt, c.kind AS c_kind,
    c.time_in_force AS c_time_in_force, c.quantity AS c_quantity, c.price AS c_price, c.state AS c_state,
    c.request_time_ms AS c_request_time_ms, c.placed_us AS c_placed_us, c.venue_order_id AS c_venue_order_id,
    c.filled AS c_filled, c.recorded AS c_recorded, c.cancel_requested AS c_cancel_requested,
    (SELECT count(*) FROM ledger.child_order n WHERE n.parent_id = p.parent_id) AS attempts
FROM ledger.parent_order p
JOIN ledger.portfolio f USING (portfolio_id)
LEFT JOIN LATERAL (SELECT * FROM ledger.child_order l WHERE l.parent_id = p.parent_id
                   ORDER BY l.attempt DESC LIMIT 1) c ON true

-- name: work_item
-- include: work_items
WHERE p.parent_id = %(parent_id)s

-- name: work_of_portfolio
-- include: work_items
WHERE p.state <> 'released' AND p.portfolio_id = %(portfolio_id)s ORDER BY p.written

-- name: work_of_shards
-- include: work_items
WHERE p.state <> 'released' AND p.shard = ANY(%(shards)s) ORDER BY p.written

-- name: children
SELECT p.parent_id, p.signal_id, p.portfolio_id, p.venue, p.account, p.instrument, p.base, p.quote, p.side, p.quantity,
    p.decision_price, p.limit_price, p.urgency, p.volatility, p.depends_on, p.deadline_us, p.decided_us, p.shard,
    p.state, p.filled,
    c.client_order_id AS c_client_order_id, c.attempt AS c_attempt, c.kind AS c_kind,
    c.time_in_force AS c_time_in_force, c.quantity AS c_quantity, c.price AS c_price, c.state AS c_state,
    c.request_time_ms AS c_request_time_ms, c.placed_us AS c_placed_us, c.venue_order_id AS c_venue_order_id,
    c.filled AS c_filled, c.recorded AS c_recorded, c.cancel_requested AS c_cancel_requested
FROM ledger.child_order c JOIN ledger.parent_order p USING (parent_id)

-- name: child
-- include: children
WHERE c.client_order_id = %(client_order_id)s

-- name: child_by_venue_order
-- include: children
WHERE c.account = %(account)s AND c.venue_order_id = %(venue_order_id)s AND c.venue_order_id <> ''
    AND p.instrument = %(instrument)s
ORDER BY p.written DESC LIMIT 1

-- name: open_children
-- include: children
WHERE c.account = %(account)s AND (c.state IN ('initialized', 'submitted', 'accepted', 'partially_filled', 'unknown')
    OR c.recorded < c.filled)
ORDER BY p.written, c.attempt

-- name: add_fill
INSERT INTO ledger.fill (venue, account, trade_id, client_order_id, parent_id, portfolio_id, instrument, base, quote,
    side, price, quantity, fee, fee_asset, liquidity, event_time_us)
VALUES (%(venue)s, %(account)s, %(trade_id)s, %(client_order_id)s, %(parent_id)s, %(portfolio_id)s, %(instrument)s,
    %(base)s, %(quote)s, %(side)s, %(price)s, %(quantity)s, %(fee)s, %(fee_asset)s, %(liquidity)s, %(event_time_us)s)
ON CONFLICT (venue, account, trade_id) DO NOTHING
RETURNING trade_id

-- name: fills
SELECT venue, account, trade_id, portfolio_id, parent_id, client_order_id, instrument, side, base, quote, price,
    quantity, fee, fee_asset, liquidity, event_time_us, entry_id IS NOT NULL AS settled
FROM ledger.fill

-- name: fill
-- include: fills
WHERE venue = %(venue)s AND account = %(account)s AND trade_id = %(trade_id)s

-- name: unsettled_fills
-- include: fills
WHERE entry_id IS NULL ORDER BY recorded_at, venue, account, trade_id

-- name: fills_of_portfolio
-- include: fills
WHERE portfolio_id = %(portfolio_id)s AND event_time_us >= %(since_us)s ORDER BY event_time_us DESC LIMIT %(limit)s

-- name: mark_fill_settled
UPDATE ledger.fill SET entry_id = %(entry_id)s
WHERE venue = %(venue)s AND account = %(account)s AND trade_id = %(trade_id)s

-- name: releasable
SELECT state = 'closed' AND ledger.is_releasable(parent_id) AS releasable
FROM ledger.parent_order WHERE parent_id = %(parent_id)s

-- name: closed_parents
SELECT parent_id, signal_id, portfolio_id, venue, account, instrument, base, quote, side, quantity, decision_price,
    limit_price, urgency, volatility, depends_on, deadline_us, decided_us, shard, state, filled
FROM ledger.parent_order WHERE state = 'closed' ORDER BY written

-- name: add_reservation
INSERT INTO ledger.reservation (parent_id, holder, account, asset, amount, remaining)
VALUES (%(parent_id)s, %(holder)s, %(account)s, %(asset)s, %(amount)s, %(amount)s)

-- name: reservation
SELECT holder, account, asset, amount, remaining, state FROM ledger.reservation WHERE parent_id = %(parent_id)s

-- name: change_reservation
UPDATE ledger.reservation SET remaining = %(remaining)s, state = %(state)s WHERE parent_id = %(parent_id)s

-- name: lock_account
-- Guards what nobody holds yet in a venue account. Taken after the portfolio's lock, never before.
SELECT venue FROM ledger.venue_account WHERE account = %(account)s FOR NO KEY UPDATE

-- name: unallocated_of
SELECT holder, account, asset, posted, reserved FROM ledger.balance
WHERE holder = '~unallocated' AND account = %(account)s

-- name: add_entry
INSERT INTO ledger.entry (entry_id, kind, holder, event_time_us)
VALUES (%(entry_id)s, %(kind)s, %(holder)s, %(event_time_us)s)
ON CONFLICT (entry_id) DO NOTHING
RETURNING entry_id

-- name: add_postings
-- What is received comes before what is given, so that no balance dips below zero in between.
INSERT INTO ledger.posting (entry_id, line, holder, account, asset, amount)
SELECT %(entry_id)s, row_number() OVER (ORDER BY amount < 0, holder, account, asset), holder, account, asset, amount
FROM unnest(%(holders)s::text[], %(accounts)s::text[], %(assets)s::text[], %(amounts)s::numeric[])
    AS line (holder, account, asset, amount)
ORDER BY amount < 0, holder, account, asset

-- name: account_sums
-- What all holders of a venue account have together: what the venue should say.
SELECT asset, sum(posted) AS posted, sum(reserved) AS reserved FROM ledger.balance
WHERE account = %(account)s GROUP BY asset ORDER BY asset

-- name: holders_of
SELECT portfolio_id FROM ledger.portfolio_account WHERE account = %(account)s ORDER BY portfolio_id

-- name: is_quiet
SELECT NOT EXISTS (
        SELECT FROM ledger.child_order WHERE account = %(account)s
            AND (state IN ('initialized', 'submitted', 'accepted', 'partially_filled', 'unknown') OR recorded < filled))
    AND NOT EXISTS (SELECT FROM ledger.fill WHERE account = %(account)s AND entry_id IS NULL) AS quiet

-- name: add_messages
-- In the order of the arrays. The headers are the transaction's, and to them comes each message's own id.
INSERT INTO ledger.outbox (writer, topic, key, event_id, payload, header_names, header_values)
SELECT %(writer)s, topic, key, event_id, payload, %(header_names)s::text[],
    %(header_values)s::bytea[] || convert_to(event_id, 'UTF8')
FROM unnest(%(topics)s::text[], %(keys)s::text[], %(event_ids)s::text[], %(payloads)s::bytea[]) WITH ORDINALITY
    AS message (topic, key, event_id, payload, place)
ORDER BY place
ON CONFLICT (topic, event_id) DO NOTHING

-- name: known_messages
-- Which of these messages the outbox has already.
SELECT topic, event_id FROM ledger.outbox
JOIN unnest(%(topics)s::text[], %(event_ids)s::text[]) AS asked (topic, event_id) USING (topic, event_id)

-- name: claim_keys
-- The oldest unsent row of each key, which no other relay holds. Whoever holds it owns its key: what follows it in the
-- same key cannot be sent by anybody else.
SELECT id, key, writer, created_at < now() - make_interval(secs => %(stale_seconds)s) AS stale
FROM ledger.outbox o
WHERE sent_at IS NULL
    AND NOT EXISTS (SELECT FROM ledger.outbox e WHERE e.sent_at IS NULL AND e.key = o.key AND e.id < o.id)
    AND (writer = %(writer)s OR created_at < now() - make_interval(secs => %(stale_seconds)s))
ORDER BY id LIMIT %(keys_max)s
FOR UPDATE SKIP LOCKED

-- name: unsent_of_key
SELECT id, topic, event_id, payload, header_names, header_values, created_at FROM ledger.outbox
WHERE sent_at IS NULL AND key = %(key)s ORDER BY id LIMIT %(rows_max)s

-- name: be_patient
-- The broker may take half a minute to say that it cannot; until then nobody else may send what is claimed here.
SELECT set_config('idle_in_transaction_session_timeout', '60s', true)

-- name: be_patient_overall
-- As above, for servers that limit whole transactions (PostgreSQL 17 and newer).
SELECT set_config('transaction_timeout', '120s', true)
WHERE current_setting('server_version_num')::int >= 170000

-- name: sent_before
-- For each partition of a topic that rows went to before a moment, the last of their offsets: what is read back
-- begins after it. A minute of margin covers a step of the clock.
SELECT sent_partition AS partition, max(sent_offset) AS "offset" FROM ledger.outbox
WHERE topic = %(topic)s AND sent_at < %(created_at)s - interval '1 minute' GROUP BY sent_partition

-- name: mark_sent
UPDATE ledger.outbox SET sent_at = clock_timestamp(), sent_partition = %(partition)s, sent_offset = %(offset)s
WHERE id = %(id)s

-- name: outbox_lag
-- Age of the oldest unsent row, and how many of one writer's wait.
SELECT coalesce(extract(epoch FROM clock_timestamp() - min(created_at)), 0)::float8 AS seconds,
       count(*) FILTER (WHERE writer = %(writer)s) AS own
FROM ledger.outbox WHERE sent_at IS NULL

-- name: own
INSERT INTO ledger.owner (resource, epoch, owner) VALUES (%(resource)s, 1, %(owner)s)
ON CONFLICT (resource) DO UPDATE SET epoch = owner.epoch + 1, owner = excluded.owner, lease_until = NULL
RETURNING epoch

-- name: lease
-- Free, run out, or one's own. One's own keeps its epoch while it has not run out.
INSERT INTO ledger.owner (resource, epoch, owner, lease_until)
VALUES (%(resource)s, 1, %(owner)s, clock_timestamp() + make_interval(secs => %(seconds)s))
ON CONFLICT (resource) DO UPDATE
SET epoch = owner.epoch + (owner.owner <> excluded.owner OR owner.lease_until IS NULL
                           OR owner.lease_until < clock_timestamp())::int,
    owner = excluded.owner, lease_until = excluded.lease_until
WHERE owner.owner = excluded.owner OR owner.lease_until IS NULL OR owner.lease_until < clock_timestamp()
RETURNING epoch

-- name: renew
UPDATE ledger.owner SET lease_until = clock_timestamp() + make_interval(secs => %(seconds)s)
WHERE resource = %(resource)s AND epoch = %(epoch)s RETURNING epoch

-- name: give_back
UPDATE ledger.owner SET lease_until = clock_timestamp()
WHERE resource = %(resource)s AND epoch = %(epoch)s RETURNING epoch

-- name: add_break
INSERT INTO ledger.break (event_id, portfolio_id, venue, account, kind, asset, ledger, at_venue, difference,
    first_seen_us, event_time_us, resolution, detail)
VALUES (%(event_id)s, %(portfolio_id)s, %(venue)s, %(account)s, %(kind)s, %(asset)s, %(ledger)s, %(at_venue)s,
    %(difference)s, %(first_seen_us)s, %(event_time_us)s, %(resolution)s, %(detail)s)
ON CONFLICT DO NOTHING
RETURNING event_id

-- name: close_break
UPDATE ledger.break SET resolution = %(resolution)s, event_time_us = %(event_time_us)s, detail = %(detail)s
WHERE account = %(account)s AND portfolio_id = %(portfolio_id)s AND kind = %(kind)s AND asset = %(asset)s
    AND resolution = ''
RETURNING event_id

-- name: note_break
UPDATE ledger.break SET detail = %(detail)s, event_time_us = %(event_time_us)s
WHERE account = %(account)s AND portfolio_id = %(portfolio_id)s AND kind = %(kind)s AND asset = %(asset)s
    AND resolution = ''
RETURNING event_id

-- name: explain_break
-- The one right that the command line has here; a trigger looks at what it says.
UPDATE ledger.break SET explained_by = %(portfolio_id)s
WHERE account = %(account)s AND asset = %(asset)s AND kind = 'unexplained' AND resolution = ''
RETURNING event_id, portfolio_id, venue, account, kind, asset, ledger, at_venue, difference, first_seen_us,
    event_time_us, resolution, detail

-- name: explanations
SELECT asset, explained_by FROM ledger.break
WHERE account = %(account)s AND kind = 'unexplained' AND resolution = '' AND explained_by IS NOT NULL
FOR NO KEY UPDATE

-- name: say_unfilled
UPDATE ledger.break SET explained_by = %(portfolio_id)s
WHERE client_order_id = %(client_order_id)s AND portfolio_id = %(portfolio_id)s AND kind = 'unknown_order'
    AND resolution = ''
RETURNING event_id, portfolio_id, venue, account, kind, asset, ledger, at_venue, difference, first_seen_us,
    event_time_us, resolution, detail

-- name: unfilled
-- Held until the commit.
SELECT client_order_id FROM ledger.break
WHERE account = %(account)s AND kind = 'unknown_order' AND resolution = '' AND explained_by IS NOT NULL
FOR NO KEY UPDATE

-- name: lapsed
-- What was said of orders that the venue told of after all: until they are settled and their portfolio goes on.
SELECT b.portfolio_id, b.account, b.client_order_id, b.resolution, b.event_time_us
FROM ledger.break b
JOIN ledger.portfolio f ON f.portfolio_id = b.portfolio_id
JOIN ledger.child_order c ON c.client_order_id = b.client_order_id
JOIN ledger.parent_order p ON p.parent_id = c.parent_id
WHERE b.kind = 'unknown_order' AND b.explained_by IS NOT NULL AND b.resolution IN ('seen', 'changed')
    AND (f.halted OR p.state <> 'released')
    AND (%(portfolio_id)s::text IS NULL OR b.portfolio_id = %(portfolio_id)s)
    AND NOT EXISTS (SELECT FROM ledger.break later
                    WHERE later.client_order_id = b.client_order_id AND later.kind = b.kind
                        AND later.explained_by IS NOT NULL AND later.recorded_at > b.recorded_at)
ORDER BY b.event_time_us, b.event_id

-- name: halted_by_difference
-- Portfolios that the comparison with the venue has halted, as it words its reasons.
SELECT portfolio_id, halt_reason FROM ledger.portfolio p
WHERE halted AND EXISTS (
    SELECT FROM ledger.portfolio_account a WHERE a.portfolio_id = p.portfolio_id
        AND (starts_with(p.halt_reason, a.account || ' lacks ')
             OR starts_with(p.halt_reason, a.account || ' does not know order ')))
ORDER BY portfolio_id

-- name: open_breaks
SELECT event_id, portfolio_id, venue, account, kind, asset, ledger, at_venue, difference, first_seen_us, event_time_us,
    resolution, detail
FROM ledger.break WHERE resolution = '' AND (%(account)s::text IS NULL OR account = %(account)s)
ORDER BY first_seen_us, event_id

-- name: breaks
SELECT portfolio_id, account, kind, asset, difference, first_seen_us, detail, coalesce(explained_by, '') AS explained_by,
    client_order_id
FROM ledger.break b
WHERE resolution = '' AND (%(portfolio_id)s::text IS NULL OR portfolio_id = %(portfolio_id)s OR portfolio_id = ''
    AND account IN (SELECT account FROM ledger.portfolio_account p WHERE p.portfolio_id = %(portfolio_id)s))
ORDER BY first_seen_us, event_id

-- name: add_account
INSERT INTO ledger.venue_account (account, venue) VALUES (%(account)s, %(venue)s) ON CONFLICT (account) DO NOTHING

-- name: accounts
SELECT account, venue FROM ledger.venue_account ORDER BY account

-- name: add_portfolio
INSERT INTO ledger.portfolio (portfolio_id, document, document_version, dry_run)
VALUES (%(portfolio_id)s, %(document)s, %(document_version)s, %(dry_run)s)
ON CONFLICT (portfolio_id) DO NOTHING

-- name: change_document
UPDATE ledger.portfolio SET document = %(document)s, document_version = %(document_version)s, dry_run = %(dry_run)s
WHERE portfolio_id = %(portfolio_id)s

-- name: newest_document
SELECT document_version FROM ledger.portfolio_document WHERE portfolio_id = %(portfolio_id)s
ORDER BY document_version DESC LIMIT 1

-- name: keep_document
INSERT INTO ledger.portfolio_document (portfolio_id, document_version, document)
VALUES (%(portfolio_id)s, %(document_version)s, %(document)s)

-- name: add_portfolio_account
INSERT INTO ledger.portfolio_account (portfolio_id, account, preference)
VALUES (%(portfolio_id)s, %(account)s, %(preference)s)
ON CONFLICT (portfolio_id, account) DO UPDATE SET preference = excluded.preference

-- name: throw_switch
INSERT INTO ledger.kill_switch (scope, name, reason) VALUES (%(scope)s, %(name)s, %(reason)s)
ON CONFLICT (scope, name) DO NOTHING

-- name: clear_switch
DELETE FROM ledger.kill_switch WHERE scope = %(scope)s AND name = %(name)s

-- name: portfolios_under
-- Portfolios that a switch holds for.
SELECT portfolio_id FROM ledger.portfolio p
WHERE %(scope)s = 'all' OR EXISTS (
    SELECT FROM ledger.portfolio_account q JOIN ledger.venue_account a USING (account)
    WHERE q.portfolio_id = p.portfolio_id AND a.venue = %(name)s)
ORDER BY portfolio_id

-- name: status
SELECT p.portfolio_id, p.ledger_version, p.document_version, p.document, p.dry_run, p.event_time_us, p.not_before_us,
    p.reason, p.halted, p.halt_reason,
    coalesce((SELECT min(k.reason) FROM ledger.kill_switch k
        WHERE k.scope = 'all' OR k.name IN (
            SELECT a.venue FROM ledger.portfolio_account q JOIN ledger.venue_account a USING (account)
            WHERE q.portfolio_id = p.portfolio_id)), '') AS kill_reason,
    (SELECT count(*) FROM ledger.parent_order o
        WHERE o.portfolio_id = p.portfolio_id AND o.state <> 'released') AS open_parents
FROM ledger.portfolio p
WHERE %(portfolio_id)s::text IS NULL OR p.portfolio_id = %(portfolio_id)s
ORDER BY p.portfolio_id

-- name: positions
SELECT b.holder, b.account, a.venue, b.asset, b.posted, b.reserved
FROM ledger.balance b JOIN ledger.venue_account a USING (account)
WHERE (%(holder)s::text IS NULL OR b.holder = %(holder)s) AND b.posted <> 0
ORDER BY b.holder, b.account, b.asset

-- name: postings_of_month
-- One holder's journal from one moment of recording to another, oldest first; in the order of a JournalLine's fields.
SELECT recorded_at, kind, entry_id, account, asset, amount, event_time_us
FROM ledger.posting WHERE holder = %(holder)s AND recorded_at >= %(start)s AND recorded_at < %(end)s
ORDER BY recorded_at, entry_id, line

-- name: traded
-- Jumps from one instrument to the next in the index of an account's orders, however many orders there are.
WITH RECURSIVE traded AS (
    (SELECT instrument, decided_us FROM ledger.parent_order
     WHERE account = %(account)s AND NOT dry_run ORDER BY instrument, decided_us LIMIT 1)
    UNION ALL
    SELECT following.instrument, following.decided_us FROM traded CROSS JOIN LATERAL (
        SELECT p.instrument, p.decided_us FROM ledger.parent_order p
        WHERE p.account = %(account)s AND NOT p.dry_run AND p.instrument > traded.instrument
        ORDER BY p.instrument, p.decided_us LIMIT 1) following)
SELECT t.instrument, coalesce(w.since_us, t.decided_us) AS since_us
FROM traded t LEFT JOIN ledger.watermark w ON w.account = %(account)s AND w.instrument = t.instrument
ORDER BY t.instrument

-- name: unrecorded
SELECT trade_id FROM unnest(%(trade_ids)s::text[]) AS told (trade_id)
WHERE NOT EXISTS (SELECT FROM ledger.fill f
    WHERE f.venue = %(venue)s AND f.account = %(account)s AND f.trade_id = told.trade_id)

-- name: raise_watermark
INSERT INTO ledger.watermark (account, instrument, since_us) VALUES (%(account)s, %(instrument)s, %(since_us)s)
ON CONFLICT (account, instrument) DO UPDATE SET since_us = greatest(watermark.since_us, excluded.since_us)

-- name: make_partitions
SELECT ledger.make_partitions(%(months_ahead)s) AS made

-- name: prune_outbox
SELECT ledger.prune_outbox(%(days)s, %(rows_max)s) AS gone
