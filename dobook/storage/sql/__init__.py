"""`ctx.storage.sql`: the user's SQL under the platform's rules."""
