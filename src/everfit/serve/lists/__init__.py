"""Answer with ranked lists: open a packed version of that form, and list for somebody."""
