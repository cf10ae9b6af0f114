"""The tables of the report. In reading order:

table      what a table is: columns, cells, scales; mean and sd over seeds as a cell
grouping   settings of groups as columns; sentences about what is missing
main       what each setting reached, kept and took; the overview is made from it
stream     the same after each megabatch, and the density of each layer
baselines  differences to dense and osp, beside the reported ones
studies/   the tables of the studies, a file each
contrasts  pairs of runs that differ in one setting, and every tag of theirs that changes with it
formats    a table as Markdown, LaTeX, CSV and JSON
dvc_plots  the curves that `dvc plots` draws, as CSV
runs       every run with its provenance, for the page; the runs of a store, for `app-repro runs`
"""
