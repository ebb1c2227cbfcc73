"""From a folder, or the names of files, to a data set."""
