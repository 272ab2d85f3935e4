"""A stub of the Messages API on 127.0.0.1, so that tests run the real package and the real program against it."""
