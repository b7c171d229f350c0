"""Template tags of lagpdb."""
