"""bpcore."""
