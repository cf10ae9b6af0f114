"""The room report.figures."""
