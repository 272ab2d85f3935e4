"""What actors say to one another: a module for each receiver, beside addresses and values."""
