"""What people read, made from records alone, without torch. In reading order:

tables/      each table: columns, cells with the runs behind them, and its text
figures/     each figure: its rows, and how it is drawn
page/        index.html: verdicts, figures and tables in one file
modelcard    one run as Markdown (`app-repro report --card`)
findings/    docs/findings.md: what the published records say of each study, in sentences
write        all of it into one folder (`app-repro report`)
"""
