"""What a network is: its architecture, start weights, parameters, scaling and gradients."""
