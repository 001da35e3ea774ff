"""Moving history between repositories: what to send, how it is asked for, and how it is checked."""
