"""What keeps the ledger quick over months: postings that say all of a report, an outbox that forgets in small steps."""

from alembic import op

revision = "0008"
down_revision = "0007"

SQL = r"""
-- A posting says what its entry says, so that a holder's month is read from one index, in its order, and from nothing
-- else.
ALTER TABLE ledger.posting ADD COLUMN kind text, ADD COLUMN event_time_us bigint;
ALTER TABLE ledger.posting DISABLE TRIGGER posting_is_final;
UPDATE ledger.posting p SET kind = e.kind, event_time_us = e.event_time_us
    FROM ledger.entry e WHERE e.entry_id = p.entry_id;
ALTER TABLE ledger.posting ENABLE TRIGGER posting_is_final;
ALTER TABLE ledger.posting ALTER COLUMN kind SET NOT NULL, ALTER COLUMN event_time_us SET NOT NULL;
DROP INDEX ledger.posting_by_holder;
CREATE INDEX posting_of_holder ON ledger.posting (holder, recorded_at, entry_id, line)
    INCLUDE (account, asset, amount, kind, event_time_us);

-- A posting belongs to an entry of its own transaction (nothing is added to a finished entry) and is told what it says.
CREATE FUNCTION ledger.posting_is_of_its_entry() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog AS $$
BEGIN
    SELECT kind, event_time_us INTO NEW.kind, NEW.event_time_us FROM ledger.entry
        WHERE entry_id = NEW.entry_id AND transaction_id = pg_current_xact_id() AND recorded_at = NEW.recorded_at;
    IF NOT FOUND THEN
        RAISE EXCEPTION USING ERRCODE = 'TT003',
            MESSAGE = format('entry %s is finished: a correction is a new entry', NEW.entry_id);
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER posting_is_of_its_entry BEFORE INSERT ON ledger.posting
    FOR EACH ROW EXECUTE FUNCTION ledger.posting_is_of_its_entry();

-- It keeps to what the entry's kind may touch, and moves the balance.
CREATE OR REPLACE FUNCTION ledger.posting_moves_balance() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog AS $$
BEGIN
    IF NEW.holder LIKE '~%' AND NEW.holder <> '~unallocated' THEN
        IF NEW.kind = 'allocation' OR (NEW.kind = 'fill') = (NEW.holder = '~external') THEN
            RAISE EXCEPTION USING ERRCODE = 'TT003',
                MESSAGE = format('an entry of kind %s may not touch %s', NEW.kind, NEW.holder);
        END IF;
        RETURN NULL;
    END IF;
    UPDATE ledger.balance SET posted = posted + NEW.amount
        WHERE holder = NEW.holder AND account = NEW.account AND asset = NEW.asset;
    IF NOT FOUND THEN
        INSERT INTO ledger.balance (holder, account, asset, posted)
            VALUES (NEW.holder, NEW.account, NEW.asset, NEW.amount)
            ON CONFLICT (holder, account, asset) DO UPDATE SET posted = balance.posted + excluded.posted;
    END IF;
    RETURN NULL;
END $$;

-- An index alone answers for pages that a vacuum has seen; it comes after every fiftieth of a month, not every fifth.
CREATE FUNCTION ledger.vacuum_often(partition regclass) RETURNS void LANGUAGE plpgsql SET search_path = pg_catalog AS $$
BEGIN
    EXECUTE format('ALTER TABLE %s SET (autovacuum_vacuum_insert_scale_factor = 0.02)', partition);
END $$;
REVOKE EXECUTE ON FUNCTION ledger.vacuum_often(regclass) FROM PUBLIC;
SELECT ledger.vacuum_often(inhrelid) FROM pg_inherits WHERE inhparent = 'ledger.posting'::regclass;

CREATE OR REPLACE FUNCTION ledger.make_partitions(months_ahead int) RETURNS int
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog AS $$
DECLARE
    first timestamptz;
    made int := 0;
    name text;
BEGIN
    PERFORM pg_advisory_xact_lock(hashtext('ledger.make_partitions'));
    FOR i IN 0..LEAST(months_ahead, 24) LOOP
        first := (date_trunc('month', now() AT TIME ZONE 'UTC') + make_interval(months => i)) AT TIME ZONE 'UTC';
        name := 'posting_' || to_char(first AT TIME ZONE 'UTC', 'YYYY_MM');
        CONTINUE WHEN to_regclass('ledger.' || name) IS NOT NULL;
        CONTINUE WHEN EXISTS (SELECT FROM ledger.posting_default WHERE recorded_at >= first);
        EXECUTE format('CREATE TABLE ledger.%I PARTITION OF ledger.posting FOR VALUES FROM (%L) TO (%L)',
            name, first, (first AT TIME ZONE 'UTC' + interval '1 month') AT TIME ZONE 'UTC');
        PERFORM ledger.vacuum_often(format('ledger.%I', name)::regclass);
        made := made + 1;
    END LOOP;
    RETURN made;
END $$;

-- Forgets rows that were sent so many days ago (at least one), the oldest first and at most so many at a time. Of each
-- partition the last of them stays: after a crash its topic is read back from there, not from its beginning.
CREATE INDEX outbox_sent_at ON ledger.outbox (sent_at) WHERE sent_at IS NOT NULL;
DROP FUNCTION ledger.prune_outbox(int);
CREATE FUNCTION ledger.prune_outbox(days int, rows_max int) RETURNS bigint
    LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog AS $$
    WITH old AS (SELECT now() - make_interval(days => greatest(days, 1)) AS moment),
    gone AS (
        DELETE FROM ledger.outbox WHERE id IN (
            SELECT o.id FROM ledger.outbox o, old WHERE o.sent_at < old.moment AND EXISTS (
                SELECT FROM ledger.outbox later
                WHERE later.sent_at < old.moment AND later.topic = o.topic AND later.sent_partition = o.sent_partition
                    AND later.sent_offset > o.sent_offset)
            ORDER BY o.sent_at LIMIT rows_max)
        RETURNING id)
    SELECT count(*) FROM gone
$$;
REVOKE EXECUTE ON FUNCTION ledger.prune_outbox(int, int) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION ledger.prune_outbox(int, int) TO trimtab_reconciler;
"""


def upgrade() -> None:
    op.execute(SQL)
