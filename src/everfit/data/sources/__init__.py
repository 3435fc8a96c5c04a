"""Where rows come from: one file per kind of source, all giving the same :class:`Supply`."""
