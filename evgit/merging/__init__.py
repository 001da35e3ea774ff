"""evgit: bringing histories together by meaning."""
