"""What ``make bench`` runs: each stage beside a limit of the databases under it, measured in the same run."""
