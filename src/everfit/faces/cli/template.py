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
# connections_per_client = 1000  # of one address to one worker, but for proxies
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
#                              # and how a model that serves is looked after: docs/policy.md
# floor = 0.8                  # worst value of the metric that you accept. (default: none)
# tolerance = 0.05             # most that the certified loss may be exceeded, as a share of it
# window = "1d"                # traffic is looked at window by window
# label_delay = "7d"           # outcomes have so long to come. (default: 0)
# missing_outcome = "no"       # what counts when none came. (default: the row is left out)
# rollback_window = "14d"      # the old champion stays in the shadow after a promotion
# trial = "60d"                # longest time a challenger stays in the shadow undecided
# margin = 0.05                # a refit may replace it if proven not worse by more than this share
# least_rows = 200             # new outcomes before a fit is worth a thought
# learn_from = "both"          # source, log or both
# acts = ["recalibrate", "retrain", "search", "roll_back", "set_aside"]  # without a person
# retrain_budget = "60s"       # time of one fit
# search_budget = "5m"         # time of one search
# fits_a_year = 365
# searches_a_year = 12
# money_a_year = 500.0         # in the unit of the costs. (default: no limit)
# loss_cost = 100.0            # of one unit of mean loss over one window
# fit_cost = 1.0
# search_cost = 10.0
# label_cost = 0.1             # of one outcome that somebody finds out
# call_cost = 20.0             # of calling a person
# hold_looks = 1               # looks at which something must hold before you are told
# quiet_looks = 3              # looks at which it must be gone before it is over
# tell = ["ops", "team"]       # who is told. (default: everybody below [alerts])

# [policy.error_budget]        # chance of any false alarm or false act in a year
# total = 0.05
# promotion = 0.4              # its shares sum to 1
# rollback = 0.2
# degradation = 0.2
# drift = 0.2

# [policy.table]               # acts that win over the table of: everfit policy MODEL --table
# "5 to 8 windows, to 10% worse" = "search"
# [policy.guardrails]          # by segment: most that its loss may exceed what was certified
# "plan=trial" = 0.05          # as a share of it

# [alerts.webhooks.ops]        # who is told: docs/alerts.md
# url = "https://ops.example/everfit"  # or url_env, the variable that holds it
# secret_env = "OPS_SECRET"    # variable with the secret that signs messages
# private = false              # true: may be this machine or a private network
# timeout = "10s"
# models = ["churn"]           # (default: all)
# states = ["needs_you", "watch"]

# [alerts.slack.team]
# url_env = "SLACK_URL"        # the address is a secret itself

# [alerts.email.people]
# host = "mail.example"
# port = 587
# security = "starttls"        # starttls, ssl or none
# user = "everfit"
# password_env = "MAIL_PASSWORD"
# sender = "everfit@company.example"
# to = ["maria@company.example"]

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

# [models.churn.policy]        # limits and rules for this model; also .error_budget, .guardrails
# min_gain = 0.001

# [models.churn.facts]         # what only people know, for everfit score: short texts
# privacy = "keys are hashed"  # also feature_cost, requirements, new_features, feature_tests,
#                              # metric, inclusion
# stale_after = "90d"          # oldest that the version may be

# [models.movies.explore]      # lists that try something, with logged chances; off without it
# share = 0.1                  # of the places of a list
# temperature = 0.1            # 0.001 to 1000: how far from the best the draw may go

# [models.churn.sources.orders]  # events for a model of yours that reads history
# source = "orders/*.parquet"    # a file, pattern or database URL (then with query)
# key = "customer"               # the column of who or what an event is about
# time = "ordered_at"            # when it was
# outcome = "churned"            # what turned out true; the target's name when left out
# reread = "10m"                 # read again so often; files also when they change
"""
