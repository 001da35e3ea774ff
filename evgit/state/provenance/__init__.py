"""Where a state comes from: which event set what, when it went wrong, and what each one did."""
