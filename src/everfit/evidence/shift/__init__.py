"""Do new rows come from where the old ones came, all columns together? A classifier bets on it."""
