"""Pipeline replay: what the real line did on a tape, held against what the engine of backtests does on it."""
