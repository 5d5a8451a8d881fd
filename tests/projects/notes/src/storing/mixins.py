"""Mixins for objects."""

from js import Date


class Clocked:
    def now(self):
        return Date.new().toISOString()


class Counted:
    async def count(self):
        return self.ctx.storage.sql.exec("SELECT count(*) AS n FROM notes").one().n
