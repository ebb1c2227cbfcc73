"""Commands that have jobs trained or measured, and hold them back."""
