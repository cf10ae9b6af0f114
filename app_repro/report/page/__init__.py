"""The page, one self-contained HTML file. In reading order:

answer       the answer in one glance: what is judged, and what the runs measure
findings     verdicts in plain words
excerpts     the rows of each table that the page shows, in groups
write        the page from verdicts, tables, figures and runs; shown in a browser
templates/   HTML, style and script
"""
