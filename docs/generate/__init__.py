"""Writes what the code says of itself into the pages: configuration keys, commands, files and the API's index."""
