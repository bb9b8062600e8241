"""One run of one profile: ask, record, select, plan, look at the disk, fetch, publish."""
