"""What the scripts share, one idea a file: running a job, settings, robots, folders, results, tables, training."""
