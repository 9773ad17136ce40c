"""A fake model API for tests: four wire formats, one scripted dialogue, nothing but the standard library."""
