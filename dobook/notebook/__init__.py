"""Jupyter's face of dobook: magics, frames and displays. `%load_ext dobook` begins here.

The only part of dobook that imports IPython, ipywidgets or pandas.
"""
