"""Headings, heights and positions solved from overlaps and tags, and how well."""
