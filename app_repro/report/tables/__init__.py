"""The room report.tables."""
