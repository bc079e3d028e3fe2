"""Events that can't be handled: set aside with all that stands behind them, in order, or left out for good."""
