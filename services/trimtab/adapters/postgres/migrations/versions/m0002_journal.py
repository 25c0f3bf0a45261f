"""The journal (entries and postings that sum to zero), the balances it makes, and reservations against them."""

from alembic import op

revision = "0002"
down_revision = "0001"

SQL = r"""
-- A holder is a portfolio, or '~unallocated': what is in a venue account and belongs to no portfolio yet. No role may
-- write here: the triggers below do, so that a balance is the sum of its postings by construction.
CREATE TABLE ledger.balance (
    holder text COLLATE "C" NOT NULL CHECK (holder NOT LIKE '~%' OR holder = '~unallocated'),
    portfolio_id text GENERATED ALWAYS AS (NULLIF(holder, '~unallocated')) STORED REFERENCES ledger.portfolio,
    account text COLLATE "C" NOT NULL REFERENCES ledger.venue_account,
    asset text COLLATE "C" NOT NULL CHECK (asset <> ''),
    posted numeric(38, 18) NOT NULL DEFAULT 0,
    reserved numeric(38, 18) NOT NULL DEFAULT 0,
    PRIMARY KEY (holder, account, asset),
    CONSTRAINT balance_reserved_not_negative CHECK (reserved >= 0),
    CONSTRAINT balance_covers_reserved CHECK (posted >= reserved)
) WITH (fillfactor = 50);

-- entry_id is the hash of its cause: the same cause is booked once, however often it is told.
CREATE TABLE ledger.entry (
    entry_id text PRIMARY KEY,
    kind text NOT NULL CHECK (kind IN (
        'fill', 'allocation', 'opening', 'deposit', 'withdrawal', 'external_transfer', 'external_trade', 'fee',
        'dust', 'conversion', 'redenomination', 'delisting', 'correction')),
    holder text COLLATE "C" NOT NULL,
    event_time_us bigint NOT NULL,
    recorded_at timestamptz NOT NULL DEFAULT now(),
    transaction_id xid8 NOT NULL DEFAULT pg_current_xact_id()
);

-- Partitioned by month of recording. '~venue', '~fees' and '~external' are the other side of a posting and may be
-- negative; they have no balance row, or every fill of an account would queue for it.
CREATE TABLE ledger.posting (
    entry_id text NOT NULL REFERENCES ledger.entry,
    line smallint NOT NULL,
    holder text COLLATE "C" NOT NULL
        CHECK (holder NOT LIKE '~%' OR holder IN ('~unallocated', '~venue', '~fees', '~external')),
    account text COLLATE "C" NOT NULL,
    asset text COLLATE "C" NOT NULL,
    amount numeric(38, 18) NOT NULL CHECK (amount <> 0),
    recorded_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (entry_id, line, recorded_at)
) PARTITION BY RANGE (recorded_at);
CREATE INDEX posting_by_holder ON ledger.posting (holder, recorded_at);
CREATE TABLE ledger.posting_default PARTITION OF ledger.posting DEFAULT;

-- Makes the partitions of this month and the next ones. A month whose rows already went to the default partition (the
-- function was not called for months) stays there: slower, not wrong.
CREATE FUNCTION ledger.make_partitions(months_ahead int) RETURNS int
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
        made := made + 1;
    END LOOP;
    RETURN made;
END $$;
REVOKE EXECUTE ON FUNCTION ledger.make_partitions(int) FROM PUBLIC;

CREATE TRIGGER entry_is_final BEFORE UPDATE OR DELETE ON ledger.entry
    FOR EACH ROW EXECUTE FUNCTION ledger.refuse_change();
CREATE TRIGGER posting_is_final BEFORE UPDATE OR DELETE ON ledger.posting
    FOR EACH ROW EXECUTE FUNCTION ledger.refuse_change();

CREATE FUNCTION ledger.entry_is_stamped() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    NEW.transaction_id := pg_current_xact_id();
    NEW.recorded_at := now();
    RETURN NEW;
END $$;
CREATE TRIGGER entry_is_stamped BEFORE INSERT ON ledger.entry
    FOR EACH ROW EXECUTE FUNCTION ledger.entry_is_stamped();

-- A posting belongs to an entry of its own transaction (nothing is added to a finished entry), keeps to what the
-- entry's kind may touch, and moves the balance.
CREATE FUNCTION ledger.posting_moves_balance() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog AS $$
DECLARE
    entry_kind text;
BEGIN
    SELECT kind INTO entry_kind FROM ledger.entry
        WHERE entry_id = NEW.entry_id AND transaction_id = pg_current_xact_id() AND recorded_at = NEW.recorded_at;
    IF NOT FOUND THEN
        RAISE EXCEPTION USING ERRCODE = 'TT003',
            MESSAGE = format('entry %s is finished: a correction is a new entry', NEW.entry_id);
    END IF;
    IF NEW.holder LIKE '~%' AND NEW.holder <> '~unallocated' THEN
        IF entry_kind = 'allocation' OR (entry_kind = 'fill') = (NEW.holder = '~external') THEN
            RAISE EXCEPTION USING ERRCODE = 'TT003',
                MESSAGE = format('an entry of kind %s may not touch %s', entry_kind, NEW.holder);
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
CREATE TRIGGER posting_moves_balance AFTER INSERT ON ledger.posting
    FOR EACH ROW EXECUTE FUNCTION ledger.posting_moves_balance();

-- At commit every entry has postings, and they sum to zero per account and asset.
CREATE FUNCTION ledger.entry_sums_to_zero() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog AS $$
DECLARE
    wrong record;
BEGIN
    SELECT account, asset, sum(amount) AS total INTO wrong FROM ledger.posting
        WHERE entry_id = NEW.entry_id AND recorded_at = NEW.recorded_at
        GROUP BY account, asset HAVING sum(amount) <> 0 LIMIT 1;
    IF FOUND THEN
        RAISE EXCEPTION USING ERRCODE = 'TT003', MESSAGE = format('entry %s: postings of %s in %s sum to %s, not zero',
            NEW.entry_id, wrong.asset, wrong.account, wrong.total);
    END IF;
    IF NOT EXISTS (SELECT FROM ledger.posting WHERE entry_id = NEW.entry_id AND recorded_at = NEW.recorded_at) THEN
        RAISE EXCEPTION USING ERRCODE = 'TT003', MESSAGE = format('entry %s has no postings', NEW.entry_id);
    END IF;
    RETURN NULL;
END $$;
CREATE CONSTRAINT TRIGGER entry_sums_to_zero AFTER INSERT ON ledger.entry DEFERRABLE INITIALLY DEFERRED
    FOR EACH ROW EXECUTE FUNCTION ledger.entry_sums_to_zero();
CREATE CONSTRAINT TRIGGER posting_sums_to_zero AFTER INSERT ON ledger.posting DEFERRABLE INITIALLY DEFERRED
    FOR EACH ROW EXECUTE FUNCTION ledger.entry_sums_to_zero();

SELECT ledger.make_partitions(2);
"""


def upgrade() -> None:
    op.execute(SQL)
