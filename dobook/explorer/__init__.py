"""Searching schedules, delays and crashes for those that break a scenario, and telling the story.

`dobook.explore` runs a scenario many times. Each run has a runtime of its own, in which one event
goes at a time: `scheduler` says which may, `mishaps` what may happen to an object, `decisions`
asks a strategy and writes the answers down as a `schedule`. A failing schedule is shrunk
(`shrink`), told in words (`story`) and replayed by a line of text (`line`).

Source: the method is deterministic simulation, as of FoundationDB; the strategies are named in
`strategies`.
"""
