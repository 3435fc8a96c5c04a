"""Who may write for a model, and who runs the loop: holds with an owner and an epoch."""
