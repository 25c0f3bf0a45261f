"""The outbox, ownership of resources, and breaks."""

from alembic import op

revision = "0005"
down_revision = "0004"

SQL = r"""
-- Messages that leave after the commit. `writer` names the process that wrote a row and publishes it at once; an event
-- id leaves once.
CREATE TABLE ledger.outbox (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    writer text NOT NULL,
    topic text NOT NULL,
    key text COLLATE "C" NOT NULL,
    event_id text NOT NULL,
    payload bytea NOT NULL,
    header_names text[] NOT NULL,
    header_values bytea[] NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now(),
    sent_at timestamptz,
    sent_partition int,
    sent_offset bigint,
    UNIQUE (topic, event_id),
    CHECK (cardinality(header_names) = cardinality(header_values)),
    CHECK (num_nulls(sent_at, sent_partition, sent_offset) IN (0, 3))
);
-- Only unsent rows are ever looked for, never "id greater than the last": ids commit out of order.
CREATE INDEX outbox_unsent ON ledger.outbox (key, id) WHERE sent_at IS NULL;
-- Where a partition stood when a row was written: from there its topic is read back after a crash.
CREATE INDEX outbox_sent ON ledger.outbox (topic, sent_partition, sent_offset) WHERE sent_at IS NOT NULL;

CREATE FUNCTION ledger.outbox_is_marked_once() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF OLD.sent_at IS NOT NULL OR NEW.sent_at IS NULL OR (NEW.id, NEW.topic, NEW.key, NEW.event_id, NEW.payload)
        <> (OLD.id, OLD.topic, OLD.key, OLD.event_id, OLD.payload) THEN
        RAISE EXCEPTION USING ERRCODE = 'TT003', MESSAGE = format('outbox row %s is marked sent, once', OLD.id);
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER outbox_is_marked_once BEFORE UPDATE ON ledger.outbox
    FOR EACH ROW EXECUTE FUNCTION ledger.outbox_is_marked_once();

-- Forgets rows that were sent so many days ago; at least a day is kept, for reading topics back after a crash.
CREATE FUNCTION ledger.prune_outbox(days int) RETURNS bigint
    LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog AS $$
    WITH gone AS (
        DELETE FROM ledger.outbox WHERE sent_at < now() - make_interval(days => greatest(days, 1)) RETURNING id)
    SELECT count(*) FROM gone
$$;
REVOKE EXECUTE ON FUNCTION ledger.prune_outbox(int) FROM PUBLIC;

-- Who may act for a resource: the newest epoch, by grant of the partition assignment or of a lease.
CREATE TABLE ledger.owner (
    resource text PRIMARY KEY,
    epoch bigint NOT NULL CHECK (epoch >= 1),
    owner text NOT NULL,
    lease_until timestamptz
);
CREATE FUNCTION ledger.epoch_rises() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NEW.epoch < OLD.epoch OR (NEW.epoch = OLD.epoch AND NEW.owner <> OLD.owner) THEN
        RAISE EXCEPTION USING ERRCODE = 'TT001',
            MESSAGE = format('%s: a new owner takes a newer epoch than %s', OLD.resource, OLD.epoch);
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER epoch_rises BEFORE UPDATE ON ledger.owner FOR EACH ROW EXECUTE FUNCTION ledger.epoch_rises();

-- Raises 'TT001' unless the epoch is the newest. The shared lock holds a new owner back until this transaction ends:
-- what an owner began before it was fenced is committed, or gone, before the next one starts.
CREATE FUNCTION ledger.check_fence(of_resource text, of_epoch bigint) RETURNS void
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog AS $$
DECLARE
    newest bigint;
BEGIN
    SELECT epoch INTO newest FROM ledger.owner WHERE resource = of_resource FOR SHARE;
    IF newest IS DISTINCT FROM of_epoch THEN
        RAISE EXCEPTION USING ERRCODE = 'TT001', MESSAGE = format(
            '%s: epoch %s is no longer the newest (%s)', of_resource, of_epoch, coalesce(newest::text, 'none'));
    END IF;
END $$;

-- Differences between ledger and venue. One of a kind is open at a time per portfolio, account and asset.
CREATE TABLE ledger.break (
    event_id text PRIMARY KEY,
    portfolio_id text NOT NULL,
    venue text NOT NULL,
    account text NOT NULL,
    kind text NOT NULL,
    asset text NOT NULL,
    ledger numeric(38, 18) NOT NULL,
    at_venue numeric(38, 18) NOT NULL,
    difference numeric(38, 18) NOT NULL,
    first_seen_us bigint NOT NULL,
    event_time_us bigint NOT NULL,
    resolution text NOT NULL,
    detail text NOT NULL,
    recorded_at timestamptz NOT NULL DEFAULT now()
);
CREATE UNIQUE INDEX break_open ON ledger.break (account, portfolio_id, kind, asset) WHERE resolution = '';
"""


def upgrade() -> None:
    op.execute(SQL)
