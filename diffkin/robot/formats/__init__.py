"""The formats that robots are read from and written to, each to and from one description."""
