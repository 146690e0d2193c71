"""Makers' XMP blocks: where a photo was taken and how its camera was turned, each by the maker's own convention."""
