"""`ctx.storage`: the platform's storage methods on an object's store."""
