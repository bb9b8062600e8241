"""The scheduled service: one job per enabled profile, ended in good order by a signal."""
