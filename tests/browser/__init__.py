"""Tests in a browser. A package, so that its fixtures end with it: Playwright leaves a loop running."""
