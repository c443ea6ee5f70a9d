"""The demo: the whole system on one machine, one merge as a user would ask for it, and a way to end it all."""
