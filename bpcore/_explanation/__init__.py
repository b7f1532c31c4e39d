"""One sample on its way through a network and back, each number beside its equation."""
