"""A person may say of an order that the venue denies that no more of it was executed."""

from alembic import op

revision = "0009"
down_revision = "0008"

SQL = r"""
-- Which order a break is about.
ALTER TABLE ledger.break ADD COLUMN client_order_id text NOT NULL GENERATED ALWAYS AS (
    CASE WHEN kind = 'unknown_order' AND starts_with(detail, 'order ') THEN substr(detail, 7) ELSE '' END) STORED;
CREATE INDEX break_of_order ON ledger.break (client_order_id) WHERE client_order_id <> '';

-- `explained_by` of an order that the venue denies: its portfolio, as soon as a person has said that no more of the
-- order was executed than the ledger has. It ends nothing: the reconciler does, if the venue goes on denying it.
CREATE OR REPLACE FUNCTION ledger.break_is_explained() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog AS $$
BEGIN
    IF OLD.resolution <> '' OR NOT (OLD.kind = 'unknown_order' OR OLD.kind = 'unexplained' AND OLD.difference < 0) THEN
        RAISE EXCEPTION USING ERRCODE = 'TT003', MESSAGE = format(
            'break %s is none that lacks something and is open', OLD.event_id);
    END IF;
    IF OLD.kind = 'unknown_order' AND OLD.portfolio_id <> NEW.explained_by THEN
        RAISE EXCEPTION USING ERRCODE = 'TT003', MESSAGE = format(
            'order %s is not of portfolio %s', OLD.client_order_id, NEW.explained_by);
    END IF;
    IF NOT EXISTS (SELECT FROM ledger.portfolio_account
                   WHERE portfolio_id = NEW.explained_by AND account = OLD.account) THEN
        RAISE EXCEPTION USING ERRCODE = 'TT003', MESSAGE = format(
            'portfolio %s does not use account %s', NEW.explained_by, OLD.account);
    END IF;
    -- What the venue itself has told of an order stays told.
    IF OLD.kind = 'unknown_order' AND EXISTS (SELECT FROM ledger.child_order
            WHERE client_order_id = OLD.client_order_id AND filled > recorded) THEN
        RAISE EXCEPTION USING ERRCODE = 'TT003', MESSAGE = format(
            'the venue itself told of executions of order %s that the ledger does not have', OLD.client_order_id);
    END IF;
    RETURN NEW;
END $$;
"""


def upgrade() -> None:
    op.execute(SQL)
