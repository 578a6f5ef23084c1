"""The data that all layers exchange. No I/O, no clock, standard library only."""
