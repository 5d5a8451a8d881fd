"""Live views of a runtime: each is one .py and one static/*.js file.

`base` says how a view is made. A view shows the same facts as the static text and HTML of the same
thing, follows what cells do, and its buttons act through the runtime as cells do.

Nothing here is imported before a front end is there to show it: ipywidgets takes its time.
"""
