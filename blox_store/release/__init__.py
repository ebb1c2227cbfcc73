"""Files of a release: their header, their columns, and the three formats that hold them."""
