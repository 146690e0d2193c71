"""The documentation: Markdown pages, and `docs.generate`, which writes into them what the code says of itself."""
