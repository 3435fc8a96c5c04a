"""Ranked lists of items: what learners, the scoring plan and the task share about them."""
