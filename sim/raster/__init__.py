"""A compiled rasteriser: what each pixel's ray meets in a scene, and the light and level of it."""
