"""Networks that were trained elsewhere: each source is read into a chain, a chain into a Network.

Models are known by the names of their classes and by plain attributes: no library that makes them
is imported.
"""
