"""Findings in one sentence each: what, how sure, what it means for the answers, what is done."""
