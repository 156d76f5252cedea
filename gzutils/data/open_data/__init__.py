"""Data that anyone may fetch: where they lie, polite requests for whole files and parts of a zip, Galaxy Zoo 2."""
