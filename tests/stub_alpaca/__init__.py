"""A stub of Alpaca's trading API on 127.0.0.1, so that tests run the real package against it."""
