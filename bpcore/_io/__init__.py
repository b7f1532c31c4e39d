"""Networks as files: safetensors, written as a whole or not at all."""
