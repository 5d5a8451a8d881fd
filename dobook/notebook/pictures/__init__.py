"""Pictures as SVG text: the shapes, and one file a picture."""
