"""The works around the paper, one theme a module."""
