"""What the native part offers. Every function has a twin in Python that says the same."""
