"""The only way out: one HTTP client with limits on everything, and how its answers are judged."""
