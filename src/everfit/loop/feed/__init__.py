"""Feeds: files, folders and databases from which labelled rows of a model come."""

from everfit.loop.feed.contract import Feed as Feed
from everfit.loop.feed.contract import Pulled as Pulled
from everfit.loop.feed.pull import pull as pull
from everfit.loop.feed.pull import pull_feeds as pull_feeds
from everfit.loop.feed.pull import pulled_files as pulled_files
