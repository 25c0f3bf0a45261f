"""Portfolios, their documents, the accounts they trade in, and the kill switches."""

from alembic import op

revision = "0001"
down_revision = None

SQL = r"""
CREATE SCHEMA ledger;

CREATE TABLE ledger.venue_account (
    account text PRIMARY KEY CHECK (account ~ '^[^~]+$'),
    venue text NOT NULL CHECK (venue <> '')
);

-- One row a portfolio, locked first by every transaction that touches anything of it. Half of each page stays free, so
-- that the many updates of one row stay within its page.
CREATE TABLE ledger.portfolio (
    portfolio_id text PRIMARY KEY CHECK (portfolio_id ~ '^[a-z0-9-]+$'),
    document text NOT NULL,
    document_version bigint NOT NULL CHECK (document_version >= 1),
    dry_run boolean NOT NULL,
    ledger_version bigint NOT NULL DEFAULT 0 CHECK (ledger_version >= 0),
    ledger_sequence bigint NOT NULL DEFAULT 0 CHECK (ledger_sequence >= 0),
    event_time_us bigint NOT NULL DEFAULT 0,
    not_before_us bigint NOT NULL DEFAULT 0,
    reason text NOT NULL DEFAULT '',
    halted boolean NOT NULL DEFAULT false,
    halt_reason text NOT NULL DEFAULT '',
    CHECK (halted OR halt_reason = '')
) WITH (fillfactor = 50);

CREATE TABLE ledger.portfolio_document (
    portfolio_id text NOT NULL REFERENCES ledger.portfolio,
    document_version bigint NOT NULL,
    document text NOT NULL,
    applied_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (portfolio_id, document_version)
);

-- In the owner's order of preference. A row stays when an account is dropped from the document: what is held there
-- is still the portfolio's.
CREATE TABLE ledger.portfolio_account (
    portfolio_id text NOT NULL REFERENCES ledger.portfolio,
    account text NOT NULL REFERENCES ledger.venue_account,
    preference int NOT NULL,
    PRIMARY KEY (portfolio_id, account)
);

-- Kill switches above a single portfolio; they hold for portfolios that are added later, too.
CREATE TABLE ledger.kill_switch (
    scope text NOT NULL CHECK (scope IN ('venue', 'all')),
    name text NOT NULL,
    reason text NOT NULL CHECK (reason <> ''),
    thrown_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (scope, name),
    CHECK ((scope = 'all') = (name = ''))
);

CREATE FUNCTION ledger.refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION USING ERRCODE = 'TT003',
        MESSAGE = format('%s is never changed: corrections are new rows', TG_TABLE_NAME);
END $$;

CREATE TRIGGER portfolio_document_is_final BEFORE UPDATE OR DELETE ON ledger.portfolio_document
    FOR EACH ROW EXECUTE FUNCTION ledger.refuse_change();

CREATE FUNCTION ledger.portfolio_moves_on() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NEW.portfolio_id <> OLD.portfolio_id OR NEW.ledger_version < OLD.ledger_version
        OR NEW.ledger_sequence < OLD.ledger_sequence OR NEW.document_version < OLD.document_version
        OR NEW.event_time_us < OLD.event_time_us THEN
        RAISE EXCEPTION USING ERRCODE = 'TT003',
            MESSAGE = format('portfolio %s: versions, sequence and event time only rise', OLD.portfolio_id);
    END IF;
    RETURN NEW;
END $$;

CREATE TRIGGER portfolio_moves_on BEFORE UPDATE ON ledger.portfolio
    FOR EACH ROW EXECUTE FUNCTION ledger.portfolio_moves_on();
"""


def upgrade() -> None:
    op.execute(SQL)
