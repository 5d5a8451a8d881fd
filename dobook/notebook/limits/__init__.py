"""Rate limiters and workflows: frames, pictures, live views, comparison."""
