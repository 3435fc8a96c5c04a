"""The settings file that ``everfit init`` writes; a test reads it with the comments taken off."""

from __future__ import annotations

TEMPLATE = """\
# Settings of Everfit. Everything is optional; what you leave out keeps its default.
# The first of these that says something wins:
#   command line or call > environment > [models.NAME] > [run] and [policy] > default

# [store]
# path = ".everfit"            # a folder, or a database URL; also EVERFIT_STORE
# files = ".everfit"           # folder of versions, for a database URL; also EVERFIT_FILES

# [serve]                      # everfit serve; the command line wins
# host = "127.0.0.1"           # any other address needs tokens, or a trusted proxy
# port = 8321
# operate_port = 8322          # promote, roll back, canary, shadow, forget
# workers = 1                  # processes that answer
# durability = "os"            # "fsync": also a power cut loses no answered request
# hosts = ["models.example"]   # names under which it may be asked, besides those of loopback
# require_token = true         # also on loopback; everywhere else it always is
# proxies = ["10.0.0.0/8"]     # networks whose proxy_header names a user that was let in there
# proxy_header = "x-user"
# keep_days = 90               # older predictions and outcomes are dropped; all are kept without
# spool = "spool"              # where requests are logged first. (default: in the store)
# grace_s = 10.0               # to finish requests when it is stopped
# read_s = 30.0                # for head and body of a request
# keep_alive_s = 65.0          # a connection may be idle this long
# ask_s = 2.0                  # for what only the store can answer
# rate_per_s = 0.0             # requests a second of one client; 0 for no limit
# rate_burst = 100             # of them at once
# access_log = false           # one line for each request
# traces = false               # OpenTelemetry

# [serve.limits]               # of one request
# body_bytes = 10000000
# rows = 10000
# depth = 32                   # of JSON
# aside_bytes = 16384          # a larger body is answered in a thread of its own

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

# [models.churn.sources.orders]  # events for a model of yours that reads history
# source = "orders/*.parquet"    # a file, pattern or database URL (then with query)
# key = "customer"               # the column of who or what an event is about
# time = "ordered_at"            # when it was
# outcome = "churned"            # what turned out true; the target's name when left out
# reread = "10m"                 # read again so often; files also when they change
"""
