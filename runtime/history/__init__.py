"""The flight history: one SQLite file, append-only in flight."""
