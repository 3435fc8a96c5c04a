"""Who may ask what: hosts, tokens, scopes and rates."""
