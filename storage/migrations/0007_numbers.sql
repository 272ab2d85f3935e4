-- What is looked for where there are 100,000 orders and a million entries, without reading them all: why a person said
-- no, the newest fill, and the bookings that are no trades.
CREATE INDEX trading_orders_rejected ON trading_orders (symbol, staged_at) WHERE state = 'rejected';
CREATE INDEX trading_fills_by_time ON trading_fills (broker, at);
CREATE INDEX ledger_transactions_others ON ledger_transactions (broker, id) WHERE kind <> 'trade';
