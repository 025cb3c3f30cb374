"""prep beside the floor: reading a file and writing it again."""
