"""Self-contained HTML reports of a flight or of a query, and their maps."""
