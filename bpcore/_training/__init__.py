"""How a network learns: hyperparameters, packed data, and the loop over epochs."""
