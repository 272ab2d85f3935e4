-- What is looked for where there are 100,000 orders and a million entries, without reading them all: why a person said
-- no, the newest fill, and the bookings that are no trades. What the paper broker has executed in all is summed at each
-- start, from an index that holds all there is to it: an eighth of the time.
CREATE INDEX trading_orders_rejected ON trading_orders (symbol, staged_at) WHERE state = 'rejected';
CREATE INDEX trading_fills_by_time ON trading_fills (broker, at);
CREATE INDEX ledger_transactions_others ON ledger_transactions (broker, id) WHERE kind <> 'trade';
CREATE INDEX paper_executions_traded ON paper_executions (symbol, side, quantity, amount, fee);
