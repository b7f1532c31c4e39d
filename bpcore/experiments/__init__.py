"""The command line: the tutorials' experiments on real images, and their pictures."""
