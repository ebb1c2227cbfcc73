"""What is known of one architecture, and how it is shown."""
