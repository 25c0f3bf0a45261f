"""Rules of orders, fills and reservations that hold whoever writes them."""

from alembic import op

revision = "0004"
down_revision = "0003"

SQL = r"""
CREATE FUNCTION ledger.child_takes_legal_step() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog AS $$
BEGIN
    IF TG_OP = 'INSERT' THEN
        IF NEW.state NOT IN ('initialized', 'submitted') OR NEW.filled <> 0 OR NEW.recorded <> 0 THEN
            RAISE EXCEPTION USING ERRCODE = 'TT002',
                MESSAGE = format('order %s cannot begin as %s', NEW.client_order_id, NEW.state);
        END IF;
        RETURN NEW;
    END IF;
    IF NEW.state <> OLD.state
        AND NOT EXISTS (SELECT FROM ledger.child_step WHERE before = OLD.state AND after = NEW.state) THEN
        RAISE EXCEPTION USING ERRCODE = 'TT002', MESSAGE = format(
            'order %s is %s and cannot become %s', OLD.client_order_id, OLD.state, NEW.state);
    END IF;
    IF NEW.filled < OLD.filled OR NEW.recorded < OLD.recorded
        OR (NEW.client_order_id, NEW.parent_id, NEW.attempt) <> (OLD.client_order_id, OLD.parent_id, OLD.attempt)
        OR (OLD.venue_order_id <> '' AND NEW.venue_order_id <> OLD.venue_order_id)
        OR (OLD.state <> 'initialized' AND (NEW.kind, NEW.time_in_force, NEW.quantity, NEW.price, NEW.request_time_ms)
            <> (OLD.kind, OLD.time_in_force, OLD.quantity, OLD.price, OLD.request_time_ms)) THEN
        RAISE EXCEPTION USING ERRCODE = 'TT003', MESSAGE = format(
            'order %s: what was sent is fixed, and what is filled never shrinks', OLD.client_order_id);
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER child_takes_legal_step BEFORE INSERT OR UPDATE ON ledger.child_order
    FOR EACH ROW EXECUTE FUNCTION ledger.child_takes_legal_step();

-- Releasing a parent says that nothing of it can change a balance any more: the database looks for itself.
CREATE FUNCTION ledger.is_releasable(of_parent text) RETURNS boolean
    LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog AS $$
    SELECT NOT EXISTS (
            SELECT FROM ledger.child_order WHERE parent_id = of_parent
                AND (state NOT IN ('filled', 'canceled', 'rejected', 'expired') OR recorded <> filled))
        AND NOT EXISTS (SELECT FROM ledger.fill WHERE parent_id = of_parent AND entry_id IS NULL)
$$;

CREATE FUNCTION ledger.parent_takes_legal_step() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog AS $$
BEGIN
    IF NEW.state <> OLD.state
        AND NOT EXISTS (SELECT FROM ledger.parent_step WHERE before = OLD.state AND after = NEW.state) THEN
        RAISE EXCEPTION USING ERRCODE = 'TT002', MESSAGE = format(
            'parent order %s is %s and cannot become %s', OLD.parent_id, OLD.state, NEW.state);
    END IF;
    IF NEW.quantity > OLD.quantity OR NEW.filled < OLD.filled OR NEW.side <> OLD.side
        OR (NEW.parent_id, NEW.signal_id, NEW.portfolio_id, NEW.account, NEW.instrument, NEW.base, NEW.quote)
            <> (OLD.parent_id, OLD.signal_id, OLD.portfolio_id, OLD.account, OLD.instrument, OLD.base, OLD.quote) THEN
        RAISE EXCEPTION USING ERRCODE = 'TT003', MESSAGE = format(
            'parent order %s: its quantity only shrinks, its fills only grow, the rest is fixed', OLD.parent_id);
    END IF;
    IF NEW.state = 'released' AND OLD.state <> 'released' AND (NOT ledger.is_releasable(OLD.parent_id)
        OR EXISTS (SELECT FROM ledger.reservation WHERE parent_id = OLD.parent_id AND state = 'pending')) THEN
        RAISE EXCEPTION USING ERRCODE = 'TT002', MESSAGE = format(
            'parent order %s cannot be released: an order, a fill or its reservation is still open', OLD.parent_id);
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER parent_takes_legal_step BEFORE UPDATE ON ledger.parent_order
    FOR EACH ROW EXECUTE FUNCTION ledger.parent_takes_legal_step();

-- What is recorded of an order is the sum of its fills, by construction.
CREATE FUNCTION ledger.fill_raises_orders() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog AS $$
BEGIN
    UPDATE ledger.child_order
        SET recorded = recorded + NEW.quantity, filled = greatest(filled, recorded + NEW.quantity)
        WHERE client_order_id = NEW.client_order_id AND parent_id = NEW.parent_id AND account = NEW.account;
    IF NOT FOUND THEN
        RAISE EXCEPTION USING ERRCODE = 'TT003',
            MESSAGE = format('fill %s does not belong to order %s', NEW.trade_id, NEW.client_order_id);
    END IF;
    UPDATE ledger.parent_order SET filled = filled + NEW.quantity WHERE parent_id = NEW.parent_id;
    RETURN NULL;
END $$;
CREATE TRIGGER fill_raises_orders AFTER INSERT ON ledger.fill
    FOR EACH ROW EXECUTE FUNCTION ledger.fill_raises_orders();

CREATE FUNCTION ledger.fill_is_settled_once() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'DELETE' OR OLD.entry_id IS NOT NULL OR NEW.entry_id IS NULL
        OR (to_jsonb(NEW) - 'entry_id') <> (to_jsonb(OLD) - 'entry_id') THEN
        RAISE EXCEPTION USING ERRCODE = 'TT003',
            MESSAGE = format('fill %s is never changed; it is settled once', OLD.trade_id);
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER fill_is_settled_once BEFORE UPDATE OR DELETE ON ledger.fill
    FOR EACH ROW EXECUTE FUNCTION ledger.fill_is_settled_once();

-- What is reserved of a balance is the sum of what remains of its reservations, by construction.
CREATE FUNCTION ledger.reservation_moves_balance() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog AS $$
DECLARE
    change numeric;
BEGIN
    IF TG_OP = 'DELETE' THEN
        RAISE EXCEPTION USING ERRCODE = 'TT003', MESSAGE = 'reservations are voided, never deleted';
    ELSIF TG_OP = 'INSERT' THEN
        IF NEW.state <> 'pending' OR NEW.remaining <> NEW.amount THEN
            RAISE EXCEPTION USING ERRCODE = 'TT003', MESSAGE = 'a reservation begins pending and whole';
        END IF;
        change := NEW.remaining;
    ELSE
        IF OLD.state <> 'pending' OR NEW.remaining > OLD.remaining
            OR (NEW.parent_id, NEW.holder, NEW.account, NEW.asset, NEW.amount)
                <> (OLD.parent_id, OLD.holder, OLD.account, OLD.asset, OLD.amount) THEN
            RAISE EXCEPTION USING ERRCODE = 'TT003', MESSAGE = format(
                'the reservation of %s only shrinks, and ends once', OLD.parent_id);
        END IF;
        change := NEW.remaining - OLD.remaining;
    END IF;
    UPDATE ledger.balance SET reserved = reserved + change
        WHERE holder = NEW.holder AND account = NEW.account AND asset = NEW.asset AND change <> 0;
    RETURN NULL;
END $$;
CREATE TRIGGER reservation_moves_balance AFTER INSERT OR UPDATE OR DELETE ON ledger.reservation
    FOR EACH ROW EXECUTE FUNCTION ledger.reservation_moves_balance();
"""


def upgrade() -> None:
    op.execute(SQL)
