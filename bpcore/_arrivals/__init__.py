"""Networks that were trained elsewhere: each source is read into a chain, a chain into a Network.

Sources are known by the names of their classes and by plain attributes; none is imported.
"""
