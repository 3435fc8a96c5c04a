"""What a worker answers, path by path, apart from the one row that goes the fast way."""
