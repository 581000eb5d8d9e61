"""How fast training is, next to other ways to do the same, and to the least that it must cost: see ``__main__``."""
