"""The site: the notebooks, the pages of `docs/` and a reference made from the code, as HTML.

Build it with `python -m docs.site`, from the top of a clone; it lands in `out/site`. Nothing is
executed but the recorded scenarios of `tests/conformance`, and nothing is fetched: Sphinx with
MyST-NB was chosen over Jupyter Book 2 because the latter loads its theme from the network at every
build.
"""
