"""A one-way mirror of the ledger in an MLflow server, for people who look there.

Runs, trials, versions, decisions and aliases appear there some time after they were committed here;
nothing there is ever read back, and nothing here waits for it. See docs/mlflow.md. ``background``
starts it, ``once`` does it, ``state`` says what waits; each is imported where it is needed, since
a run must not load what only its mirror needs.
"""
