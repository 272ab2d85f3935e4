-- What is looked for where there are 100,000 orders and a million entries, without reading them all: how many orders of
-- a day were sent, and under which mandate; why a person said no; the newest fill; the bookings that are no trades; what
-- the paper broker has executed in all.
DROP INDEX trading_orders_by_day;
CREATE INDEX trading_orders_by_day ON trading_orders (staged_at, state, mandate);
CREATE INDEX trading_orders_rejected ON trading_orders (symbol, staged_at) WHERE state = 'rejected';
CREATE INDEX trading_fills_by_time ON trading_fills (broker, at);
CREATE INDEX ledger_transactions_others ON ledger_transactions (broker, id) WHERE kind <> 'trade';
