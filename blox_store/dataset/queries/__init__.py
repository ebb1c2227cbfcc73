"""What a data set answers besides single figures: rankings, rows of everything, tables."""
