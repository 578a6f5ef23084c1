"""Data only: what every other layer speaks. No I/O, no clock, standard library only."""
