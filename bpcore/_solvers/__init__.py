"""Minimisers of a smooth function of all rows: L-BFGS and Levenberg-Marquardt."""
