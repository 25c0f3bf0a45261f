"""What each service's role may do: what it writes in its own job, and nothing else. The roles exist by then."""

from alembic import op

revision = "0006"
down_revision = "0005"

SQL = r"""
GRANT USAGE ON SCHEMA ledger TO trimtab_executor, trimtab_reconciler, trimtab_cli;
GRANT SELECT ON ALL TABLES IN SCHEMA ledger TO trimtab_executor, trimtab_reconciler, trimtab_cli;
GRANT SELECT ON public.alembic_version TO trimtab_executor, trimtab_reconciler, trimtab_cli;
-- Partitions are reached through their parent only.
REVOKE ALL ON ledger.posting_default FROM trimtab_executor, trimtab_reconciler, trimtab_cli;

-- Everybody: versions and halts of a portfolio, messages.
GRANT UPDATE (ledger_version, ledger_sequence, event_time_us, not_before_us, reason, halted, halt_reason)
    ON ledger.portfolio TO trimtab_executor, trimtab_reconciler, trimtab_cli;
GRANT INSERT ON ledger.outbox TO trimtab_executor, trimtab_reconciler, trimtab_cli;
GRANT UPDATE (sent_at, sent_partition, sent_offset) ON ledger.outbox
    TO trimtab_executor, trimtab_reconciler, trimtab_cli;
GRANT INSERT ON ledger.owner TO trimtab_executor, trimtab_reconciler;
GRANT UPDATE (epoch, owner, lease_until) ON ledger.owner TO trimtab_executor, trimtab_reconciler;

-- The executor settles signals, writes orders, sets funds aside and records fills. It books nothing.
GRANT INSERT ON ledger.signal, ledger.parent_order, ledger.child_order, ledger.reservation, ledger.fill, ledger.break
    TO trimtab_executor;
GRANT UPDATE (state, quantity, reason) ON ledger.parent_order TO trimtab_executor;
GRANT UPDATE (kind, time_in_force, quantity, price, state, request_time_ms, placed_us, venue_order_id, filled,
    cancel_requested, reason) ON ledger.child_order TO trimtab_executor;
GRANT UPDATE (at_venue, ledger, difference, event_time_us, resolution, detail) ON ledger.break TO trimtab_executor;

-- The reconciler books fills, releases funds and explains differences. It accepts no signal and writes no order; the
-- fills and states that the venue's history shows are facts it may record.
GRANT INSERT ON ledger.entry, ledger.posting, ledger.fill, ledger.break, ledger.watermark TO trimtab_reconciler;
GRANT UPDATE (entry_id) ON ledger.fill TO trimtab_reconciler;
GRANT UPDATE (remaining, state) ON ledger.reservation TO trimtab_reconciler;
GRANT UPDATE (state, quantity, reason) ON ledger.parent_order TO trimtab_reconciler;
GRANT UPDATE (kind, time_in_force, quantity, price, state, request_time_ms, placed_us, venue_order_id, filled,
    cancel_requested, reason) ON ledger.child_order TO trimtab_reconciler;
GRANT UPDATE (at_venue, ledger, difference, event_time_us, resolution, detail) ON ledger.break TO trimtab_reconciler;
GRANT UPDATE (since_us) ON ledger.watermark TO trimtab_reconciler;
GRANT UPDATE (venue) ON ledger.venue_account TO trimtab_reconciler; -- for its lock only; see the trigger below
GRANT EXECUTE ON FUNCTION ledger.make_partitions(int), ledger.prune_outbox(int) TO trimtab_reconciler;

-- The command line applies portfolios, shares out what belongs to nobody yet, and throws the switches.
GRANT INSERT ON ledger.portfolio, ledger.portfolio_document, ledger.portfolio_account, ledger.venue_account,
    ledger.kill_switch, ledger.entry, ledger.posting TO trimtab_cli;
GRANT UPDATE (document, document_version, dry_run) ON ledger.portfolio TO trimtab_cli;
GRANT UPDATE (preference) ON ledger.portfolio_account TO trimtab_cli;
GRANT UPDATE (venue) ON ledger.venue_account TO trimtab_cli; -- for its lock only
GRANT DELETE ON ledger.kill_switch TO trimtab_cli;

CREATE TRIGGER venue_account_is_final BEFORE UPDATE OR DELETE ON ledger.venue_account
    FOR EACH ROW EXECUTE FUNCTION ledger.refuse_change();

-- The command line's entries are allocations; with the rule that postings go to an entry of their own transaction, and
-- an allocation's to portfolios and '~unallocated' alone, it can make no money.
ALTER TABLE ledger.entry ENABLE ROW LEVEL SECURITY;
CREATE POLICY entry_read ON ledger.entry FOR SELECT USING (true);
CREATE POLICY entry_by_reconciler ON ledger.entry FOR INSERT TO trimtab_reconciler WITH CHECK (true);
CREATE POLICY entry_by_cli ON ledger.entry FOR INSERT TO trimtab_cli WITH CHECK (kind = 'allocation');
"""


def upgrade() -> None:
    op.execute(SQL)
