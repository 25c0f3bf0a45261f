"""What the comparison with the venue needs: own trades by instrument and order, and breaks that people explain."""

from alembic import op

revision = "0007"
down_revision = "0006"

SQL = r"""
-- The instruments of an account, one jump each, with the first decision on it.
CREATE INDEX parent_order_traded ON ledger.parent_order (account, instrument, decided_us) WHERE NOT dry_run;
-- An order by the venue's own id, which is all that a trade in its history names.
CREATE INDEX child_order_at_venue ON ledger.child_order (account, venue_order_id) WHERE venue_order_id <> '';

-- The portfolio out of which a person took what the venue lacks, as that person says. It books nothing: the reconciler
-- does, if the same difference still stands.
ALTER TABLE ledger.break ADD COLUMN explained_by text REFERENCES ledger.portfolio;
GRANT UPDATE (explained_by) ON ledger.break TO trimtab_cli;

CREATE FUNCTION ledger.break_is_explained() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog AS $$
BEGIN
    IF OLD.resolution <> '' OR OLD.kind <> 'unexplained' OR OLD.difference >= 0 THEN
        RAISE EXCEPTION USING ERRCODE = 'TT003', MESSAGE = format(
            'break %s is none that lacks something and is open', OLD.event_id);
    END IF;
    IF NOT EXISTS (SELECT FROM ledger.portfolio_account
                   WHERE portfolio_id = NEW.explained_by AND account = OLD.account) THEN
        RAISE EXCEPTION USING ERRCODE = 'TT003', MESSAGE = format(
            'portfolio %s does not use account %s', NEW.explained_by, OLD.account);
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER break_is_explained BEFORE UPDATE OF explained_by ON ledger.break
    FOR EACH ROW EXECUTE FUNCTION ledger.break_is_explained();
"""


def upgrade() -> None:
    op.execute(SQL)
