"""Traffic looked at afterwards: whether its split holds, and what each arm lost."""
