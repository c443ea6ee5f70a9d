"""Containers for `make compose-test`: a Docker engine where none runs, and stand-ins for images where no registry is."""
