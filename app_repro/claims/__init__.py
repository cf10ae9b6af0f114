"""Claims of the paper, judged on records by statistical rules (docs/claims.md). In reading order:

statement.py    what a claim is: its sides, its full setting, its metric and unit
student.py      Student's t in closed form
judgement.py    what every rule shares: the judgement that it gives, confidence levels, the spread of one seed
variance.py     the spread of one seed, pooled over cells of the same data set and metric
one_code.py     which records of runs to compare, so that one learning code made them
matching.py     which runs a claim is about, and how they depart from its setting
kinds/          the kinds of claims, a file per family: rule, words, what a row needs
claims_file.py  data/claims.csv read and validated
needs.py        which runs the claims need, and which claims a grid can decide
nearest/        what the runs nearest to a claim's setting measure, beside its verdict
verify.py       verdicts on claims from records, and the exit code
printing.py     verdicts as a table, Markdown, JUnit XML, JSON, and one claim explained step by step
power.py        how many seeds a hard verdict needs, and what they cost
contrasts.py    differences between groups of runs, and which is ahead, by the same rules
studies/        what groups of runs say of each study, by the rules of claims
authors/        runs of the paper's authors, as rows for the claims file
"""
