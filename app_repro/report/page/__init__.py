"""The page, one self-contained HTML file. In reading order:

findings     verdicts in plain words
excerpts     the rows of each table that the page shows
write        the page from verdicts, tables, figures and runs
templates/   HTML, style and script
"""
