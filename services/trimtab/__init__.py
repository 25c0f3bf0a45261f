"""trimtab: keeps crypto portfolios at their target weights with the fewest, cheapest trades."""
