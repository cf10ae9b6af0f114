"""The room report.page."""
