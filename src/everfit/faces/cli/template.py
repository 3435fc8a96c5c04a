"""The settings file that ``everfit init`` writes; a test reads it with the comments taken off."""

from __future__ import annotations

TEMPLATE = """\
# Settings of Everfit. Everything is optional; what you leave out keeps its default.
# The first of these that says something wins:
#   command line or call > environment > [models.NAME] > [run] and [policy] > default

# [store]
# path = ".everfit"            # a folder, or a database URL; also EVERFIT_STORE

# [run]                        # for every model
# budget = "60s"               # time for everything; also EVERFIT_BUDGET
# seed = 0                     # also EVERFIT_SEED
# metric = "log_loss"          # log_loss, auc, accuracy, brier; rmse, mae, r2
# learners = ["mine.py:Mine"]  # estimators of yours that join the race

# [policy]                     # limits of a promotion, for every model
# alpha = 0.05                 # allowed error rate
# latency_ms = 50.0            # most milliseconds for one row
# guardrail = 0.1              # most that a segment's loss may exceed the champion's, as a share
# min_gain = 0.0               # smallest drop of the mean loss that is worth a promotion

# [models.churn]               # then `everfit run churn` is enough
# source = "customers.csv"     # a file, pattern or database URL; a path is meant from here
# target = "churned"
# budget = "5m"
# task = "classify"            # found out when left out
# header = true                # false, or a list of names, for a file without them
# query = "select * from t"    # when the source is a database

# [models.churn.kinds]         # what a column is
# zip = "category"             # number, boolean, category, ordered, date, text, identifier,
#                              # constant

# [models.churn.roles]         # what a column is for
# signup_date = "time"         # feature, time, group, weight, ignore

# [models.churn.policy]        # limits for this model
# min_gain = 0.001
"""
