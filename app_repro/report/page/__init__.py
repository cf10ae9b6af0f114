"""The page, one self-contained HTML file. In reading order:

findings     verdicts in plain words
excerpts     the rows of each table that the page shows
write        the page from verdicts, tables, figures and runs
serve        the page in a browser, until Ctrl-C
templates/   HTML, style and script
"""
