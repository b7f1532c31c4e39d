"""The version, below everything, so that files can name what wrote them."""

__version__: str = "0.1.0"
