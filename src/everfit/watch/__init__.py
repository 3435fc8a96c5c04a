"""Watch: is the model still good? Windows of traffic in, health out."""
