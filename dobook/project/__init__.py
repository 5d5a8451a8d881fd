"""Python Workers projects: a folder with a wrangler configuration, run as it is.

Source: developers.cloudflare.com/workers/languages/python/
"""

from dobook.project.project import Opened, Project, open_projects

__all__ = ["Opened", "Project", "open_projects"]
