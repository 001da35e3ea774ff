"""The HTTP server: several repositories under one root, for those who may read or write them."""
