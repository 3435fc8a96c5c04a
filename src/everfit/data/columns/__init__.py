"""What a column is: how text becomes values, which kind the values have, what it is for."""
