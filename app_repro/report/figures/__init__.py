"""The figures, as rows and drawn twice: printed (matplotlib) and on the page (Vega-Lite). In reading order:

series         rows, lines and panels that all figures share
series_stream  rows of the figures over the stream: framework, anytime, gap
series_runs    rows of accuracy and pareto
series_masks   rows of density and layers
series_curves  rows of the training curves
marks          colours, dashes and marks of methods and layers
drawing        layout shared by the printed figures
drawings_*     the printed figures
figures        which figures there are; written as PDF, SVG, PNG and CSV
specs          a small grammar of Vega-Lite
specs_*        the figures of the page
charts         which chart the page shows for which protocol
"""
