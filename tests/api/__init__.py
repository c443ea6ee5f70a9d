"""The REST API seen from outside, over HTTP: each row of its contract, with real servers behind it."""
