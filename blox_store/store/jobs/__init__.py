"""Jobs from `pending` to their end: claims, leases, attempts."""
