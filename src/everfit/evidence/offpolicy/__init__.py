"""What would another policy have earned? Judged from decisions whose chances were logged."""
