"""Signals, parent and child orders with their legal steps, reservations, and fills."""

from alembic import op

revision = "0003"
down_revision = "0002"

SQL = r"""
-- Exactly one signal is settled per (portfolio, ledger version): accepted or refused.
CREATE TABLE ledger.signal (
    signal_id text PRIMARY KEY,
    portfolio_id text NOT NULL REFERENCES ledger.portfolio,
    ledger_version bigint NOT NULL,
    document_version bigint NOT NULL,
    outcome text NOT NULL CHECK (outcome IN ('accepted', 'refused')),
    reason text NOT NULL,
    event_time_us bigint NOT NULL,
    recorded_at timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT signal_one_per_version UNIQUE (portfolio_id, ledger_version)
);
CREATE INDEX signal_recent ON ledger.signal (portfolio_id, event_time_us) WHERE outcome = 'accepted';
CREATE TRIGGER signal_is_final BEFORE UPDATE OR DELETE ON ledger.signal
    FOR EACH ROW EXECUTE FUNCTION ledger.refuse_change();

-- The legal steps; a test compares them with the table in the domain. Staying is always legal.
CREATE TABLE ledger.child_step (before text NOT NULL, after text NOT NULL, PRIMARY KEY (before, after));
INSERT INTO ledger.child_step VALUES
    ('initialized', 'submitted'), ('initialized', 'canceled'),
    ('submitted', 'accepted'), ('submitted', 'partially_filled'), ('submitted', 'filled'), ('submitted', 'canceled'),
    ('submitted', 'expired'), ('submitted', 'rejected'), ('submitted', 'unknown'),
    ('unknown', 'accepted'), ('unknown', 'partially_filled'), ('unknown', 'filled'), ('unknown', 'canceled'),
    ('unknown', 'expired'), ('unknown', 'rejected'),
    ('accepted', 'partially_filled'), ('accepted', 'filled'), ('accepted', 'canceled'), ('accepted', 'expired'),
    ('partially_filled', 'filled'), ('partially_filled', 'canceled'), ('partially_filled', 'expired');
CREATE TABLE ledger.parent_step (before text NOT NULL, after text NOT NULL, PRIMARY KEY (before, after));
INSERT INTO ledger.parent_step VALUES
    ('waiting', 'working'), ('waiting', 'closed'), ('working', 'closed'), ('closed', 'released');

-- A signal and its orders are one transaction, in whatever order the rows are written.
CREATE TABLE ledger.parent_order (
    parent_id text PRIMARY KEY,
    written bigint GENERATED ALWAYS AS IDENTITY,
    signal_id text NOT NULL REFERENCES ledger.signal DEFERRABLE INITIALLY DEFERRED,
    portfolio_id text NOT NULL REFERENCES ledger.portfolio,
    venue text NOT NULL,
    account text NOT NULL REFERENCES ledger.venue_account,
    instrument text NOT NULL,
    base text NOT NULL,
    quote text NOT NULL,
    side text NOT NULL CHECK (side IN ('buy', 'sell')),
    quantity numeric(38, 18) NOT NULL CHECK (quantity >= 0),
    decision_price numeric(38, 18) NOT NULL,
    limit_price numeric(38, 18) NOT NULL CHECK (limit_price > 0),
    urgency numeric(38, 18) NOT NULL,
    volatility numeric(38, 18) NOT NULL,
    depends_on text[] NOT NULL,
    deadline_us bigint NOT NULL,
    decided_us bigint NOT NULL,
    shard int NOT NULL,
    dry_run boolean NOT NULL,
    state text NOT NULL CHECK (state IN ('waiting', 'working', 'closed', 'released')),
    filled numeric(38, 18) NOT NULL DEFAULT 0 CHECK (filled >= 0),
    reason text NOT NULL DEFAULT ''
) WITH (fillfactor = 70);
CREATE INDEX parent_order_open ON ledger.parent_order (portfolio_id, written) WHERE state <> 'released';
CREATE INDEX parent_order_shard ON ledger.parent_order (shard) WHERE state <> 'released';
CREATE INDEX parent_order_signal ON ledger.parent_order (signal_id);

CREATE TABLE ledger.child_order (
    client_order_id text PRIMARY KEY CHECK (client_order_id <> ''),
    parent_id text NOT NULL REFERENCES ledger.parent_order,
    attempt int NOT NULL CHECK (attempt >= 0),
    account text NOT NULL,
    kind text NOT NULL CHECK (kind IN ('limit', 'limit_maker', 'market')),
    time_in_force text NOT NULL CHECK (time_in_force IN ('gtc', 'ioc', 'fok')),
    quantity numeric(38, 18) NOT NULL CHECK (quantity > 0),
    price numeric(38, 18) NOT NULL CHECK (price >= 0),
    state text NOT NULL CHECK (state IN ('initialized', 'submitted', 'accepted', 'partially_filled', 'filled',
        'canceled', 'rejected', 'expired', 'unknown')),
    request_time_ms bigint NOT NULL,
    placed_us bigint NOT NULL,
    venue_order_id text NOT NULL DEFAULT '',
    filled numeric(38, 18) NOT NULL DEFAULT 0 CHECK (filled >= 0),
    recorded numeric(38, 18) NOT NULL DEFAULT 0 CHECK (recorded >= 0),
    cancel_requested boolean NOT NULL DEFAULT false,
    reason text NOT NULL DEFAULT '',
    UNIQUE (parent_id, attempt),
    CONSTRAINT child_order_recorded_within_filled CHECK (recorded <= filled)
) WITH (fillfactor = 70);
-- A parent is worked by one child after another: no two can be live at once, whatever the code does.
CREATE UNIQUE INDEX child_order_one_live ON ledger.child_order (parent_id)
    WHERE state IN ('initialized', 'submitted', 'accepted', 'partially_filled', 'unknown');
CREATE INDEX child_order_open ON ledger.child_order (account)
    WHERE state IN ('initialized', 'submitted', 'accepted', 'partially_filled', 'unknown') OR recorded < filled;

-- One row an execution, once per (venue, account, trade id). Settled means: booked by the entry it names.
CREATE TABLE ledger.fill (
    venue text NOT NULL,
    account text NOT NULL REFERENCES ledger.venue_account,
    trade_id text NOT NULL,
    client_order_id text NOT NULL REFERENCES ledger.child_order,
    parent_id text NOT NULL REFERENCES ledger.parent_order,
    portfolio_id text NOT NULL REFERENCES ledger.portfolio,
    instrument text NOT NULL,
    base text NOT NULL,
    quote text NOT NULL,
    side text NOT NULL CHECK (side IN ('buy', 'sell')),
    price numeric(38, 18) NOT NULL CHECK (price > 0),
    quantity numeric(38, 18) NOT NULL CHECK (quantity > 0),
    fee numeric(38, 18) NOT NULL,
    fee_asset text NOT NULL,
    liquidity text NOT NULL CHECK (liquidity IN ('maker', 'taker')),
    event_time_us bigint NOT NULL,
    entry_id text UNIQUE REFERENCES ledger.entry,
    recorded_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (venue, account, trade_id)
);
CREATE INDEX fill_of_portfolio ON ledger.fill (portfolio_id, event_time_us);
CREATE INDEX fill_of_child ON ledger.fill (client_order_id);
CREATE INDEX fill_unsettled ON ledger.fill (parent_id) WHERE entry_id IS NULL;

CREATE TABLE ledger.reservation (
    parent_id text PRIMARY KEY REFERENCES ledger.parent_order,
    holder text COLLATE "C" NOT NULL,
    account text COLLATE "C" NOT NULL,
    asset text COLLATE "C" NOT NULL,
    amount numeric(38, 18) NOT NULL CHECK (amount > 0),
    remaining numeric(38, 18) NOT NULL,
    state text NOT NULL DEFAULT 'pending' CHECK (state IN ('pending', 'posted', 'voided', 'expired')),
    FOREIGN KEY (holder, account, asset) REFERENCES ledger.balance,
    CHECK (remaining >= 0 AND remaining <= amount),
    CHECK (state = 'pending' OR remaining = 0)
) WITH (fillfactor = 70);

-- How far back own trades of an account have been compared with the venue.
CREATE TABLE ledger.watermark (
    account text NOT NULL REFERENCES ledger.venue_account,
    instrument text NOT NULL,
    since_us bigint NOT NULL,
    PRIMARY KEY (account, instrument)
);
"""


def upgrade() -> None:
    op.execute(SQL)
